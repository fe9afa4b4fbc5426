"""What a request asks for, looked up: names are never made to paths."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from worldgym.errors import InputError
from worldgym.web.app_pages import Missing
from worldgym.web.run_figures import ENDED
from worldgym.web.run_library import ListedRun, RunLibrary

T = TypeVar("T")


def requested_run(library: RunLibrary, name: str) -> ListedRun:
    """Missing where there is no such run."""
    run = library.run(name)
    if run is None:
        raise Missing("there is no such run below the given folders")
    return run


async def drawn_elsewhere(asked: Future[T]) -> T:
    """What the process of a `FigureWorker` makes. InputError where it ended instead,
    twice."""
    try:
        return await asyncio.wrap_future(asked)
    except BrokenProcessPool:
        raise InputError(ENDED) from None
