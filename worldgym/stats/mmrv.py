"""Mean maximum rank violation: how much real performance is at stake where the world model orders policies wrongly."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from worldgym.stats.frames import Numbers

Violations = Callable[[Numbers, Numbers], npt.NDArray[np.bool_]]  # S, R [N] => [i, j]

VARIANTS: Mapping[str, Violations] = {
    # X. Li et al. (2024), "Evaluating Real-World Robot Manipulation Policies in Simulation", arXiv 2405.05941
    "simpler": lambda S, R: (S[:, None] < S) != (R[:, None] < R),
    # the same authors' released code compares with ">"; it differs from their formula only where there are ties
    "simpler-code": lambda S, R: (S[:, None] > S) != (R[:, None] > R),
    # a tie in the world model is charged to neither policy: only a reversed order counts
    "reversals": lambda S, R: (S[:, None] - S) * (R[:, None] - R) < 0,
}


def mmrv(world: Numbers, truth: Numbers, variant: str = "simpler") -> float:
    """(1/N) sum_i max_j |R_i - R_j| [(S_i < S_j) != (R_i < R_j)], S = world [N], R = truth [N]; 0 is best. 0 for N = 1.

    ValueError without policies, or for an unknown variant.
    """
    if len(world) == 0 or variant not in VARIANTS:
        raise ValueError(f"needs a policy or more, and one of {', '.join(VARIANTS)}; got {len(world)} and {variant}")
    violated = VARIANTS[variant](world, truth)
    return float(np.mean(np.max(abs(truth[:, None] - truth) * violated, axis=1)))
