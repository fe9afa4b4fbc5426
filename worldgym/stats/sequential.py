"""Comparing two policies while the trials come in, and stopping as soon as it is clear."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from worldgym.stats.betting import anytime_interval, wealth
from worldgym.stats.comparison import holm
from worldgym.stats.per_frame import Indices, Numbers

LEVEL = 0.05  # probability that any of the pairs is decided wrongly
SLACK = 1e-9  # 1 / (1 / wealth) is the wealth to the last bits only


@dataclass(frozen=True)
class Looks:
    """Differences of two policies' scores frame by frame, in an order that does not depend on them.

    differences [T]: in [-1, 1], one per initial frame.
    ends [R]:        numbers of differences after which the evidence is looked at: those at which
                     every task has had its share."""

    differences: Numbers
    ends: Indices


@dataclass(frozen=True)
class SequentialResult:
    """What the frames so far say of one pair of policies, however often they were looked at.

    evidence:  wealth of a bet against "no difference", from 1; of a single pair the difference is
    shown from 20 on.
    p:         1 / the largest evidence so far, at most 1.   p_holm: corrected for the number of
    pairs (Holm).
    decided:   initial frames after which the difference was shown, as corrected for all pairs; None
               if not yet.
    sign:      1 or -1: sign of the difference that was shown; 0 if not yet.
    low, high: 95 % interval of the difference in [-1, 1] of this pair alone, which may be looked at
    after every frame.
    n:         initial frames used.
    """

    evidence: float
    p: float
    p_holm: float
    decided: int | None
    sign: int
    low: float
    high: float
    n: int


def sequential_tests(pairs: Sequence[Looks], alpha: float = LEVEL) -> list[SequentialResult]:
    """All pairs together err with probability alpha at most, a wrong sign included. Without a
    frame: evidence 1, (-1, 1).

    The wealth is a supermartingale from look to look if frames are drawn independently within tasks
    and the mean difference over tasks, each weighted by its planned frames, is 0: with bets b and
    means m of the tasks the product of (1 + b m) is at most 1. Tasks whose differences cancel are
    therefore no evidence, and neither is the order in which tasks come."""
    values = [wealth(looks.differences, looks.ends) for looks in pairs]
    p_values = [float(min(1.0, 1 / found.max(initial=1.0))) for found in values]
    known = [i for i, found in enumerate(values) if len(found)]
    corrected = dict(zip(known, holm([p_values[i] for i in known]), strict=True))
    order = sorted(known, key=lambda i: p_values[i])
    needed = {
        i: (len(known) - place) / alpha for place, i in enumerate(order)
    }  # wealth at which Holm's step decides
    results = []
    for i, (looks, found) in enumerate(zip(pairs, values, strict=True)):
        decided = None
        if corrected.get(i, 1.0) <= alpha:
            decided = int(looks.ends[np.flatnonzero(found >= needed[i] * (1 - SLACK))[0]])
        low, high = anytime_interval(looks.differences, 1 - alpha)
        results.append(
            SequentialResult(
                evidence=float(found[-1]) if len(found) else 1.0,
                p=p_values[i],
                p_holm=corrected.get(i, 1.0),
                decided=decided,
                sign=0 if decided is None else int(np.sign(looks.differences[:decided].sum())),
                low=low,
                high=high,
                n=len(looks.differences),
            )
        )
    return results


def in_rounds(
    arrived: Mapping[str, Sequence[float | None] | Numbers], planned: Mapping[str, int]
) -> Looks:
    """Differences of every task in the order in which its frames came (None or NaN: finished
    without a common score) => rounds.

    planned: initial frames per task in all. After round j of R = max(planned) every task g has
    given j / R of its frames, to half a frame. Only whole rounds count, so the others wait for a
    task that has not begun, and what is used never changes as more frames come.
    """
    R = max(planned.values(), default=0)
    groups = sorted(planned)
    here = [np.asarray(arrived.get(group, ()), np.float64) for group in groups]
    frames = np.array([planned[group] for group in groups], np.intp)
    wanted = (2 * np.arange(R + 1)[:, None] * frames + R) // max(2 * R, 1)  # [R + 1, G] after round
    there = np.array([len(own) for own in here], np.intp)
    rounds = int(np.argmin(np.append((wanted <= there).all(axis=1), False)[1:])) if R else 0
    differences, turn = [np.empty(0)], [np.empty(0, np.intp)]
    for g, own in enumerate(here):
        used = own[: wanted[rounds, g]]
        known = ~np.isnan(used)
        differences.append(used[known])
        turn.append(np.searchsorted(wanted[: rounds + 1, g], np.flatnonzero(known), "right"))
    turns = np.concatenate(turn)
    ends = np.cumsum(np.bincount(turns, minlength=rounds + 1))[1:]
    grown = np.diff(ends, prepend=0) > 0
    order = np.argsort(turns, kind="stable")
    return Looks(np.concatenate(differences)[order], ends[grown].astype(np.intp))


def frame_order(task: str) -> str:
    """A random number of an initial frame that its name alone decides; orders frames that came at
    the same moment."""
    return hashlib.sha256(f"order of {task}".encode()).hexdigest()
