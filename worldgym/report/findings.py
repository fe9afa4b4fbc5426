"""What a run says of its policies, in words: the headline first, then rates, what is missing, and
the rest of `words`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from worldgym.report.words import (
    NBSP,
    agreement_sentence,
    correction_sentence,
    cost_sentence,
    listed,
    motionless_sentence,
    number_of,
    percent,
    points,
    probability,
    reasons_sentence,
    signed,
    solved_sentence,
    span,
    strange_sentence,
    time_sentence,
    trust_sentence,
    verdict_sentence,
)

NAMED = 6  # policies named in a sentence, best first
CHANCE = 0.001  # probabilities closer than this to 0 or 1 are called so


def headline(summary: Mapping[str, Any]) -> str:
    """What matters first: that the run is unfinished, then which policies are best; of one policy
    how often it succeeds."""
    said = best_sentence(summary) or rates_sentence(summary)
    return (
        f"Unfinished run: {said[0].lower()}{said[1:]}"
        if summary["completeness"]["missing"]
        else said
    )


def sentences(summary: Mapping[str, Any]) -> list[str]:
    """Everything there is to say below the headline."""
    said = (
        missing_sentence,
        mixture_sentence,
        strange_sentence,
        solved_sentence,
        motionless_sentence,
        trust_sentence,
        next_sentence,
        rates_sentence,
        unranked_sentence,
        agreement_sentence,
        verdict_sentence,
        correction_sentence,
        counts_sentence,
        reasons_sentence,
        time_sentence,
        cost_sentence,
    )
    above = headline(summary)
    return [
        sentence
        for sentence in (say(summary) for say in said)
        if sentence and not above.endswith(sentence[1:])
    ]


def best_sentence(summary: Mapping[str, Any]) -> str:
    """Which policies cannot be told from the best; empty unless two share a scored trial."""
    standing, best = [row["policy"] for row in summary["rank_intervals"]], summary["best_set"]
    together = [c for c in summary["comparisons"] if c["n"]]
    if not together:
        return ""
    if len(standing) == 2:
        (pair,) = together
        return f"In the world model, {compared(pair, 1)}."
    corrected = (
        f"{len(together)} comparisons, corrected together"
        if len(together) > 1
        else "one comparison"
    )
    of = f"of {len(standing)} policies ({corrected})"
    if len(best) == 1:
        others = [c for c in together if c["p_holm"] <= 0.05 and c["a"] == best[0]]
        if len(others) == len(standing) - 1:
            return f"In the world model, {best[0]} beats every other {of}."
        return (
            f"In the world model, {best[0]} is the only one {of} that is not shown to be worse "
            f"than another."
        )
    if len(best) == len(standing):
        return f"In the world model, no policy is shown to be worse than another {of}."
    return f"In the world model, {_names(best)} cannot be told from the best {of}."


def next_sentence(summary: Mapping[str, Any]) -> str:
    """The first policy against the second, where there are more than two."""
    order, together = (
        [row["policy"] for row in summary["rank_intervals"]],
        [c for c in summary["comparisons"] if c["n"]],
    )
    first = next((c for c in together if {c["a"], c["b"]} == set(order[:2])), None)
    if first is None or len(order) < 3:
        return ""
    also = (
        f" (interval and p hold for all {len(together)} comparisons together)"
        if len(together) > 1
        else ""
    )
    return f"{compared(first, len(together))}{also}."


def compared(c: Mapping[str, Any], pairs: int) -> str:
    """One comparison: "A beats B: +18.0 points [+6, +30], p = 0.004, 120 common trials on 60
    initial frames".

    pairs: how many comparisons were made together; interval and p are then those that hold for all
    of them."""
    if c["n"] == 0:
        return f"{c['a']} and {c['b']} share no scored trial"
    low, high = (c["low_all"], c["high_all"]) if pairs > 1 else (c["low"], c["high"])
    verb = "beats" if c["p_holm"] <= 0.05 else "is not shown to differ from"
    difference = signed(100 * c["value"])
    trials = f"{number_of(c['n'], 'common trial')} on {number_of(c['frames'], 'initial frame')}"
    alone = ", which says little about others" if c["frames"] == 1 else ""
    interval = f"95{NBSP}% interval {points(low)} to {points(high)}"
    return (
        f"{c['a']} {verb} {c['b']}: {difference} points ({interval}), p "
        f"{probability(c['p_holm'])}, {trials}{alone}"
    )


def rates_sentence(summary: Mapping[str, Any]) -> str:
    """Which policy succeeds how often, best first, with 95 % intervals and what they rest on."""
    scored = {p["policy"]: p for p in summary["policies"] if p["trials"]}
    if not scored:
        return "No trial has been scored yet."
    best, *others = (scored[row["policy"]] for row in summary["rank_intervals"])
    alike = len({(p["trials"], p["frames"]) for p in scored.values()}) == 1
    parts = [f"{best['policy']} succeeds in {_rate(best, alike, f'95{NBSP}% interval ')}"]
    parts += [f"{p['policy']} in {_rate(p, alike)}" for p in others[: NAMED - 1]]
    if len(scored) > NAMED:
        parts.append(f"{len(scored) - NAMED} more below")
    each = "each " if others else ""
    rest = f"; {each}{_trials(best)}" if alike else ""
    alone = (
        ". Each interval is for one policy by itself; the highest of several rates is likely too "
        "high"
        if others
        else ""
    )
    return f"In the world model, {listed(parts)}{rest}{alone}."


def missing_sentence(summary: Mapping[str, Any]) -> str:
    """How many planned trials the log lacks, and whose; empty where none."""
    told = summary["completeness"]
    part = (
        f"This is part {told['shard']} of a run that was divided (put the parts together with "
        f"worldgym run merge)."
        if told["shard"]
        else ""
    )
    edited = f"{number_of(told['edited_missing'], 'trial')} of edited tasks"
    if not told["missing"]:
        are = "is" if told["edited_missing"] == 1 else "are"
        return " ".join(
            filter(None, (part, f"{edited} {are} missing." if told["edited_missing"] else ""))
        )
    lacking = [p for p in summary["policies"] if p["missing"]]
    whose = [f"{p['missing']} of {p['planned']} with {p['policy']}" for p in lacking[:NAMED]]
    if len(lacking) > NAMED:
        whose.append(f"others with {len(lacking) - NAMED} more policies")
    known = (
        ""
        if told["known"]
        else "; the log does not say what was planned, so this counts what other policies have"
    )
    also = f", and {edited}" if told["edited_missing"] else ""
    verb = "is" if told["missing"] == 1 and not also else "are"
    missing = (
        f"{told['missing']} of {number_of(told['planned'], 'planned trial')}{also} {verb} missing "
        f"({listed(whose)}{known})."
    )
    return f"{part} {missing}".strip()


def mixture_sentence(summary: Mapping[str, Any]) -> str:
    """A warning and the means over tasks, where policies have their trials in unequal shares from
    the tasks; else empty."""
    if not summary["unequal_mixture"]:
        return ""
    scored = [p for p in summary["policies"] if p["trials"]]
    known = [p for p in scored if p["mean_over_tasks"] is not None]
    known.sort(key=lambda p: -round(p["mean_over_tasks"], 9))
    means = [f"{p['policy']} {percent(p['mean_over_tasks'])}" for p in known]
    lacking = [p["policy"] for p in scored if p["mean_over_tasks"] is None]
    said = (
        "The policies' scored trials are spread unequally over the tasks, so their rates over all "
        "tasks do not compare."
    )
    if means:
        said += (
            f" Mean over tasks: "
            f"{', '.join(means[:NAMED])}{', others below' if len(means) > NAMED else ''}."
        )
    return said + (f" Without a scored trial in some task: {_names(lacking)}." if lacking else "")


def unranked_sentence(summary: Mapping[str, Any]) -> str:
    """Who cannot be ranked, and why; empty where all are."""
    if not summary["unranked"]:
        return ""
    verb = "are" if len(summary["unranked"]) > 1 else "is"
    return (
        f"{_names(summary['unranked'])} {verb} not ranked: in some task no scored trial is shared "
        f"with the others."
    )


def counts_sentence(summary: Mapping[str, Any]) -> str:
    """What entered the rates and what did not."""
    scored, unscored, failed, missing = (
        sum(p[key] for p in summary["policies"])
        for key in ("trials", "unscored", "failed", "missing")
    )
    rest = f"{unscored} unscored, {failed} failed and {missing} missing, which enter no rate"
    return f"{number_of(scored, 'scored trial')}; {rest}."


def all_tasks(summary: Mapping[str, Any]) -> str:
    """Name of the row or column that pools all tasks, which says where that is no fair
    comparison."""
    return "all tasks (unequal shares)" if summary["unequal_mixture"] else "all tasks"


def chance(p: float) -> str:
    """A probability from draws, which never show 0 or 1: "73.1 %", "over 99.9 %", "under 0.1 %"."""
    if p > 1 - CHANCE:
        return f"over 99.9{NBSP}%"
    return f"under 0.1{NBSP}%" if p < CHANCE else percent(p)


def likely_orders(orders: Sequence[Mapping[str, Any]], most: int = 1) -> str:
    """The most probable orders, as long as they have 1 % each."""
    named = [order for order in orders if order["probability"] >= 0.01][:most]
    if not named:
        return "no order of all policies has a probability of 1 % or more"
    told = "; ".join(
        f"{' > '.join(order['policies'])} (probability {chance(order['probability'])})"
        for order in named
    )
    return f"most probable order{'s' if len(named) > 1 else ''}: {told}"


def _rate(policy: Mapping[str, Any], alike: bool, label: str = "") -> str:
    rest = "" if alike else f"; {_trials(policy)}"
    return f"{percent(policy['rate'])} ({label}{span(policy['low'], policy['high'])}{rest})"


def _trials(policy: Mapping[str, Any]) -> str:
    """ "120 trials on 60 initial frames"."""
    alone = ", which says little about others" if policy["frames"] == 1 else ""
    return (
        f"{number_of(policy['trials'], 'trial')} on "
        f"{number_of(policy['frames'], 'initial frame')}{alone}"
    )


def _names(policies: Sequence[str]) -> str:
    if len(policies) <= NAMED:
        return listed(list(policies))
    return listed([*policies[: NAMED - 1], f"{len(policies) - NAMED + 1} more"])
