"""Progress passes the items on; without a terminal it says a line every half minute, also in the
middle of an item."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator

import pytest

from worldgym.io.progress import progress, told_if_slow


def test_items_come_through_in_order_and_lazily(capsys: pytest.CaptureFixture[str]) -> None:
    taken: list[int] = []
    items = progress((taken.append(i) or i for i in range(5)), 5, "counting")  # type: ignore[func-returns-value]
    assert taken == []
    assert next(items) == 0
    assert taken == [0]
    assert list(items) == [1, 2, 3, 4]
    assert capsys.readouterr().err == ""  # no terminal, no bar


def test_lines_come_while_one_item_takes_long(capsys: pytest.CaptureFixture[str]) -> None:
    said = []
    for item in progress("ab", 8, "rolling out", "trial", every=0.01, size=lambda item: 4):
        until = time.monotonic() + 20.0
        while not (line := capsys.readouterr().err.partition("\n")[0]) and time.monotonic() < until:
            time.sleep(0.01)
        said.append((item, line))
    assert [re.sub(r"\d+ s$", "S", line) for _, line in said] == [
        "rolling out: 0 of 8 trials, S",
        "rolling out: 4 of 8 trials, S",
    ]


def told() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "progress"]


def test_nothing_is_said_after_the_end() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise ValueError("broke")

    with pytest.raises(ValueError, match="broke"):
        list(progress(failing(), 2, "counting", every=0.01))
    before = told()  # of tests whose exceptions are still referred to
    left = progress(range(5), 5, "counting", every=0.01)
    next(left)
    assert len(told()) == len(before) + 1
    left.close()  # whoever stops listening in the middle
    assert told() == before


def test_a_bar_counts_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert list(progress("ab", 8, "rolling out", "trial", size=lambda item: 4)) == ["a", "b"]


def test_only_what_is_slow_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with told_if_slow("loading the world", after=30.0):
        pass
    assert capsys.readouterr().err == ""
    with told_if_slow("loading the world", after=0.01):
        time.sleep(0.2)
    assert capsys.readouterr().err == "loading the world\n"
