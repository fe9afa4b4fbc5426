"""The cells of policy x task in which the world model's rate and the true one are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from worldgym.stats.per_frame import Flags, Indices, Numbers, label_numbers
from worldgym.stats.series import training
from worldgym.stats.success_rates import Interval


@dataclass(frozen=True)
class SharedFrames:
    """What a cell's trials show of its noise where verdict and truth start from the same frames.

    world_variance, truth_variance, covariance: of the cell's two rates, as estimates of what they
    would vary by from one sample of initial frames to the next.
    frames, trials: frames with both, and the world's trials from them.
    difference: 95 % interval of world minus truth, in [-1, 1].
    """

    world_variance: float
    truth_variance: float
    covariance: float
    frames: int
    trials: int
    difference: Interval


@dataclass(frozen=True)
class CellPair:
    """One policy on one task: its rate in the world model and in truth, both in [0, 1].

    The numbers of trials where they are known; `shared` where single trials are.
    """

    policy: str
    task: str
    world: float
    truth: float
    world_trials: int | None = None
    truth_trials: int | None = None
    shared: SharedFrames | None = None

    def __post_init__(self) -> None:
        if not (0 <= self.world <= 1 and 0 <= self.truth <= 1):
            raise ValueError(f"rates lie in [0, 1], not {self.world} and {self.truth}")

    @property
    def counted(self) -> bool:
        """Whether the numbers of trials on both sides are known."""
        return bool(self.world_trials and self.truth_trials)


@dataclass(frozen=True)
class Cells:
    """The cells as columns: each [N].

    families: the unit of independence among policies; checkpoints of one training are one.
    """

    world: Numbers
    truth: Numbers
    policies: Indices
    tasks: Indices
    families: Indices

    @staticmethod
    def of(cells: Sequence[CellPair]) -> Cells:
        return Cells(
            np.array([cell.world for cell in cells], np.float64),
            np.array([cell.truth for cell in cells], np.float64),
            label_numbers([cell.policy for cell in cells]),
            label_numbers([cell.task for cell in cells]),
            label_numbers([training(cell.policy) for cell in cells]),
        )

    @property
    def axes(self) -> dict[str, Indices]:
        """What may be drawn again: tasks, and families of policies."""
        return {"tasks": self.tasks, "policies": self.families}

    @property
    def common(self) -> Flags:
        """Which cells are of a task that every policy has: [N]."""
        there = np.zeros((levels(self.tasks), levels(self.policies)), np.bool_)
        there[self.tasks, self.policies] = True
        everywhere: Flags = np.logical_and.reduce(there, axis=1)
        return everywhere[self.tasks]

    def policy_means(self, weights: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        """(world, truth, weight), each [B, P], for weights of the cells [B, N].

        A mean is that of the policy's cells, 0 without weight. A policy weighs 1 where each of its
        cells does, and twice that where all of them are drawn twice. Policies may have different
        tasks, so these means do not order them; see `compared_means`.
        """
        return self._means(weights, np.ones(len(self.policies), np.bool_))

    def compared_means(self, weights: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        """The same over the tasks that all policies have: a policy that was tried on easy tasks
        alone is not the better for it. No policy has a weight where there is no such task."""
        return self._means(weights, self.common)

    def _means(self, weights: Numbers, counted: Flags) -> tuple[Numbers, Numbers, Numbers]:
        member = np.eye(levels(self.policies))[self.policies] * counted[:, None]  # [N, P]
        total = weights @ member
        known = np.where(total > 0, total, 1.0)
        world, truth = ((weights * rates) @ member / known for rates in (self.world, self.truth))
        return world, truth, total / np.maximum(member.sum(axis=0), 1)


def levels(groups: Indices) -> int:
    """How many groups there are."""
    return int(groups.max(initial=-1)) + 1
