"""The process behind the figures may die: others come."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest

from worldgym.web.figure_process import FigureProcess


@pytest.fixture
def process() -> Iterator[FigureProcess]:
    one = FigureProcess()
    yield one
    one.close()


def kill(one: int) -> None:
    os.kill(one, 9)
    end = time.monotonic() + 30
    while alive(one) and time.monotonic() < end:
        time.sleep(0.05)


def test_a_process_that_died_is_replaced(process: FigureProcess) -> None:
    first = process.submit(os.getpid).result(60)
    kill(first)
    asked = [process.submit(os.getpid) for _ in range(3)]
    (second,) = {one.result(60) for one in asked}
    assert second != first


def test_what_kills_it_twice_is_given_up(process: FigureProcess) -> None:
    with pytest.raises(BrokenProcessPool):
        process.submit(os._exit, 3).result(60)
    assert process.submit(int, "7").result(60) == 7


def test_errors_are_those_of_the_work(process: FigureProcess) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        process.submit(int, "x").result(60)


def test_who_waits_at_the_end_is_told(process: FigureProcess) -> None:
    asked = [process.submit(time.sleep, 0.3) for _ in range(4)]
    process.close()
    late = process.submit(int, "7")
    assert _outcome(asked[-1]) == _outcome(late) == "ended"


def _outcome(one: Future[Any]) -> str:
    try:
        one.result(60)
    except BrokenProcessPool:
        return "ended"
    return "made"


def test_it_ends_with_the_server(tmp_path: Path) -> None:
    make = "FigureProcess().submit(os.getpid).result()"
    program = (
        "import os\nfrom worldgym.web.figure_process import FigureProcess\n"
        f"if __name__ == '__main__':\n    print({make}, flush=True)\n    os._exit(1)\n"
    )
    (tmp_path / "server.py").write_text(program)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "server.py")], stdout=subprocess.PIPE, text=True, timeout=60
    )
    end = time.monotonic() + 30
    while alive(int(done.stdout)) and time.monotonic() < end:
        time.sleep(0.1)
    assert not alive(int(done.stdout))


def alive(process: int) -> bool:
    """One that has ended may wait for its parent to take note."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
