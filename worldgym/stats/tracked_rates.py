"""The numbers of a summary that a tracker draws, by step."""

from __future__ import annotations

from worldgym.stats.series import training, training_step
from worldgym.stats.success_counts import SuccessCounts
from worldgym.stats.summary import Summary

Points = dict[int, dict[str, float]]


def tracked_rates(summary: Summary) -> Points:
    """By rising step. Checkpoints of one training ("grasp@2000") are one line, at their training
    steps; any other policy, and the counts of the run, are at step 0.

    success_rate/POLICY, and with /low and /high the ends of its interval; success_rate/POLICY/TASK;
    trials/finished, failed, missing. What has no rate is left out."""
    there = summary.completeness
    points: Points = {
        0: {
            "trials/finished": there.finished,
            "trials/failed": there.failed,
            "trials/missing": there.missing + there.edited_missing,
        }
    }
    for policy in summary.policies:
        step, name = _place(policy.policy)
        values = points.setdefault(step, {})
        values |= _rate(name, policy)
        if policy.rate is not None:
            values |= {f"{name}/low": policy.low, f"{name}/high": policy.high}
    for cell in summary.cells:
        step, name = _place(cell.policy)
        points[step] |= _rate(f"{name}/{cell.task}", cell)
    return dict(sorted(points.items()))


def _place(policy: str) -> tuple[int, str]:
    named = training_step(policy)
    return (0 if named is None else named[1]), f"success_rate/{training(policy)}"


def _rate(name: str, counts: SuccessCounts) -> dict[str, float]:
    return {} if counts.rate is None else {name: counts.rate}
