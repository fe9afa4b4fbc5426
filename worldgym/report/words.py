"""A summary in words, the same on the page and in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NBSP = "\N{NO-BREAK SPACE}"
REASONS = 3  # named for trials that have no score
NOISE = {  # what is known of the initial frames that the noise of both sides comes from
    "measured": "",
    "independent": ", if the two sides' trials start from different frames",
    "shared": ", if they start from the same frames and these decide the outcome",
}
NAMED = 6  # policies named in the headline, best first


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
    """A difference in points: "+12", "−3", "+0.4" (where whole points would hide the sign), a dash where there is none."""
    if rate is None:
        return "–"
    text = f"{100 * rate:+.0f}" if abs(rate) >= 0.005 else f"{100 * rate:+.1f}"
    return "0" if text[1:] == "0.0" else text.replace("-", "−")


def headline(summary: Mapping[str, Any]) -> str:
    """The best policy against the next; with one policy, or nothing to compare, how often it succeeds."""
    return comparison_sentence(summary) or rates_sentence(summary)


def rates_sentence(summary: Mapping[str, Any]) -> str:
    """Which policy succeeds how often, best first, with 95 % intervals."""
    scored = sorted((p for p in summary["policies"] if p["trials"]), key=lambda p: -p["rate"])
    if not scored:
        return "No trial has been scored yet."
    best, *others = scored
    interval = f"95{NBSP}% interval {span(best['low'], best['high'])}"
    parts = [f"{best['policy']} succeeds in {percent(best['rate'])} of its trials ({interval})"]
    parts += [f"{p['policy']} in {percent(p['rate'])} ({span(p['low'], p['high'])})" for p in others[: NAMED - 1]]
    if len(scored) > NAMED:
        parts.append(f"{len(scored) - NAMED} more below")
    return f"In the world model, {_listed(parts)}."


def comparison_sentence(summary: Mapping[str, Any]) -> str:
    """The best policy against the next; empty unless two policies share a scored trial."""
    order = [p["policy"] for p in sorted((p for p in summary["policies"] if p["trials"]), key=lambda p: -p["rate"])]
    best = next((c for c in summary["comparisons"] if c["n"] and {c["a"], c["b"]} == set(order[:2])), None)
    return "" if best is None else f"{compared(best, len(summary['comparisons']))}."


def compared(c: Mapping[str, Any], pairs: int) -> str:
    """One comparison: "A beats B: +18 points [+6, +30], p = 0.004, 120 paired trials".

    pairs: how many comparisons were made together; "beats" is decided after Holm's correction for them.
    """
    if c["n"] == 0:
        return f"{c['a']} and {c['b']} share no scored trial"
    interval = f"[{points(c['low'])}, {points(c['high'])}]"
    corrected = f" ({probability(c['p_holm']).removeprefix('= ')} corrected for {pairs} comparisons)" if pairs > 1 else ""
    verb = "beats" if c["p_holm"] <= 0.05 else "is not shown to differ from"
    difference = f"{100 * c['value']:+.1f} points {interval}"
    return f"{c['a']} {verb} {c['b']}: {difference}, p {probability(c['p'])}{corrected}, {c['n']} paired trials"


def agreement_sentence(summary: Mapping[str, Any]) -> str:
    """How far the world model can be believed here, as far as the truth is known."""
    measures = summary["agreement"]
    if measures["n"] == 0:
        return "The truth is unknown here, so these rates say nothing yet about their own bias."
    cells = f"Against the known truth in {count(measures['n'], 'cell')}"
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
    frames = count(measures["trial_frames"], "initial frame")
    share, trials = percent(measures["trial_agreement"]), count(measures["trial_n"], "trial")
    return f"The verdict equals the truth in {share} of {trials} ({interval}, over {frames})."


def trust_sentence(summary: Mapping[str, Any]) -> str:
    """What the check of the world says of the tasks, red first; empty where it was not checked."""
    if "trust" not in summary:
        return ""
    tasks, out = summary["trust"]["tasks"], summary["trust"]["left_out"]
    parts = []
    for colour in ("red", "amber", "unchecked", "green"):
        if named := [name for name, task in tasks.items() if task["colour"] == colour]:
            why = " – ".join(dict.fromkeys(tasks[name]["reason"] for name in named if colour == "red"))
            parts.append(f"{colour}: {_listed(named)}" + (f" ({why})" if why else ""))
    said = f"May the world model be believed? {'; '.join(parts)}."
    return f"{said} Red tasks are left out of every number but their own." if out else said


def counts_sentence(summary: Mapping[str, Any]) -> str:
    """What entered the rates and what did not."""
    scored, unscored, failed = (sum(p[key] for p in summary["policies"]) for key in ("trials", "unscored", "failed"))
    return f"{count(scored, 'scored trial')}; {unscored} unscored and {failed} failed, which enter no rate."


def reasons_sentence(summary: Mapping[str, Any]) -> str:
    """Why trials failed or were left unscored, the most frequent reasons first; empty where all were scored."""
    return named_reasons(summary["reasons"], "trial")


def named_reasons(reasons: Mapping[str, Any], noun: str) -> str:
    """reasons: as in summary.json, of trials or of other things that the noun names."""
    parts = []
    for what, rows in reasons.items():
        if rows:
            named = "; ".join(f"{row['reason']} ({count(row['trials'], noun)})" for row in rows[:REASONS])
            parts.append(f"{what}: {named}" + ("; and others" if len(rows) > REASONS else ""))
    return f"Why: {'. '.join(parts)}." if parts else ""


def correction_sentence(summary: Mapping[str, Any]) -> str:
    """How good the judge was shown to be, and on how much; empty without a calibration."""
    if "calibration" not in summary:
        return ""
    known, (tpr, fpr) = summary["calibration"], (summary["calibration"][name] for name in ("tpr", "fpr"))
    return (
        f"On {count(known['videos'], 'labelled video')} the judge found {percent(tpr['rate'])} of the successes "
        f"({span(tpr['low'], tpr['high'])}) and took {percent(fpr['rate'])} of the failures for one "
        f"({span(fpr['low'], fpr['high'])}); rates called corrected are free of these errors as far as that is known."
    )


def cost_sentence(summary: Mapping[str, Any]) -> str:
    """What the verdicts cost; empty for a judge that does not vote."""
    spent = summary["expenses"]
    if not spent["votes"]:
        return ""
    paid = f"of which this run paid {spent['paid_usd']:.2f}"
    return f"{count(spent['votes'], 'vote')} of the judge cost {spent['cost_usd']:.2f}{NBSP}USD, {paid}."


def time_sentence(summary: Mapping[str, Any]) -> str:
    """How long the rollouts took and what for; empty where the log does not say."""
    spent = summary["expenses"]
    if not spent["seconds"]:
        return ""
    parts = ", ".join(f"{part} {duration(seconds)}" for part, seconds in spent["timing"].items())
    return f"{count(spent['attempts'], 'rollout')} took {duration(spent['seconds'])}{f' ({parts})' if parts else ''}."


def duration(seconds: float) -> str:
    """0.25 => "0.25 s", 90 => "1.5 min", 9000 => "2.5 h"."""
    for size, unit in ((3600.0, "h"), (60.0, "min")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.3g}{NBSP}{unit}"
    return f"{seconds:.2g}{NBSP}s" if seconds < 10 else f"{seconds:.0f}{NBSP}s"


def sentences(summary: Mapping[str, Any]) -> list[str]:
    """Everything there is to say below the headline."""
    said = (
        trust_sentence,
        rates_sentence,
        agreement_sentence,
        verdict_sentence,
        correction_sentence,
        counts_sentence,
        reasons_sentence,
        time_sentence,
        cost_sentence,
    )
    above = headline(summary)
    return [sentence for sentence in (say(summary) for say in said) if sentence and sentence != above]


def count(number: int, noun: str) -> str:
    """1 trial, 2 trials."""
    return f"{number}{NBSP}{noun}" + ("" if number == 1 else "s")


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
