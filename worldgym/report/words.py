"""A summary in words, the same on the page and in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worldgym.io.run_records import FAMILIARITY_KEY, SOLVED, STRANGE
from worldgym.types import MOTIONLESS

NBSP = "\N{NO-BREAK SPACE}"
REASONS = 3  # named for trials that have no score
NOISE = {  # what is known of the initial frames that the noise of both sides comes from
    "measured": "",
    "independent": ", if the two sides' trials start from different frames",
    "shared": ", if they start from the same frames and these decide the outcome",
}


def percent(rate: float | None) -> str:
    """0.625 => "62.5 %", 0.6 => "60 %", None => a dash."""
    return "–" if rate is None else f"{round(100 * rate, 1):g}{NBSP}%"


def span(low: float, high: float) -> str:
    """An interval in whole percent: "39–78 %"."""
    return f"{100 * low:.0f}–{100 * high:.0f}{NBSP}%"


def decimal(value: float | None) -> str:
    """A correlation with two digits, a dash where it is not defined."""
    return "–" if value is None else f"{value:.2f}".replace("-", "−")


def probability(p: float) -> str:
    """A p-value: "= 0.004", and "< 0.001" below that."""
    return f"= {p:.2g}" if p >= 0.001 else "< 0.001"


def points(rate: float | None) -> str:
    """A difference in points: "+12", "−3", "+0.4" (where whole points would hide the sign), a dash
    where there is none."""
    if rate is None:
        return "–"
    text = f"{100 * rate:+.0f}" if abs(rate) >= 0.005 else f"{100 * rate:+.1f}"
    return "0" if text[1:] == "0.0" else text.replace("-", "−")


def agreement_sentence(summary: Mapping[str, Any]) -> str:
    """How far the world model can be believed here, as far as the truth is known."""
    measures = summary["agreement"]
    if measures["n"] == 0:
        return "The truth is unknown here, so these rates say nothing yet about their own bias."
    cells = f"Against the known truth in {number_of(measures['n'], 'cell')}"
    gap = f"policy means are off by {measures['mean_abs_gap']:.1f} points on average"
    gap += f", and the world model's rates are {biased(measures['bias'])}"
    if measures["pearson"] is None:
        return f"{cells}, {gap}; a correlation is not defined yet."
    centred = measures["policy_centred_pearson"]
    within = f" ({decimal(centred)} within policies)" if centred is not None else ""
    ceiling = measures["noise_ceiling"]
    most = "" if ceiling is None else f", where a perfect evaluator would reach {reached(ceiling)}"
    return f"{cells}, Pearson r is {decimal(measures['pearson'])}{within}{most}; {gap}."


def reached(ceiling: Mapping[str, Any]) -> str:
    """r of a perfect evaluator: "0.89 to 1.00", or one number where the two ends are one."""
    least, most = (decimal(ceiling[end]["mean"]) for end in ("least", "most"))
    return least if least == most else f"{least} to {most}"


def biased(bias: Mapping[str, Any]) -> str:
    """World less truth: "4.3 points too high over all cells (95 % +2.9 to +5.7)"; the interval is
    that of the trials' noise alone."""
    span = bias["trials"]
    interval = "" if span is None else f" (95{NBSP}% {signed(span[0])} to {signed(span[1])})"
    side = "too high" if bias["value"] > 0 else "too low"
    size = f"{abs(bias['value']):.1f}"
    if size == "0.0":
        return f"neither too high nor too low over all cells{interval}"
    return f"{size} points {side} over all cells{interval}"


def signed(number: float) -> str:
    """Percentage points with their sign and one digit: "+2.9", "−0.4"."""
    return f"{round(number, 1) + 0.0:+.1f}".replace("-", "−")


def verdict_sentence(summary: Mapping[str, Any]) -> str:
    """How often single verdicts equal the truth; empty where it is unknown."""
    measures = summary["agreement"]
    if not measures["trial_n"]:
        return ""
    interval = f"95{NBSP}% interval {span(measures['trial_low'], measures['trial_high'])}"
    frames = number_of(measures["trial_frames"], "initial frame")
    share, trials = percent(measures["trial_agreement"]), number_of(measures["trial_n"], "trial")
    return f"The verdict equals the truth in {share} of {trials} ({interval}, over {frames})."


def trust_sentence(summary: Mapping[str, Any]) -> str:
    """What the check of the world says of the tasks, red first; empty where it was not checked."""
    if "trust" not in summary:
        return ""
    tasks, out = summary["trust"]["tasks"], summary["trust"]["left_out"]
    parts = []
    for colour in ("red", "amber", "unchecked", "green"):
        if named := [name for name, task in tasks.items() if task["colour"] == colour]:
            why = " – ".join(
                dict.fromkeys(tasks[name]["reason"] for name in named if colour == "red")
            )
            parts.append(f"{colour}: {listed(named)}" + (f" ({why})" if why else ""))
    said = f"May the world model be believed? {'; '.join(parts)}."
    return f"{said} Red tasks are left out of every number but their own." if out else said


def strange_sentence(summary: Mapping[str, Any]) -> str:
    """Which trials start from frames that the world does not know, or that nobody measured that;
    empty where all are known."""
    found = _flag(summary, STRANGE)
    if found is not None:
        return (
            f"{_of_all(found)} start from an initial frame that the world does not know "
            f"({_frames(found)}): what it draws from "
            "there, and so their verdicts, say nothing of the robot."
        )
    if summary["config"].get(FAMILIARITY_KEY, "") is None:
        return (
            "Whether the world knows these initial frames is unknown: it has no familiarity.json, "
            "which "
            "`worldgym world measure-familiarity` measures on held-out recordings."
        )
    return ""


def solved_sentence(summary: Mapping[str, Any]) -> str:
    """Which trials the judge takes for solved before anything happens; empty where there are
    none."""
    found = _flag(summary, SOLVED)
    if found is None:
        return ""
    return (
        f"{_of_all(found)} are already solved at the start ({_frames(found)}), by the judge's "
        f"verdict on the initial frame "
        "alone: a policy that does nothing succeeds there."
    )


def motionless_sentence(summary: Mapping[str, Any]) -> str:
    """Where trials succeed in which the arm was told to stay where it is; empty where none does."""
    found = _flag(summary, MOTIONLESS)
    if found is None or not found["succeeded"]:
        return ""
    succeeded = sum(found["succeeded"].values())
    where = ", ".join(f"{group} {number}" for group, number in found["succeeded"].items())
    return (
        f"{succeeded} of {number_of(found['trials'], 'trial')} without any motion of the arm "
        f"succeed "
        f"({where}): these initial frames "
        "may show the task solved, or the world or the judge be wrong there; other policies' rates "
        "say little below that."
    )


def _flag(summary: Mapping[str, Any], flag: str) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None = next((f for f in summary["flags"] if f["flag"] == flag), None)
    return found


def _of_all(found: Mapping[str, Any]) -> str:
    return f"{found['trials']} of {number_of(found['of'], 'trial')}"


def _frames(found: Mapping[str, Any]) -> str:
    """ "door-open: 3 frames, drawer-open: drawer-open/7" for those of a flag, by task."""
    return ", ".join(
        f"{group}: {number_of(len(names), 'frame')}" if len(names) > 1 else names[0]
        for group, names in found["tasks"].items()
    )


def reasons_sentence(summary: Mapping[str, Any]) -> str:
    """Why trials failed or were left unscored, the most frequent reasons first; empty where all
    were scored."""
    return named_reasons(summary["reasons"], "trial")


def named_reasons(reasons: Mapping[str, Any], noun: str) -> str:
    """reasons: as in summary.json, of trials or of other things that the noun names."""
    parts = []
    for what, rows in reasons.items():
        if rows:
            named = "; ".join(
                f"{row['reason']} ({number_of(row['trials'], noun)})" for row in rows[:REASONS]
            )
            parts.append(f"{what}: {named}" + ("; and others" if len(rows) > REASONS else ""))
    return f"Why: {'. '.join(parts)}." if parts else ""


def correction_sentence(summary: Mapping[str, Any]) -> str:
    """How good the judge was shown to be, and on how much; empty without a calibration."""
    if "calibration" not in summary:
        return ""
    known, (tpr, fpr) = (
        summary["calibration"],
        (summary["calibration"][name] for name in ("tpr", "fpr")),
    )
    return (
        f"On {number_of(known['videos'], 'labelled video')} the judge found {percent(tpr['rate'])} "
        f"of "
        f"the successes "
        f"({span(tpr['low'], tpr['high'])}) and took {percent(fpr['rate'])} of the failures for "
        f"one "
        f"({span(fpr['low'], fpr['high'])}); rates called corrected are free of these errors as "
        f"far as that is known."
    )


def cost_sentence(summary: Mapping[str, Any]) -> str:
    """What the verdicts cost; empty for a judge that does not vote."""
    spent = summary["expenses"]
    if not spent["votes"]:
        return ""
    paid = f"of which this run paid {spent['paid_usd']:.2f}"
    return (
        f"{number_of(spent['votes'], 'vote')} of the judge cost {spent['cost_usd']:.2f}{NBSP}USD, "
        f"{paid}."
    )


def time_sentence(summary: Mapping[str, Any]) -> str:
    """How long the rollouts took and what for; empty where the log does not say."""
    spent = summary["expenses"]
    if not spent["seconds"]:
        return ""
    parts = ", ".join(f"{part} {duration(seconds)}" for part, seconds in spent["timing"].items())
    return (
        f"{number_of(spent['attempts'], 'rollout')} took "
        f"{duration(spent['seconds'])}{f' ({parts})' if parts else ''}."
    )


def duration(seconds: float) -> str:
    """0.25 => "0.25 s", 90 => "1.5 min", 9000 => "2.5 h"."""
    for size, unit in ((3600.0, "h"), (60.0, "min")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.3g}{NBSP}{unit}"
    return f"{seconds:.2g}{NBSP}s" if seconds < 10 else f"{seconds:.0f}{NBSP}s"


def number_of(number: int, noun: str) -> str:
    """1 trial, 2 trials."""
    return f"{number}{NBSP}{noun}" + ("" if number == 1 else "s")


def listed(parts: list[str]) -> str:
    """ "a, b and c"."""
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
