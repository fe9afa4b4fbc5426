"""Blind labelling in the browser, of videos and of pairs of them: in `worldgym judge label`, and of
any run in `worldgym view`."""

from __future__ import annotations

import shlex
import threading
from collections import OrderedDict
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
from worldgym.web.run_library import ListedRun, RunLibrary, run_stamp

LABEL, PREFER = "label", "prefer"  # a page's address and template
TITLES = {LABEL: "Label", PREFER: "Which did better?"}
MAX_NAME = 80  # characters of a labeller's
KEPT = 20  # sessions


class Session(Protocol):
    """A `LabelSession` or a `PairSession`."""

    def state(self) -> dict[str, Any]: ...

    def video(self, number: int) -> bytes: ...

    def fps(self, number: int) -> float: ...

    def label(self, said: dict[str, Any]) -> None: ...


# run, labeller, name of a session ("" = of the run as it is now) => that session and its name
Find = Callable[[str, str, str], tuple[Session, str]]


@dataclass
class LabelPages:
    """find: the session of a run and a labeller; its name goes into the page, because numbers of
    videos are of one session.   kind: LABEL or PREFER.   finish: what ends the
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
            session, name = self._found(request)
            return JSONResponse({**session.state(), "session": name})

    def video(self, request: Request) -> Response:
        with self.lock:
            session, _ = self._found(request)
            number = request.query_params.get("item", "")
            if not (number.isascii() and number.isdecimal() and len(number) < 9):
                raise Missing("there is no such video")
            try:
                film, fps = session.video(int(number)), session.fps(int(number))
                headers = {"x-worldgym-fps": f"{fps}"}
                return Response(film, headers=headers, media_type="video/mp4")
            except IndexError:
                raise Missing("there is no such video") from None

    async def say(self, request: Request) -> Response:
        said = await json_body(request)
        return await run_in_threadpool(self._say, request, dict(said))

    def _say(self, request: Request, said: dict[str, object]) -> Response:
        with self.lock:
            session, _ = self._found(request)
            try:
                session.label(said)
            except ValueError as error:
                raise InputError(f"no label of that form: {error}") from error
        return JSONResponse({})

    def end(self, request: Request) -> Response:
        if self.finish is None:
            raise Missing("this app does not end here")
        self.finish()
        return JSONResponse({})

    def _found(self, request: Request) -> tuple[Session, str]:
        asked = request.query_params
        labeller = asked.get("labeller", "").strip()[:MAX_NAME]
        return self.find(asked.get("run", ""), labeller, asked.get("session", ""))


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
    labels = LabelPages(pages, lambda *_: (session, ""), kind, finish)
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
    """A session is of a run as it was: with new trials comes a new one, and pages that show the
    older continue with that."""
    known = OrderedDict[tuple[str, str, str], Session]()

    def find(name: str, labeller: str, asked: str) -> tuple[Session, str]:
        run = requested_run(library, name)
        which = asked or repr(run_stamp(run.folder))
        key = (name, labeller, which)
        if key not in known:
            if asked:
                raise InputError("this run has new trials; reload the page")
            known[key] = _made(run, labeller, make)
            while len(known) > KEPT:
                known.popitem(last=False)
        known.move_to_end(key)
        return known[key], which

    return find


def _made(run: ListedRun, labeller: str, make: Callable[[ListedRun, str], Session]) -> Session:
    """`worldgym view` has no --tasks: where the run's tasks are not found, the command that has is
    named."""
    try:
        return make(run, labeller)
    except InputError as error:
        command = f"to `worldgym judge label {shlex.quote(str(run.folder))} --tasks DIR`"
        raise InputError(str(error).replace("with --tasks", command)) from error
