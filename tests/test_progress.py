"""Progress passes the items on; without a terminal it says a line every half minute."""

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


def test_a_line_every_half_minute(capsys: pytest.CaptureFixture[str]) -> None:
    times = iter([0.0, 5.0, 29.0, 31.0, 40.0, 75.0])
    assert list(progress("abcde", 5, "rolling out", "batch", clock=lambda: next(times))) == list("abcde")
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["rolling out: 2 of 5 (batch), 31 s", "rolling out: 4 of 5 (batch), 75 s"]
