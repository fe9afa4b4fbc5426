"""The page of one trial, and its data: videos, actions, the signals behind P(verdict wrong)."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from worldgym.errors import InputError
from worldgym.io.files import read_array
from worldgym.io.run_records import RunHeader, TrialRecord
from worldgym.web.app_pages import AppPages, Missing, file_inside
from worldgym.web.log_index import LogIndex
from worldgym.web.requested_run import drawn_elsewhere, requested_run
from worldgym.web.run_figures import FigureWorker
from worldgym.web.run_library import ListedRun, RunLibrary
from worldgym.web.trial_gallery import trial_address, trial_card
from worldgym.web.trial_signals import world_named


@dataclass(frozen=True)
class TrialPages:
    """Answers about single trials of the runs of a library."""

    library: RunLibrary
    figures: FigureWorker
    pages: AppPages

    @property
    def routes(self) -> list[Route]:
        answers = (self.trial, self.video, self.actions, self.signals)
        return [Route(f"/{answer.__name__}", answer) for answer in answers]

    def trial(self, request: Request) -> Response:
        run = requested_run(self.library, request.query_params.get("run", ""))
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
        header = self.library.counts(run).index.header
        assert header is not None
        asked = self.figures.signals(run.folder, header, record, own)
        return JSONResponse(await drawn_elsewhere(asked))

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

    def _asked_record(self, request: Request) -> tuple[ListedRun, TrialRecord]:
        run = requested_run(self.library, request.query_params.get("run", ""))
        number = request.query_params.get("row", "")
        counts = self.library.counts(run)
        with counts.lock:
            if not number.isdecimal() or len(number) > 9 or int(number) >= counts.index.attempts:
                raise Missing("the log has no such trial")
            return run, counts.index.record(int(number))


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
    world = world_named(header) or "WORLD"
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
    ordered = np.sort(index.rows())
    place = int(np.searchsorted(ordered, row))
    before = index.record(int(ordered[place - 1])) if place > 0 else None
    after = index.record(int(ordered[place + 1])) if place + 1 < len(ordered) else None
    return before, after
