"""The pages about runs: the list, a run during and after its evaluation, its gallery."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from worldgym.errors import InputError
from worldgym.web.app_pages import AppPages
from worldgym.web.log_index import VERDICTS, LogIndex
from worldgym.web.requested_run import requested_run
from worldgym.web.run_figures import FigureWorker
from worldgym.web.run_library import ListedRun, RunLibrary
from worldgym.web.trial_gallery import (
    AGAINST_TRUTH,
    PAGE,
    SORTS,
    GalleryQuery,
    gallery_page,
    known_flags,
    trial_card,
)

LOOK = 0.5  # seconds between two looks at a log
BEAT = 20  # looks without a change after which the stream says that it is there
ROWS = 100  # runs on a page of the list
RUN_SORTS = ("changed", "name", "world", "rate", "trials", "cost")


@dataclass(frozen=True)
class RunPages:
    """Answers about the runs of a library."""

    library: RunLibrary
    figures: FigureWorker
    pages: AppPages

    @property
    def routes(self) -> list[Route]:
        return [
            Route("/", self.listed),
            Route("/list", self.list_rows),
            Route("/run", self.run),
            Route("/events", self.events),
            Route("/figures", self.drawn),
            Route("/gallery", self.gallery),
        ]

    def listed(self, request: Request) -> Response:
        return self.pages.page("runs.html", {"title": "Runs", **self._list(request.query_params)})

    def list_rows(self, request: Request) -> Response:
        """The table alone, to replace an older one."""
        return self.pages.page("run_rows.html", self._list(request.query_params))

    def _list(self, asked: Mapping[str, str]) -> dict[str, Any]:
        words = asked.get("words", "").lower().split()
        sort = asked.get("sort", "changed")
        number = asked.get("page", "0")
        runs = [run for run in self.library.runs() if all(word in _words(run) for word in words)]
        runs.sort(key=lambda run: _place(run, sort))
        page = int(number) if number.isdecimal() and len(number) < 9 else 0
        return {
            "runs": runs[page * ROWS : (page + 1) * ROWS],
            "found": len(runs),
            "of": len(self.library.runs()),
            "reading": self.library.reading,
            "page": page,
            "pages": max(1, -(-len(runs) // ROWS)),
            "sort": sort if sort in RUN_SORTS else "changed",
            "words": asked.get("words", ""),
            "folders": self.library.folders,
            "version": self.library.version,
        }

    def run(self, request: Request) -> Response:
        run = requested_run(self.library, request.query_params.get("run", ""))
        drawn = self.figures.figures(run)
        card = run.card
        context = {
            "title": run.name,
            "run": run,
            "drawn": drawn,
            "state": card.state if card is not None else "",
            "sorts": SORTS,
            "verdicts": VERDICTS,
            "against_truth": AGAINST_TRUTH,
        }
        return self.pages.page("run.html", context)

    def drawn(self, request: Request) -> Response:
        """The figures; 202 while the first are being made."""
        drawn = self.figures.figures(
            requested_run(self.library, request.query_params.get("run", ""))
        )
        headers = {"x-worldgym-fresh": str(int(drawn.fresh))}
        status = 200 if drawn.html or drawn.fault else 202
        return self.pages.page("drawn.html", {"drawn": drawn}, status, headers)

    async def events(self, request: Request) -> Response:
        """Live counts of one run, or the version of the list, as server-sent events."""
        if "run" not in request.query_params:
            return StreamingResponse(self._list_events(request), media_type="text/event-stream")
        run = await run_in_threadpool(
            requested_run, self.library, request.query_params.get("run", "")
        )
        return StreamingResponse(self._run_events(request, run), media_type="text/event-stream")

    async def _run_events(self, request: Request, run: ListedRun) -> AsyncIterator[str]:
        last = ""
        quiet = 0
        while not await request.is_disconnected():
            told = await run_in_threadpool(live_event, self.library, run)
            quiet += 1
            if told != last:
                last = told
                quiet = 0
                yield f"event: live\ndata: {told}\n\n"
            elif quiet % BEAT == 0:
                yield ": here\n\n"
            await asyncio.sleep(LOOK)

    async def _list_events(self, request: Request) -> AsyncIterator[str]:
        last = -1
        scan: asyncio.Task[None] | None = None
        while not await request.is_disconnected():
            if scan is None or scan.done():
                scan = asyncio.create_task(run_in_threadpool(self.library.scan))
            if self.library.version != last:
                last = self.library.version
                yield f"event: list\ndata: {last}\n\n"
            await asyncio.sleep(4 * LOOK)

    def gallery(self, request: Request) -> Response:
        run = requested_run(self.library, request.query_params.get("run", ""))
        query = GalleryQuery.of(request.query_params)
        counts = self.library.counts(run)
        with counts.lock:
            index = counts.index
            page = gallery_page(index, query)
            cards = [trial_card(run.name, row, index.record(row)) for row in page.rows]
            context = {
                "cards": cards,
                "page": page,
                "query": query,
                "flags": known_flags(index),
                "policies": list(index.policies.texts),
                "tasks": sorted(index.groups.texts),
                "first": page.page * PAGE + 1,
            }
        return self.pages.page("gallery_page.html", context)


def live_event(library: RunLibrary, run: ListedRun) -> str:
    """JSON of what a run has done up to now, or of what is wrong with its log."""
    try:
        counts = library.counts(run)
        with counts.lock:
            told = dict(counts.to_json(counts.changed_at()))
            told["newest"] = [_small(run, counts.index, row) for row in told["newest"]]
    except InputError as error:
        return json.dumps({"fault": str(error)})
    return json.dumps(told)


def _small(run: ListedRun, index: LogIndex, row: int) -> dict[str, Any]:
    record = index.record(row)
    card = trial_card(run.name, row, record)
    return {
        "name": f"{record.policy}, {record.task} #{record.repeat}",
        "video": card.video,
        "link": card.link,
        "verdict": card.verdict,
    }


def _words(run: ListedRun) -> str:
    """The text that a search in the list uses."""
    card = run.card
    more = [] if card is None else [card.world, card.state, *card.tasks]
    more += [] if card is None else [policy.policy for policy in card.policies]
    return " ".join([run.name, *more]).lower()


def _place(run: ListedRun, sort: str) -> tuple[Any, ...]:
    card = run.card
    if card is None:
        return (1, run.name)
    best = max((p.rate for p in card.policies if p.rate is not None), default=-1.0)
    by: dict[str, Any] = {
        "name": run.name,
        "world": card.world,
        "rate": -best,
        "trials": -card.done,
        "cost": -card.cost_usd,
    }
    return (0, by.get(sort, -card.changed), run.name)
