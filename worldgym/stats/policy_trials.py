"""Scores of policies by trial as one table, and what two of them have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from worldgym.io.attempts import Attempted
from worldgym.io.run_records import results
from worldgym.stats.per_frame import Flags, Indices, Numbers


@dataclass(frozen=True)
class ScoreTable:
    """All trials of a run: one row per policy, one column per trial, sorted by initial frame and
    repeat.

    tasks [F]:      initial frames, sorted.   groups [F]: their groups.
    frames [K]:     the initial frame of a trial, as an index of `tasks`.
    scores [P, K]:  in [0, 1], NaN = not scored.   ended [P, K]: it ran, or failed for good.
    moments [P, F]: when the last trial of a policy on a frame ended, as a rank of all such times.
    """

    policies: Sequence[str]
    tasks: Sequence[str]
    groups: Sequence[str]
    frames: Indices
    scores: Numbers
    ended: Flags
    moments: Indices

    @staticmethod
    def of(records: Iterable[Attempted], policies: Sequence[str]) -> ScoreTable:
        """Of these policies' trials."""
        outcome = results(records)
        row = {policy: p for p, policy in enumerate(policies)}
        trials = [r for r in (*outcome.finished, *outcome.failed) if r.policy in row]
        keys = sorted({(r.task, r.repeat) for r in trials})
        place = {key: k for k, key in enumerate(keys)}
        tasks = list(dict.fromkeys(task for task, _ in keys))
        frame = {task: f for f, task in enumerate(tasks)}
        rank = {time: i for i, time in enumerate(sorted({r.time for r in trials}))}
        groups = [""] * len(tasks)
        scores = np.full((len(policies), len(keys)), np.nan)
        ended = np.zeros((len(policies), len(keys)), np.bool_)
        moments = np.full((len(policies), len(tasks)), -1, np.intp)
        for r in trials:
            p = row[r.policy]
            k = place[r.task, r.repeat]
            f = frame[r.task]
            ended[p, k] = True
            if r.score is not None:
                scores[p, k] = r.score
            if (moment := rank[r.time]) > moments[p, f]:
                moments[p, f] = moment
            groups[f] = r.group
        frames = np.array([frame[task] for task, _ in keys], np.intp)
        return ScoreTable(policies, tasks, groups, frames, scores, ended, moments)

    @cached_property
    def scored(self) -> Flags:
        """[P, K]: which trials have a score."""
        return ~np.isnan(self.scores)

    def row(self, policy: str) -> int:
        return self.policies.index(policy)

    def common_scores(self, a: str, b: str) -> tuple[Numbers, Numbers, Indices]:
        """Scores of both in the trials that both were scored in, and the initial frames of these,
        as indices of `tasks`."""
        A, B = self.row(a), self.row(b)
        both = self.scored[A] & self.scored[B]
        return self.scores[A, both], self.scores[B, both], self.frames[both]
