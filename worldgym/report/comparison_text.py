"""What `worldgym compare` prints: a run's policies against each other, or against a baseline."""

from __future__ import annotations

from collections.abc import Sequence

from worldgym.report.findings import headline, said_of_policies
from worldgym.report.formats import (
    chance,
    number_of,
    percent,
    points,
    probability,
    signed,
    span,
)
from worldgym.report.policy_sentences import compared, counted_trials, likely_orders
from worldgym.report.trial_sentences import missing_lines
from worldgym.stats.baseline import BaselineAnswer, BaselineTest
from worldgym.stats.pairs import PolicyComparison, RankInterval
from worldgym.stats.ranking import PolicyRanking
from worldgym.stats.success_counts import PolicySummary
from worldgym.stats.summary import Summary

LEAST = 0.001  # probability of being the best that is named
PAIRS = 28  # comparisons that are listed in full


def comparison_text(summary: Summary) -> str:
    """The headline, one line per policy, every comparison, and the ranking."""
    if not any(policy.trials for policy in summary.policies):
        return headline(summary)
    lines = [*said_of_policies(summary), "", *_standing(summary), ""]
    together = [pair for pair in summary.comparisons if pair.n]
    shown: Sequence[PolicyComparison] = summary.comparisons
    if len(together) > 1:
        hold = f"Intervals and p-values hold for all {len(together)} comparisons together."
        if len(shown) > PAIRS:
            first = summary.rank_intervals[0].policy
            shown = [pair for pair in together if first in (pair.a, pair.b)]
            hold += f" Those with {first} are listed; --json has all."
        lines.append(hold)
    lines += [*(compared(pair, len(together)) for pair in shown), ""]
    return "\n".join([*lines, *ranking_lines(summary.ranking)]).rstrip()


def until_decided_text(summary: Summary) -> str:
    """Whether it is time to stop, and one line per pair."""
    pairs = summary.comparisons
    undecided = sum(pair.sequential.winner is None for pair in pairs)
    stop = f"{undecided} not decided yet." if undecided else "Every pair is decided: you may stop."
    whole = (
        f"{number_of(len(pairs), 'pair')}. You may look as often as you like: in 95 % of runs no "
        f"decision is wrong."
    )
    lines = [f"In the world model: {stop} {whole}", *missing_lines(summary), ""]
    return "\n".join([*lines, *map(_decided, pairs)])


def baseline_text(test: BaselineTest, summary: Summary) -> str:
    """Of `worldgym compare --baseline`: whether all pass, and one line per policy."""
    margin = f"{100 * test.margin:g} points"
    asked = f"within {margin} of" if test.equivalent else f"not worse by more than {margin} than"
    passed = "Passes" if test.passes else "Does not pass"
    lines = [f"{passed}: in the world model, is every policy {asked} {test.baseline}?"]
    lines += [*missing_lines(summary), ""]
    return "\n".join([*lines, *(_answer(row, test) for row in test.answers)])


def ranking_lines(ranking: PolicyRanking | None) -> list[str]:
    """The most probable order, and which policies may be the best; nothing of fewer than two."""
    if ranking is None or len(ranking.policies) < 2:
        return []
    best = sorted(zip(ranking.policies, ranking.best, strict=True), key=lambda row: -row[1])
    shares = [f"{name} {chance(share)}" for name, share in best if share >= LEAST]
    rest = "" if len(shares) == len(best) else "; the others below 0.1 %"
    return [
        likely_orders(ranking.orders),
        f"Probability of being the best: {', '.join(shares)}{rest}",
    ]


def _standing(summary: Summary) -> list[str]:
    """One line per policy, best first: rate, interval, trials, and the ranks that it may have."""
    policies = {policy.policy: policy for policy in summary.policies}
    rows = summary.rank_intervals
    width = max(len(row.policy) for row in rows)
    lines = [
        f"{row.policy:<{width}} {_rate(policies[row.policy], summary.unequal_mixture)}"
        f"{_rank(row) if len(rows) > 1 else ''}"
        for row in rows
    ]
    if len(lines) > 1:
        lines.append(
            "(rates: 95 % interval of each policy by itself; ranks: 95 % for all policies together)"
        )
    return lines


def _rate(policy: PolicySummary, with_mean: bool) -> str:
    mean = f", mean over tasks {percent(policy.mean_over_tasks)}" if with_mean else ""
    interval = span(policy.low, policy.high)
    return f"{percent(policy.rate):>7} ({interval}) of {counted_trials(policy)}{mean}"


def _rank(row: RankInterval) -> str:
    return f"; rank {row.low}" + ("" if row.low == row.high else f" to {row.high}")


def _decided(pair: PolicyComparison) -> str:
    test = pair.sequential
    frames = number_of(test.n, "initial frame")
    if test.winner is None:
        return (
            f"{pair.a} against {pair.b}: not decided after {frames} (p {probability(test.p_holm)})"
        )
    return (
        f"{pair.a} against {pair.b}: {test.winner} is better, decided after {test.decided} of "
        f"{frames}"
    )


def _answer(row: BaselineAnswer, test: BaselineTest) -> str:
    if row.value is None:
        return f"{row.policy}: undecided; it shares no scored trial with {test.baseline}"
    several = f", corrected for {len(test.answers)} policies" if len(test.answers) > 1 else ""
    bounds = f"one-sided 95 % bounds {points(row.low)} and {points(row.high)}{several}"
    trials = (
        f"{number_of(row.n, 'common trial')} on {number_of(row.initial_frames, 'initial frame')}"
    )
    missing = (
        f"; {number_of(row.missing, 'planned trial')} of the two missing" if row.missing else ""
    )
    return (
        f"{row.policy}: {row.answer}; {signed(100 * row.value)} points ({bounds}), "
        f"{trials}{missing}"
    )
