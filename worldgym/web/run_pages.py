"""The pages about runs: the list, a run while it goes on and afterwards, its gallery, one trial."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import AsyncIterator, Mapping
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from worldgym.errors import InputError
from worldgym.io.files import read_array
from worldgym.io.run_records import RunHeader, TrialRecord
from worldgym.web.app_pages import AppPages, Missing, file_inside
from worldgym.web.log_index import VERDICTS, LogIndex
from worldgym.web.run_figures import FigureWorker
from worldgym.web.run_library import ListedRun, RunLibrary
from worldgym.web.trial_gallery import (
    AGAINST_TRUTH,
    PAGE,
    SORTS,
    GalleryQuery,
    gallery_page,
    known_flags,
    trial_address,
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
            Route("/trial", self.trial),
            Route("/video", self.video),
            Route("/actions", self.actions),
            Route("/signals", self.signals),
        ]

    def listed(self, request: Request) -> Response:
        return self.pages.page("runs.html", {"title": "Runs", **self._list(request.query_params)})

    def list_rows(self, request: Request) -> Response:
        """The table alone, to be put in place of an older one."""
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
        run = self._asked_run(request)
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
        drawn = self.figures.figures(self._asked_run(request))
        headers = {"x-worldgym-fresh": str(int(drawn.fresh))}
        status = 200 if drawn.html or drawn.fault else 202
        return self.pages.page("drawn.html", {"drawn": drawn}, status, headers)

    async def events(self, request: Request) -> Response:
        """Live counts of one run, or the version of the list, as server-sent events."""
        if "run" not in request.query_params:
            return StreamingResponse(self._list_events(request), media_type="text/event-stream")
        run = await run_in_threadpool(self._asked_run, request)
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
        run = self._asked_run(request)
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

    def trial(self, request: Request) -> Response:
        run = self._asked_run(request)
        asked = request.query_params
        counts = self.library.counts(run)
        number = asked.get("repeat", "0")
        with counts.lock:
            index = counts.index
            repeat = int(number) if number.isdecimal() and len(number) < 9 else -1
            row = index.find(asked.get("policy", ""), asked.get("task", ""), repeat)
            if row is None:
                raise Missing("the log has no such trial")
            record = index.record(row)
            others = _others(index, record)
            before, after = _beside(index, row)
            header = index.header
        assert header is not None
        context = {
            "title": f"{record.policy}, {record.task} #{record.repeat}",
            "run": run,
            "row": row,
            "record": record,
            "card": trial_card(run.name, row, record),
            "others": [(other, n, trial_card(run.name, n, other)) for n, other in others],
            "policies": list(index.policies.texts),
            "replay": replay_command(run.folder, header, record),
            "rate_hz": action_facts(header, record.policy)["rate_hz"],
            "before": None if before is None else trial_address(run.name, before),
            "after": None if after is None else trial_address(run.name, after),
        }
        return self.pages.page("trial.html", context)

    def video(self, request: Request) -> Response:
        run, record = self._asked_record(request)
        true = request.query_params.get("kind") == "truth"
        name = record.truth_video if true else record.video
        path = None if name is None else file_inside(run.folder, name)
        if path is None:
            raise Missing("there is no such video in the run's folder")
        return FileResponse(path, media_type="video/mp4", headers={"cache-control": "no-cache"})

    def actions(self, request: Request) -> Response:
        """{"names", "low", "high", "actions" [T][A]} of a trial."""
        run, record = self._asked_record(request)
        name = record.actions_file
        path = None if name is None else file_inside(run.folder, name)
        if path is None:
            raise Missing("this run kept no actions")
        counts = self.library.counts(run)
        assert counts.index.header is not None
        values = read_array(path)
        if values.ndim != 2:
            raise InputError(f"{path}: holds no actions [T, A]")
        facts = action_facts(counts.index.header, record.policy)
        return JSONResponse({**facts, "actions": np.nan_to_num(values).round(5).tolist()})

    async def signals(self, request: Request) -> Response:
        run, record = await run_in_threadpool(self._asked_record, request)
        own = await run_in_threadpool(self._company, run, record)
        asked = self.figures.signals(run.folder, record, own)
        try:
            return JSONResponse(await asyncio.wrap_future(asked))
        except BrokenProcessPool:
            raise InputError("the process that measures signals ended; reload the page") from None

    def _company(self, run: ListedRun, record: TrialRecord) -> list[TrialRecord]:
        """Scored trials of the same policy and task, the trial itself among them."""
        counts = self.library.counts(run)
        with counts.lock:
            index = counts.index
            rows = index.rows()
            same = index.column("policy", rows) == index.policies.find(record.policy)
            same &= index.column("group", rows) == index.groups.find(record.group)
            found = index.records(rows[same].tolist())
        return [other for other in found if other.score is not None]

    def _asked_run(self, request: Request) -> ListedRun:
        """Missing where there is no such run: names are looked up, never made to paths."""
        run = self.library.run(request.query_params.get("run", ""))
        if run is None:
            raise Missing("there is no such run below the folders that were named")
        return run

    def _asked_record(self, request: Request) -> tuple[ListedRun, TrialRecord]:
        run = self._asked_run(request)
        number = request.query_params.get("row", "")
        counts = self.library.counts(run)
        with counts.lock:
            if not number.isdecimal() or len(number) > 9 or int(number) >= counts.index.attempts:
                raise Missing("the log has no such trial")
            return run, counts.index.record(int(number))


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


def action_facts(header: RunHeader, policy: str) -> dict[str, Any]:
    """Names and bounds of a policy's action numbers, and its rate, as the log's header says."""
    told = next((p for p in header.policies if p["name"] == policy), {})
    spec = told.get("spec") or {}
    rate = spec.get("rate_hz")
    return {
        "names": [str(name) for name in spec.get("names", ())],
        "low": list(spec.get("low", ())),
        "high": list(spec.get("high", ())),
        "rate_hz": rate if isinstance(rate, int | float) and rate > 0 else 10.0,
    }


def replay_command(folder: Path, header: RunHeader, record: TrialRecord) -> str:
    """What plays the trial again, so that a hand can take over anywhere in it; "" without a
    video."""
    if record.video is None:
        return ""
    try:
        words = shlex.split(header.command)
    except ValueError:
        words = []
    world = words[words.index("--world") + 1] if "--world" in words[:-1] else "WORLD"
    if world == "WORLD" and "demo" in words:
        world = "bundled"
    return shlex.join(["worldgym", "play", world, "--replay", str(folder / record.video)])


def _others(index: LogIndex, record: TrialRecord) -> list[tuple[int, TrialRecord]]:
    """The same trial of the other policies."""
    rows = [
        index.find(policy, record.task, record.repeat)
        for policy in index.policies.texts
        if policy != record.policy
    ]
    return [(row, index.record(row)) for row in rows if row is not None]


def _beside(index: LogIndex, row: int) -> tuple[TrialRecord | None, TrialRecord | None]:
    """The trials before and after it in the order of the log."""
    rows = index.rows()
    place = int(np.searchsorted(np.sort(rows), row))
    ordered = np.sort(rows)
    before = index.record(int(ordered[place - 1])) if place > 0 else None
    after = index.record(int(ordered[place + 1])) if place + 1 < len(ordered) else None
    return before, after


def _words(run: ListedRun) -> str:
    """What a search in the list looks at."""
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
