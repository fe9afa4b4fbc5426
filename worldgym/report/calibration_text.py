"""What `worldgym world calibrate` and `worldgym world validate-calibration` print."""

from __future__ import annotations

from worldgym.report.formats import number_of, percent, signed, span
from worldgym.stats.evaluator_calibration import EvaluatorCalibration
from worldgym.stats.left_out_policies import LeftOutCheck, LeftOutGaps

SOURCES = {
    "run": "other policies' trials of this run, whose truth is known",
    "recordings": "recorded rollouts of other policies",
}


def evaluator_text(found: EvaluatorCalibration) -> str:
    """One line per task: how often both together err with a policy that nobody recorded."""
    counts = found.counts
    lines = [
        f"{number_of(counts.successes + counts.failures, 'recorded rollout')} replayed, "
        f"{counts.successes} of them successes; of a new policy"
    ]
    for task in sorted({cell.task for cell in found.cells}):
        rates = [(x.mean(), x[0], x[-1]) for x in found.error_rates(task)]
        told = [f"{percent(float(m))} ({span(float(a), float(b))})" for m, a, b in rates]
        lines.append(
            f"  {task}: {told[0]} of the successes are found, {told[1]} of the failures are "
            f"called successes"
        )
    return "\n".join(lines)


def left_out_text(found: LeftOutCheck) -> str:
    """Each policy, then the gaps without and with the correction."""
    lines = [f"corrected by {SOURCES[found.source]}"]
    for rate in found.policies:
        lines.append(
            f"  {rate.policy}: {percent(rate.raw)} judged, {percent(rate.corrected)} corrected "
            f"({span(rate.low, rate.high)}), {percent(rate.truth)} true"
        )
    lines += [f"  {name}: is not corrected by the others" for name in found.uncorrected]
    lines.append(_gaps("policy means", found.over_policies))
    lines.append(_gaps("cells of policy and task", found.over_cells))
    lines.append(
        "the correction helps policies that are not in it"
        if found.helps
        else "the correction does not help policies that are not in it: use raw rates"
    )
    return "\n".join(lines)


def _gaps(what: str, gaps: LeftOutGaps) -> str:
    return (
        f"{gaps.count} {what}: gap {gaps.raw_gap:.1f} points raw, {gaps.corrected_gap:.1f} "
        f"corrected; bias {signed(gaps.raw_bias)} and {signed(gaps.corrected_bias)}; "
        f"{percent(gaps.held)} of the 95 % intervals hold the truth"
    )
