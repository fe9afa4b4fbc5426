"""Trials with their videos: which of them the page shows, and the videos as data URIs."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from itertools import chain, zip_longest
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from worldgym.errors import InputError
from worldgym.io.attempts import Attempted
from worldgym.io.run_records import TrialRecord
from worldgym.report.section import ReportFacts, Section

VIDEO_BYTES = 6_000_000  # of all videos; base64 makes a third more of them
A = TypeVar("A", bound=Attempted)


@dataclass(frozen=True)
class TrialCard:
    """One trial of the gallery. Videos are data URIs, or addresses; None = the log names none, or
    the file is gone.   link: address of the trial's own page; "" = it has none."""

    record: TrialRecord
    video: str | None
    truth_video: str | None
    link: str = ""

    @property
    def anchor(self) -> str:
        """Its place on a page, for links; no other trial's."""
        r = self.record
        names = (quote(name, safe="").replace("-", "%2D") for name in (r.policy, r.task))
        return "-".join(("trial", *names, str(r.repeat)))

    @property
    def verdict(self) -> str:
        """One of success, partial, failure, unscored."""
        if self.record.score is None:
            return "unscored"
        return (
            "success"
            if self.record.succeeded
            else "partial"
            if self.record.score > 0
            else "failure"
        )

    @property
    def against_truth(self) -> str:
        """One of right, wrong, unknown."""
        return {True: "right", False: "wrong", None: "unknown"}[self.record.right]


def gallery_section(facts: ReportFacts) -> Section:
    wanted = facts.records(choose(facts.outcome.finished, facts.options.gallery_trials))
    cards = make_cards(facts.run, wanted, facts.policies)
    flags = sorted({flag for card in cards for flag in card.record.flags})
    return Section("gallery", "Videos", {"cards": cards, "shown_of": facts.trials, "flags": flags})


def make_cards(
    run_dir: Path, wanted: Iterable[TrialRecord], policies: Sequence[str]
) -> list[TrialCard]:
    """As many of the wanted trials as the page has room for, those whose verdict differs from the
    truth first, then by task, initial frame and policy."""
    chosen = list(_that_fit(run_dir, wanted))
    chosen.sort(
        key=lambda r: (r.right is not False, r.group, r.task, r.repeat, policies.index(r.policy))
    )
    return [
        TrialCard(r, _data_uri(run_dir, r.video), _data_uri(run_dir, r.truth_video)) for r in chosen
    ]


def choose(trials: Sequence[A], limit: int) -> list[A]:
    """At most `limit` trials with a video: one per cell in turn, within a cell those that differ
    from the truth first."""
    cells: dict[tuple[str, str], list[A]] = defaultdict(list)
    for r in trials:
        if r.video is not None:
            cells[r.group, r.policy].append(r)
    first = (nsmallest(limit, cells[cell], key=_wrong_first) for cell in sorted(cells))
    rounds = zip_longest(*first)
    return [r for r in chain.from_iterable(rounds) if r is not None][:limit]


def _wrong_first(trial: Attempted) -> tuple[bool, str, int]:
    return trial.right is not False, trial.task, trial.repeat


def _that_fit(run_dir: Path, records: Iterable[TrialRecord]) -> Iterator[TrialRecord]:
    """The first of them, until their videos fill the page."""
    size = 0
    for record in records:
        for name in (record.video, record.truth_video):
            place = None if name is None else run_dir / name
            size += place.stat().st_size if place is not None and place.exists() else 0
        if size > VIDEO_BYTES:
            return
        yield record


def _data_uri(run_dir: Path, name: str | None) -> str | None:
    if name is None:
        return None
    try:
        data = (run_dir / name).read_bytes()
    except FileNotFoundError:
        return None  # a log moved without its videos still makes a report
    except OSError as error:
        raise InputError(
            f"{run_dir / name}: cannot be read ({error.strerror}); allow reading it, or remove it"
        ) from error
    return f"data:video/mp4;base64,{base64.b64encode(data).decode()}"
