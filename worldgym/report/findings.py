"""A run in words: the headline first, then all other sentences."""

from __future__ import annotations

from itertools import pairwise

from worldgym.report.formats import CONFIDENCE, listed, number_of, percent, span
from worldgym.report.policy_sentences import (
    closest_sentence,
    counted_trials,
    mixture_sentence,
    named,
    noise_sentence,
    rates_sentence,
    unranked_sentence,
)
from worldgym.report.trial_sentences import (
    cost_sentence,
    counts_sentence,
    missing_lines,
    reasons_sentence,
    time_sentence,
)
from worldgym.report.trust_sentences import (
    agreement_sentence,
    correction_sentence,
    motionless_sentence,
    solved_sentence,
    strange_sentence,
    trust_sentence,
    verdict_sentence,
)
from worldgym.stats.summary import Summary
from worldgym.types import ROUNDING

BELOW = (
    mixture_sentence,
    noise_sentence,
    strange_sentence,
    solved_sentence,
    motionless_sentence,
    trust_sentence,
    closest_sentence,
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


def lede(summary: Summary) -> str:
    """What was evaluated, for a reader who is new to this page."""
    tried = [policy for policy in summary.policies if policy.trials + policy.unscored]
    trials = sum(policy.trials + policy.unscored for policy in tried)
    policies = "one robot policy" if len(tried) == 1 else f"{len(tried)} robot policies"
    tasks = number_of(len({cell.task for cell in summary.cells}), "task")
    return (
        f"Here {policies} tried {tasks}, {number_of(trials, 'time')} in all, inside a learned "
        f"video model of the world instead of on a robot; a judge watched each video and said "
        f"whether the task was done."
    )


def headline(summary: Summary) -> str:
    """The main result, in plain words: whether the run is unfinished, and which policies are best;
    for one policy how often it succeeds."""
    scored = [policy for policy in summary.policies if policy.trials]
    if not scored:
        said = "No trial has been scored yet."
    elif len(scored) == 1:
        said = _of_one(summary)
    elif not any(pair.n for pair in summary.comparisons):
        said = "In the world model, no two policies share a scored trial, so they do not compare."
    else:
        said = _of_several(summary)
    if not summary.completeness.missing:
        return said
    return f"Unfinished run: {said[0].lower()}{said[1:]}"


def sentences(summary: Summary) -> list[str]:
    """Everything there is to say below the headline, but which trials are missing."""
    return [sentence for sentence in (say(summary) for say in BELOW) if sentence]


def _of_one(summary: Summary) -> str:
    (policy,) = (policy for policy in summary.policies if policy.trials)
    interval = f"{CONFIDENCE} {span(policy.low, policy.high)}"
    return (
        f"In the world model, {policy.policy} succeeds in {percent(policy.rate)} of "
        f"{counted_trials(policy)} ({interval})."
    )


def _of_several(summary: Summary) -> str:
    """Which policy is best, which ones have the same rate, or which others may be as good as the
    first."""
    order = [row.policy for row in summary.rank_intervals]
    best = list(summary.best_set)
    known = _comparable_rates(summary)
    rates = {policy: percent(rate) for policy, rate in known.items()}
    label = "mean success rate over tasks" if summary.unequal_mixture else "success rate"
    first = best[0]
    own = f" ({label} {rates[first]})" if rates else ""
    if len(best) == 1 and len(order) == 2:
        (other,) = (policy for policy in order if policy != first)
        both = f" ({label} {rates[first]} against {rates[other]})" if rates else ""
        return f"In the world model, {first} is better than {other}{both}."
    if len(best) == 1:
        return f"In the world model, {first} is the best of {len(order)} policies{own}."
    alike = [policy for policy in best if known and known[first] - known[policy] <= ROUNDING]
    rest = [policy for policy in best[1:] if policy not in alike]
    others = [f"{policy} ({rates[policy]})" if rates else policy for policy in rest]
    if len(alike) > 1:
        same = f"In the world model, {named(alike)} have the same {label} ({rates[first]})"
        if len(alike) == len(order):
            return f"{same}; no policy is shown to be better."
        also = f", and {named(others)} may be as good or better" if others else ""
        none = f"none of them is shown to be the best{also}"
        return f"{same}, the highest of {len(order)} policies; {none}."
    return (
        f"In the world model, {first} comes first of {len(order)} policies{own}, but "
        f"{named(others)} may be as good or better."
    )


def _comparable_rates(summary: Summary) -> dict[str, float]:
    """Success rates by policy: means over tasks where the policies have unequal shares of
    them. Empty where a rate is unknown, or where they stand in another order than on common trials.
    """
    policies = {policy.policy: policy for policy in summary.policies}
    rates = dict[str, float]()
    for row in summary.rank_intervals:
        policy = policies[row.policy]
        rate = policy.mean_over_tasks if summary.unequal_mixture else policy.rate
        if rate is None:
            return {}
        rates[row.policy] = rate
    if any(later > earlier + ROUNDING for earlier, later in pairwise(rates.values())):
        return {}
    return rates


def said_of_policies(summary: Summary) -> list[str]:
    """The headline and what limits a comparison of the policies."""
    limits = (mixture_sentence, noise_sentence, unranked_sentence)
    said = [headline(summary), *missing_lines(summary), *(say(summary) for say in limits)]
    if summary.trust is not None and summary.trust.left_out:
        left_out = listed(summary.trust.left_out)
        said.append(f"Left out, because the trust report of the world model is red: {left_out}.")
    return [sentence for sentence in said if sentence]
