"""Scores of policies by trial, and what two of them have in common."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from worldgym.io.run_records import TrialRecord, results
from worldgym.stats.per_frame import Numbers
from worldgym.stats.planned_trials import TaskRepeat


@dataclass
class PolicyTrials:
    """The trials of one policy.

    scores: of the scored ones.   ended: by task, the repeats that ran or failed for good.
    time: by task, when the last of these ended.
    """

    scores: dict[TaskRepeat, float] = field(default_factory=dict)
    ended: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    time: dict[str, str] = field(default_factory=lambda: defaultdict(str))


def policy_trials(records: Iterable[TrialRecord]) -> tuple[dict[str, PolicyTrials], dict[str, str]]:
    """(by policy, the group of each task)."""
    trials = defaultdict[str, PolicyTrials](PolicyTrials)
    group_of = {}
    outcome = results(records)
    for r in (*outcome.finished, *outcome.failed):
        mine = trials[r.policy]
        if r.score is not None:
            mine.scores[r.task, r.repeat] = r.score
        mine.ended[r.task].add(r.repeat)
        mine.time[r.task] = max(mine.time[r.task], r.time)
        group_of[r.task] = r.group
    return trials, group_of


def common_scores(
    trials: Mapping[str, PolicyTrials], a: str, b: str
) -> tuple[Numbers, Numbers, list[str]]:
    """Scores of both in the trials that both were scored in, and the initial frames of these."""
    mine, theirs = trials[a].scores, trials[b].scores
    keys = sorted(mine.keys() & theirs.keys())
    A, B = (np.array([side[key] for key in keys], np.float64) for side in (mine, theirs))
    return A, B, [task for task, _ in keys]
