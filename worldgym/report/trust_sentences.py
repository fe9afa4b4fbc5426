"""Sentences about how far the numbers can be trusted: truth, checks of the world, the judge."""

from __future__ import annotations

from worldgym.io.run_records import FAMILIARITY_KEY, SOLVED, STRANGE
from worldgym.report.formats import (
    CONFIDENCE,
    NBSP,
    decimal,
    listed,
    number_of,
    percent,
    signed,
    span,
)
from worldgym.stats.ceiling import NoiseCeiling
from worldgym.stats.flag_counts import FlagCount
from worldgym.stats.gaps import Bias
from worldgym.stats.summary import CalibrationSummary, Summary
from worldgym.types import MOTIONLESS

NOISE = {  # what is known of the initial frames that the noise of both sides comes from
    "measured": "",
    "independent": ", if the two sides' trials start from different frames",
    "shared": ", if they start from the same frames and these decide the outcome",
}


def agreement_sentence(summary: Summary) -> str:
    """How well the world model's rates agree with the truth, as far as that is known."""
    measures = summary.agreement
    if measures.bias is None:
        return (
            "The true success rates are unknown here, so it is unknown how far these rates are "
            "from them."
        )
    cells = f"Against the known truth in {number_of(measures.n, 'cell')} (policy and task)"
    gap = f"policy means are off by {measures.mean_abs_gap:.1f} points on average"
    gap += f", and the world model's rates are {biased(measures.bias)}"
    if measures.pearson is None:
        return f"{cells}, {gap}; a correlation is not defined yet."
    centred = measures.policy_centred_pearson
    within = f" ({decimal(centred)} within policies)" if centred is not None else ""
    ceiling = measures.noise_ceiling
    most = "" if ceiling is None else f", where a perfect evaluator would reach {reached(ceiling)}"
    return f"{cells}, Pearson r is {decimal(measures.pearson)}{within}{most}; {gap}."


def reached(ceiling: NoiseCeiling) -> str:
    """r of a perfect evaluator: "0.89 to 1.00", or one number where the two ends are one."""
    least = decimal(ceiling.least.mean)
    most = decimal(ceiling.most.mean)
    return least if least == most else f"{least} to {most}"


def biased(bias: Bias) -> str:
    """World minus truth: "4.3 points too high over all cells (95 % confidence interval +2.9 to
    +5.7)"; the interval is that of the trials' noise alone."""
    interval = ""
    if bias.trials is not None:
        low, high = bias.trials
        interval = f" ({CONFIDENCE} {signed(low)} to {signed(high)})"
    side = "too high" if bias.value > 0 else "too low"
    size = f"{abs(bias.value):.1f}"
    if size == "0.0":
        return f"neither too high nor too low over all cells{interval}"
    return f"{size} points {side} over all cells{interval}"


def verdict_sentence(summary: Summary) -> str:
    """How often single verdicts equal the truth; empty where it is unknown."""
    measures = summary.agreement
    if measures.trial_low is None or measures.trial_high is None:
        return ""
    interval = f"{CONFIDENCE} {span(measures.trial_low, measures.trial_high)}"
    frames = number_of(measures.trial_initial_frames, "initial frame")
    share = percent(measures.trial_agreement)
    trials = number_of(measures.trial_n, "trial")
    return f"The judge's verdict equals the truth in {share} of {trials} on {frames} ({interval})."


def trust_sentence(summary: Summary) -> str:
    """What the trust report of the world says of the tasks, red first; empty where there is
    none."""
    if summary.trust is None:
        return ""
    tasks = summary.trust.tasks
    parts = []
    for colour in ("red", "amber", "unchecked", "green"):
        if own := [name for name, task in tasks.items() if task.colour == colour]:
            why = " – ".join(dict.fromkeys(tasks[name].reason for name in own if colour == "red"))
            parts.append(f"{colour}: {listed(own)}" + (f" ({why})" if why else ""))
    said = f"Check of the world model: {'; '.join(parts)}."
    if not summary.trust.left_out:
        return said
    return f"{said} Red tasks are left out of every number but their own."


def strange_sentence(summary: Summary) -> str:
    """Which trials start from frames that the world does not know, or that nobody measured that;
    empty where all are known."""
    found = _flag(summary, STRANGE)
    if found is not None:
        return (
            f"{_of_all(found)} start from an initial frame that is unlike the world model's "
            f"training data ({_frames(found)}): its video from there, and so the verdict, says "
            f"nothing about the robot."
        )
    if summary.config.get(FAMILIARITY_KEY, "") is None:
        return (
            "It is unknown whether these initial frames are like the world model's training data: "
            "the world has no familiarity.json. `worldgym world measure-familiarity` makes it from "
            "held-out recordings."
        )
    return ""


def solved_sentence(summary: Summary) -> str:
    """Which trials the judge takes for solved before anything happens; empty where there are
    none."""
    found = _flag(summary, SOLVED)
    if found is None:
        return ""
    return (
        f"{_of_all(found)} are already solved at the start ({_frames(found)}): the judge calls the "
        f"initial frame alone a success, so a policy that does nothing succeeds there."
    )


def motionless_sentence(summary: Summary) -> str:
    """Where trials succeed in which the arm was told to stay where it is; empty where none does."""
    found = _flag(summary, MOTIONLESS)
    if found is None or not found.succeeded:
        return ""
    succeeded = sum(found.succeeded.values())
    where = ", ".join(f"{group} {number}" for group, number in found.succeeded.items())
    return (
        f"{succeeded} of {number_of(found.trials, 'trial')} without any motion of the arm succeed "
        f"({where}): the task may already be solved in these initial frames, or the world model or "
        f"the judge may be wrong there. A success rate of this size proves no skill."
    )


def correction_sentence(summary: Summary) -> str:
    """How good the judge was shown to be, and on how much; empty without a calibration."""
    known = summary.calibration
    if known is None:
        return ""
    tpr = known.tpr
    fpr = known.fpr
    where = f"On {number_of(known.videos, 'labelled video')} the judge"
    allow = "Corrected rates allow for these errors."
    if known.replayed:
        rollouts = number_of(known.videos, "recorded rollout")
        where = f"On {rollouts} replayed through the world model the judge"
        allow = "Corrected rates allow for these errors of both together, task by task."
    if known.unrecorded:
        allow += (
            f" Of {listed(known.unrecorded)} there is no recorded rollout, so the errors there are "
            f"taken from other tasks."
        )
    return (
        f"{where} found {percent(tpr.rate)} of the successes (95{NBSP}% "
        f"{span(tpr.low, tpr.high)}) and took {percent(fpr.rate)} of the failures for a success "
        f"({span(fpr.low, fpr.high)}). {_not_corrected(summary, known) or allow}"
    )


def _not_corrected(summary: Summary, known: CalibrationSummary) -> str:
    """Why no rate is corrected, or those over all tasks of some policies are not; else empty."""
    scored = [row for row in (*summary.policies, *summary.cells) if row.trials and row.corrected]
    without = [row for row in scored if row.corrected and row.corrected.rate is None]
    if not without:
        return ""
    why = "they do not tell success from failure"
    if known.tpr.rate is None or known.fpr.rate is None:
        side = "success" if known.tpr.rate is None else "failure"
        why = f"no scored {side} is among them"
    if len(without) == len(scored):
        return f"No rate is corrected, because {why}."
    names = list(dict.fromkeys(row.policy for row in without))
    return f"Some rates of {listed(names)} are not corrected, because there {why}."


def _flag(summary: Summary, flag: str) -> FlagCount | None:
    return next((found for found in summary.flags if found.flag == flag), None)


def _of_all(found: FlagCount) -> str:
    return f"{found.trials} of {number_of(found.of, 'trial')}"


def _frames(found: FlagCount) -> str:
    """ "door-open: 3 frames, drawer-open: drawer-open/7" for those of a flag, by task."""
    return ", ".join(
        f"{group}: {number_of(len(names), 'frame')}" if len(names) > 1 else names[0]
        for group, names in found.tasks.items()
    )
