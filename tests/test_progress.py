"""Progress passes the items on, and is silent where nobody watches."""

from __future__ import annotations

import pytest

from worldgym.progress import progress


def test_items_come_through_in_order_and_lazily(capsys: pytest.CaptureFixture[str]) -> None:
    taken: list[int] = []
    items = progress((taken.append(i) or i for i in range(5)), 5, "counting")  # type: ignore[func-returns-value]
    assert taken == []
    assert next(items) == 0
    assert taken == [0]
    assert list(items) == [1, 2, 3, 4]
    assert capsys.readouterr().err == ""  # no terminal, no bar
