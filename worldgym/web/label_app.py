"""Blind labelling in the browser, of videos and of pairs of them: in `worldgym judge label`, and of
any run in `worldgym view`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from worldgym.errors import InputError
from worldgym.io.run_files import LABELS_NAME, PREFERENCES_NAME
from worldgym.judges.label_session import LabelConfig, LabelSession
from worldgym.judges.pair_session import PairSession
from worldgym.web.app_pages import AppPages, Missing, json_body, static_file
from worldgym.web.guard import Guard, SessionSecrets
from worldgym.web.requested_run import requested_run
from worldgym.web.run_library import ListedRun, RunLibrary

LABEL, PREFER = "label", "prefer"  # a page's address and template
TITLES = {LABEL: "Label", PREFER: "Which did better?"}
MAX_NAME = 80  # characters of a labeller's


class Session(Protocol):
    """A `LabelSession` or a `PairSession`."""

    def state(self) -> dict[str, Any]: ...

    def video(self, number: int) -> bytes: ...

    def label(self, said: dict[str, Any]) -> None: ...


Find = Callable[[str, str], Session]  # run, labeller => their session


@dataclass
class LabelPages:
    """find: the session of a run and a labeller.   kind: LABEL or PREFER.   finish: what ends the
    program, where the page may.   The page knows no file name, no policy, no score of a judge."""

    pages: AppPages
    find: Find
    kind: str = LABEL
    finish: Callable[[], None] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def routes(self) -> list[Route]:
        return [
            Route(f"/{self.kind}", self.page),
            Route(f"/{self.kind}/state", self.state),
            Route(f"/{self.kind}/video", self.video),
            Route(f"/{self.kind}/say", self.say, methods=["POST"]),
            Route(f"/{self.kind}/finish", self.end, methods=["POST"]),
        ]

    def page(self, request: Request) -> Response:
        context = {
            "title": TITLES[self.kind],
            "kind": self.kind,
            "run": request.query_params.get("run", ""),
            "named": self.finish is not None,
        }
        return self.pages.page(f"{self.kind}.html", context)

    def state(self, request: Request) -> Response:
        with self.lock:
            return JSONResponse(self._session(request).state())

    def video(self, request: Request) -> Response:
        with self.lock:
            session = self._session(request)
            number = request.query_params.get("item", "")
            if not (number.isascii() and number.isdecimal() and len(number) < 9):
                raise Missing("there is no such video")
            try:
                return Response(session.video(int(number)), media_type="video/mp4")
            except IndexError:
                raise Missing("there is no such video") from None

    async def say(self, request: Request) -> Response:
        said = await json_body(request)
        return await run_in_threadpool(self._say, request, dict(said))

    def _say(self, request: Request, said: dict[str, object]) -> Response:
        with self.lock:
            try:
                self._session(request).label(said)
            except ValueError as error:
                raise InputError(f"no label of that form: {error}") from error
        return JSONResponse({})

    def end(self, request: Request) -> Response:
        if self.finish is None:
            raise Missing("this app does not end here")
        self.finish()
        return JSONResponse({})

    def _session(self, request: Request) -> Session:
        asked = request.query_params
        return self.find(asked.get("run", ""), asked.get("labeller", "").strip()[:MAX_NAME])


def label_app(
    session: Session, kind: str = LABEL
) -> tuple[ASGIApp, SessionSecrets, list[Callable[[], None]]]:
    """What `worldgym judge label` serves; its secret; and a list for what ends the program when the
    page says that it is done."""
    secret = SessionSecrets()
    finished = list[Callable[[], None]]()

    def finish() -> None:
        for end in finished:
            end()

    pages = AppPages(secret.write, ((f"/{kind}", TITLES[kind]),))
    labels = LabelPages(pages, lambda run, labeller: session, kind, finish)
    app = Starlette(
        routes=[*labels.routes, Route("/static/{name}", static_file)],
        exception_handlers=pages.handlers,
    )
    return Guard(app, secret), secret, finished


def label_runs(library: RunLibrary) -> Find:
    """Sessions of the runs of a library; labels go into RUN/labels.jsonl."""

    def make(run: ListedRun, labeller: str) -> Session:
        from worldgym.evaluation.rejudge import clips_of_run  # loads PyTorch

        return LabelSession(
            clips_of_run(run.folder), LabelConfig(run.folder / LABELS_NAME, labeller)
        )

    return _kept(library, make)


def pairs_of_runs(library: RunLibrary) -> Find:
    """Sessions of pairs of the runs of a library; answers go into RUN/preferences.jsonl."""

    def make(run: ListedRun, labeller: str) -> Session:
        from worldgym.evaluation.preferences import pairs_of_run  # loads PyTorch

        config = LabelConfig(run.folder / PREFERENCES_NAME, labeller)
        return PairSession(pairs_of_run(run.folder), config)

    return _kept(library, make)


def _kept(library: RunLibrary, make: Callable[[ListedRun, str], Session]) -> Find:
    known = dict[tuple[str, str], Session]()

    def find(name: str, labeller: str) -> Session:
        run = requested_run(library, name)
        if (name, labeller) not in known:
            known[name, labeller] = make(run, labeller)
        return known[name, labeller]

    return find
