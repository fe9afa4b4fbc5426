"""Sentences about the policies: their success rates, their differences and their order."""

from __future__ import annotations

from collections.abc import Sequence

from worldgym.io.run_records import CAPABILITIES_KEY
from worldgym.report.formats import (
    CONFIDENCE,
    chance,
    listed,
    number_of,
    percent,
    points,
    probability,
    signed,
    span,
)
from worldgym.stats.pairs import PolicyComparison
from worldgym.stats.ranking import OrderProbability
from worldgym.stats.success_counts import PolicySummary, SuccessCounts
from worldgym.stats.summary import Summary

NAMED = 6  # policies named in a sentence, best first
ALIKE = 0.9  # of the highest probability; an order that has this much is about as probable
SHOWN = 3  # orders that are about as probable


def closest_sentence(summary: Summary) -> str:
    """The first policy against the second, in numbers; empty where they share no trial."""
    order = [row.policy for row in summary.rank_intervals]
    together = sum(1 for pair in summary.comparisons if pair.n)
    first = next((c for c in summary.comparisons if c.n and {c.a, c.b} == set(order[:2])), None)
    if first is None:
        return ""
    also = f" Interval and p-value hold for all {together} comparisons together."
    return f"{compared(first, together)}.{also if together > 1 else ''}"


def compared(pair: PolicyComparison, pairs: int) -> str:
    """One comparison: "A against B: A is better, +18.0 points (95 % confidence interval +6 to +30,
    p = 0.004, 120 common trials on 60 initial frames)".

    pairs: how many comparisons were made together; interval and p-value are then those that hold
    for all of them. Where they disagree (few trials: the interval is a score interval, the test is
    exact), the text says which one decides.
    """
    if pair.value is None:
        return f"{pair.a} and {pair.b} share no scored trial"
    low, high = (pair.low_all, pair.high_all) if pairs > 1 else (pair.low, pair.high)
    answer = f"{pair.a} is better" if pair.shown else "no clear difference"
    trials = f"{number_of(pair.n, 'common trial')} on {_frames(pair.initial_frames)}"
    by_interval = low > 0 or high < 0
    decides = "" if by_interval == pair.shown else "; the interval is approximate, p decides"
    return (
        f"{pair.a} against {pair.b}: {answer}, {signed(100 * pair.value)} points ({CONFIDENCE} "
        f"{points(low)} to {points(high)}, p {probability(pair.p_holm)}, {trials}{decides})"
    )


def rates_sentence(summary: Summary) -> str:
    """How often each of several policies succeeds, best first, with intervals and trials; empty
    with fewer than two."""
    scored = {policy.policy: policy for policy in summary.policies if policy.trials}
    if len(scored) < 2:
        return ""
    best, *others = (scored[row.policy] for row in summary.rank_intervals)
    alike = len({(policy.trials, policy.initial_frames) for policy in scored.values()}) == 1
    parts = [f"{best.policy} {_rate(best, alike, f'{CONFIDENCE} ')}"]
    parts += [f"{policy.policy} {_rate(policy, alike)}" for policy in others[: NAMED - 1]]
    if len(scored) > NAMED:
        parts.append(f"{len(scored) - NAMED} more below")
    rest = f", each in {counted_trials(best)}" if alike else ""
    return (
        f"Success rates in the world model: {listed(parts)}{rest}. Each interval is for one policy "
        f"by itself; the highest of several rates is probably too high."
    )


def mixture_sentence(summary: Summary) -> str:
    """A warning and the means over tasks, where policies have their trials in unequal shares from
    the tasks; else empty."""
    if not summary.unequal_mixture:
        return ""
    scored = [policy for policy in summary.policies if policy.trials]
    known = {p.policy: p.mean_over_tasks for p in scored if p.mean_over_tasks is not None}
    order = sorted(known, key=lambda policy: -round(known[policy], 9))
    means = ", ".join(f"{policy} {percent(known[policy])}" for policy in order[:NAMED])
    more = ", others below" if len(order) > NAMED else ""
    lacking = [policy.policy for policy in scored if policy.mean_over_tasks is None]
    said = [
        "The policies have different shares of their scored trials in each task, so their rates "
        "over all tasks cannot be compared.",
        f"Mean over tasks: {means}{more}." if means else "",
        f"Without a scored trial in some task: {named(lacking)}." if lacking else "",
    ]
    return " ".join(filter(None, said))


def noise_sentence(summary: Summary) -> str:
    """A warning where the world takes no seed, so that policies have no noise in common."""
    if summary.config.get(CAPABILITIES_KEY, {}).get("seeds") != "none" or len(summary.names) < 2:
        return ""
    return (
        "This world takes no seed: the policies met the same initial frames, but not the same "
        "noise. Comparisons are by initial frame, not paired by trial."
    )


def unranked_sentence(summary: Summary) -> str:
    """Which policies cannot be ranked, and why; empty where all are."""
    if not summary.unranked:
        return ""
    are, they = ("are", "they share") if len(summary.unranked) > 1 else ("is", "it shares")
    return (
        f"{named(summary.unranked)} {are} not ranked: in some task {they} no scored trial with the "
        f"others."
    )


def likely_orders(orders: Sequence[OrderProbability], most: int = 1) -> str:
    """The most probable orders, as long as they have 1 % each; more than `most` where none of them
    is clearly more probable than the next."""
    likely = [order for order in orders if order.probability >= 0.01]
    alike = [o for o in likely if o.probability >= ALIKE * likely[0].probability]
    stands_out = most > 1 or len(alike) < 2
    likely = likely[:most] if stands_out else alike[:SHOWN]
    if not likely:
        return "No order of all policies has a probability of 1 % or more"
    told = "; ".join(
        f"{' > '.join(order.policies)} (probability {chance(order.probability)})"
        for order in likely
    )
    if not stands_out:
        return f"No order is clearly the most probable: {told}"
    return f"Most probable order{'s' if len(likely) > 1 else ''}: {told}"


def all_tasks(summary: Summary) -> str:
    """Name of the row or column that pools all tasks, which says where that is no fair
    comparison."""
    return "all tasks (unequal shares)" if summary.unequal_mixture else "all tasks"


def counted_trials(counts: SuccessCounts) -> str:
    """ "120 trials on 60 initial frames"."""
    return f"{number_of(counts.trials, 'trial')} on {_frames(counts.initial_frames)}"


def named(policies: Sequence[str]) -> str:
    """The first few by name, the others as a number."""
    if len(policies) <= NAMED:
        return listed(policies)
    return listed([*policies[: NAMED - 1], f"{len(policies) - NAMED + 1} more"])


def _rate(policy: PolicySummary, alike: bool, label: str = "") -> str:
    rest = "" if alike else f"; {counted_trials(policy)}"
    return f"{percent(policy.rate)} ({label}{span(policy.low, policy.high)}{rest})"


def _frames(frames: int) -> str:
    alone = ", which says little about others" if frames == 1 else ""
    return f"{number_of(frames, 'initial frame')}{alone}"
