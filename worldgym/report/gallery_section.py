"""Trials with their videos: which of them the page shows, and the videos as data URIs."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

from worldgym.errors import InputError
from worldgym.io.run_records import TrialRecord
from worldgym.report.section import ReportFacts, Section


@dataclass(frozen=True)
class TrialCard:
    """One trial of the gallery. Videos are data URIs; None = the log names none, or the file is
    gone."""

    record: TrialRecord
    video: str | None
    truth_video: str | None

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
    cards = make_cards(
        facts.run, facts.outcome.finished, facts.policies, facts.options.gallery_trials
    )
    flags = sorted({flag for card in cards for flag in card.record.flags})
    return Section(
        "gallery", "Videos", {"cards": cards, "shown_of": len(facts.trials), "flags": flags}
    )


def make_cards(
    run_dir: Path, trials: Sequence[TrialRecord], policies: Sequence[str], limit: int
) -> list[TrialCard]:
    """The chosen trials, those whose verdict differs from the truth first, then by task, initial
    frame and policy."""
    chosen = choose(trials, limit)
    chosen.sort(
        key=lambda r: (r.right is not False, r.group, r.task, r.repeat, policies.index(r.policy))
    )
    return [
        TrialCard(r, _data_uri(run_dir, r.video), _data_uri(run_dir, r.truth_video)) for r in chosen
    ]


def choose(trials: Sequence[TrialRecord], limit: int) -> list[TrialRecord]:
    """At most `limit` trials with a video: one a cell in turn, within a cell those that differ from
    the truth first."""
    cells: dict[tuple[str, str], list[TrialRecord]] = defaultdict(list)
    for r in sorted(trials, key=lambda r: (r.right is not False, r.task, r.repeat)):
        if r.video is not None:
            cells[r.group, r.policy].append(r)
    rounds = zip_longest(*(cells[cell] for cell in sorted(cells)))
    return [r for r in chain.from_iterable(rounds) if r is not None][:limit]


def _data_uri(run_dir: Path, name: str | None) -> str | None:
    if name is None:
        return None
    try:
        data = (run_dir / name).read_bytes()
    except FileNotFoundError:
        return None  # a log moved without its videos still makes a report
    except OSError as error:
        raise InputError(
            f"{run_dir / name}: cannot be read ({error.strerror}); permit reading or remove it"
        ) from error
    return f"data:video/mp4;base64,{base64.b64encode(data).decode()}"
