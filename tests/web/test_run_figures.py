"""Figures are asked for once, and no fault leaves a page waiting."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest

from worldgym.errors import InputError
from worldgym.web.figure_process import FigureProcess
from worldgym.web.run_figures import ENDED, FAULT, FigureWorker
from worldgym.web.run_library import ListedRun, RunLibrary


@pytest.fixture
def run(make_run: Callable[[], Path]) -> ListedRun:
    library = RunLibrary([make_run()])
    library.find()
    return library.runs()[0]


@pytest.mark.parametrize(
    ("error", "said", "again"),
    [
        (BrokenProcessPool("killed"), ENDED, True),
        (ZeroDivisionError("x"), FAULT, True),
        (MemoryError(), FAULT, True),
        (InputError("log.jsonl: line 3 is damaged"), "log.jsonl: line 3 is damaged", False),
    ],
)
def test_every_fault_is_said_and_what_may_pass_is_tried_again(
    run: ListedRun, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str, again: bool
) -> None:
    asked = list[Any]()

    def submit(process: FigureProcess, make: Any, *given: Any) -> Future[Any]:
        asked.append(given)
        answer = Future[Any]()
        answer.set_exception(error)
        return answer

    monkeypatch.setattr(FigureProcess, "submit", submit)
    worker = FigureWorker()
    for tries in (1, 2):
        worker.figures(run)
        drawn = worker.figures(run)
        assert drawn.fresh and drawn.fault == said
        assert len(asked) == (tries if again else 1)


def test_a_dead_process_costs_no_page(run: ListedRun) -> None:
    import multiprocessing

    worker = FigureWorker()
    try:
        worker.comparison([run, run]).result(60)
        for child in multiprocessing.active_children():
            child.kill()
            child.join(30)
        worker.figures(run)
        end = time.monotonic() + 60
        while not (drawn := worker.figures(run)).fresh and time.monotonic() < end:
            time.sleep(0.05)
        assert drawn.fault == "" and "success" in drawn.html
    finally:
        worker.close()
