"""How much real performance is lost when the world model orders policies wrongly."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from worldgym.stats.per_frame import Numbers

SAME = 1e-9  # rates that differ by less are equal: the order of a sum must not make a best policy
BLOCK = 2_000_000  # pairs of policies at a time

Violations = Callable[[Numbers, Numbers], npt.NDArray[np.bool_]]  # signs of S_j - S_i and R_j - R_i

VARIANTS: Mapping[str, Violations] = {
    # X. Li et al. (2024), "Evaluating Real-World Robot Manipulation Policies in Simulation",
    # arXiv 2405.05941
    "simpler": lambda S, R: (S > 0) != (R > 0),
    # the same authors' released code compares with ">"; it differs only where there are ties
    "simpler-code": lambda S, R: (S < 0) != (R < 0),
    # a tie in the world model is charged to neither policy: only a reversed order counts
    "reversals": lambda S, R: S * R < 0,
}


def mmrv(world: Numbers, truth: Numbers, variant: str = "simpler") -> float:
    """(1/N) sum_i max_j |R_i - R_j| [(S_i < S_j) != (R_i < R_j)], S = world [N], R = truth [N].

    0 is best. 0 for N = 1. ValueError without policies, or for an unknown variant.
    """
    if len(world) == 0 or variant not in VARIANTS:
        known = ", ".join(VARIANTS)
        raise ValueError(
            f"needs at least one policy, and one of {known}; got {len(world)}, {variant}"
        )
    return float(weighted_mmrv(*_single(world, truth), variant)[0])


def weighted_mmrv(
    world: Numbers, truth: Numbers, weights: Numbers, variant: str = "simpler"
) -> Numbers:
    """MMRV [B] of policies that count so often: all [B, P]. NaN where none counts."""
    B, P = world.shape
    size = max(1, BLOCK // max(1, P * P))
    parts = [slice(start, start + size) for start in range(0, B, size)]
    worst = [_worst(world[part], truth[part], weights[part], variant) for part in parts]
    return _mean(np.concatenate(worst) if worst else np.zeros((0, P)), weights)


def top1_regret(world: Numbers, truth: Numbers) -> float:
    """True rate of the truly best policy minus that of the policy which the world model calls best.

    world, truth [N], N >= 1. Where several share the world's first place: the mean over them, as
    if one were picked blindly. In [0, 1]; noise of the true rates makes it too large.
    """
    if len(world) == 0:
        raise ValueError("needs at least one policy")
    return float(weighted_regret(*_single(world, truth))[0])


def weighted_regret(world: Numbers, truth: Numbers, weights: Numbers) -> Numbers:
    """Top-1 regret [B] among the policies of positive weight: all [B, P]. NaN where there is
    none."""
    there = weights > 0
    S, R = (np.where(there, rates, -1.0) for rates in (world, truth))
    best = S.max(axis=-1, keepdims=True, initial=-1.0)
    first = there & (best - S <= SAME)
    picked = _mean(truth, np.where(first, weights, 0.0))
    regret = R.max(axis=-1, initial=-1.0) - picked
    return np.asarray(np.where(regret <= SAME, 0.0, regret))  # what is left of equal rates


def _single(world: Numbers, truth: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    return world[None], truth[None], np.ones((1, len(world)))


def _worst(world: Numbers, truth: Numbers, weights: Numbers, variant: str) -> Numbers:
    """Largest gap over violated pairs, for each policy: [B, P]."""
    gaps = truth[:, None, :] - truth[:, :, None]  # [B, i, j]
    violated = VARIANTS[variant](_signs(world[:, None, :] - world[:, :, None]), _signs(gaps))
    counted = violated & (weights > 0)[:, None, :]
    return np.asarray(np.max(abs(gaps) * counted, axis=-1, initial=0.0))


def _signs(differences: Numbers) -> Numbers:
    return np.where(abs(differences) > SAME, np.sign(differences), 0.0)


def _mean(values: Numbers, weights: Numbers) -> Numbers:
    total = weights.sum(axis=-1)
    return np.asarray((values * weights).sum(axis=-1) / np.where(total > 0, total, np.nan))
