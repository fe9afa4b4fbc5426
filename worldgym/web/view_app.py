"""The app: its parts, behind the guard."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp

from worldgym.web.app_pages import AppPages, static_file
from worldgym.web.compare_pages import ComparePages
from worldgym.web.guard import Guard, SessionSecrets
from worldgym.web.label_app import PREFER, LabelPages, label_runs, pairs_of_runs
from worldgym.web.run_figures import FigureWorker
from worldgym.web.run_library import RunLibrary
from worldgym.web.run_pages import RunPages
from worldgym.web.trial_pages import TrialPages


@dataclass(frozen=True)
class ViewConfig:
    """runs: runs, and folders of runs.   cache: folder for what is made again otherwise; None
    keeps nothing."""

    runs: tuple[Path, ...]
    cache: Path | None = None
    secret: SessionSecrets = field(default_factory=SessionSecrets)


def view_app(config: ViewConfig) -> ASGIApp:
    """What `worldgym view` serves. InputError for a folder that does not exist."""
    library = RunLibrary(config.runs, config.cache)
    library.find()
    worker = FigureWorker(config.cache)
    pages = AppPages(
        config.secret.write,
        (("/", "Runs"), ("/compare", "Compare"), ("/leaderboard", "Leaderboard")),
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        threading.Thread(target=library.scan, daemon=True).start()
        yield
        worker.close()

    app = Starlette(
        routes=[
            *RunPages(library, worker, pages).routes,
            *TrialPages(library, worker, pages).routes,
            *ComparePages(library, worker, pages).routes,
            *LabelPages(pages, label_runs(library)).routes,
            *LabelPages(pages, pairs_of_runs(library), PREFER).routes,
            Route("/static/{name}", static_file),
        ],
        exception_handlers=pages.handlers,
        lifespan=lifespan,
    )
    return Guard(app, config.secret)
