"""The order in which differences of two policies are looked at: frame by frame as they came, in
rounds over the planned tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from worldgym.stats.per_frame import Indices, Numbers
from worldgym.stats.planned_trials import Planned
from worldgym.stats.policy_trials import ScoreTable
from worldgym.stats.sequential import Looks, frame_order, in_rounds


@dataclass(frozen=True)
class FrameRounds:
    """What all pairs of a run's policies share.

    wanted [F]: planned trials of a frame, or an unreachable number where there is no plan.
    order [F]:  place of a frame among those that came at the same moment.
    group [F]:  as an index of `names`.   planned: initial frames of every group of the plan."""

    table: ScoreTable
    wanted: Indices
    order: Indices
    group: Indices
    names: list[str]
    planned: Mapping[str, int]

    @staticmethod
    def of(table: ScoreTable, planned: Planned) -> FrameRounds:
        repeats = planned.repeats
        never = np.iinfo(np.intp).max
        names = sorted(set(table.groups))
        number = {name: g for g, name in enumerate(names)}
        random = np.array([frame_order(task) for task in table.tasks], np.str_)
        order = np.empty(len(random), np.intp)
        order[np.argsort(random)] = np.arange(len(random))
        return FrameRounds(
            table,
            np.array([repeats.get(task, never) for task in table.tasks], np.intp),
            order,
            np.array([number[group] for group in table.groups], np.intp),
            names,
            {group: planned.frames(group) for group in planned.groups},
        )

    def looks(self, a: str, b: str) -> Looks:
        """Differences of a and b by frames that are finished with both."""
        table = self.table
        A, B = table.row(a), table.row(b)
        ended = np.bincount(
            table.frames[table.ended[A] & table.ended[B]], minlength=len(self.order)
        )
        ready = np.flatnonzero((ended > 0) & (ended >= self.wanted))
        moment = np.maximum(table.moments[A], table.moments[B])
        ready = ready[np.lexsort((self.order[ready], moment[ready], self.group[ready]))]
        means = self._mean_differences(A, B)[ready]
        ends = np.searchsorted(self.group[ready], np.arange(len(self.names) + 1))
        arrived = {name: means[ends[g] : ends[g + 1]] for g, name in enumerate(self.names)}
        return in_rounds(arrived, self.planned)

    def _mean_differences(self, A: int, B: int) -> Numbers:
        """Mean over the common trials of each frame [F]; NaN without one."""
        table = self.table
        both = table.scored[A] & table.scored[B]
        frames = table.frames[both]
        differences = table.scores[A, both] - table.scores[B, both]
        counts = np.bincount(frames, minlength=len(self.order))
        starts = np.cumsum(counts) - counts
        means = np.full(len(counts), np.nan)
        for count in np.unique(counts[counts > 0]).tolist():
            own = np.flatnonzero(counts == count)
            means[own] = differences[starts[own, None] + np.arange(count)].mean(axis=1)
        return means
