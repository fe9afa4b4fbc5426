"""From a run's trials to comparisons of its policies, each with each, and to their ranking."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np

from worldgym.errors import InputError
from worldgym.io.run_records import TrialRecord, results
from worldgym.stats.comparison import holm, paired_difference, paired_interval
from worldgym.stats.equivalence import Gate, passes
from worldgym.stats.per_frame import Numbers
from worldgym.stats.planned_trials import Planned, TaskRepeat
from worldgym.stats.ranking import Table, comparable, contrasts, rank_intervals, ranking
from worldgym.stats.sequential import Looks, frame_order, in_rounds, sequential_tests
from worldgym.types import ROUNDING

LEVEL = 0.95


@dataclass
class PolicyTrials:
    """The trials of one policy.   scores: of the scored ones.   ended: per task, the repeats that
    ran or failed for good. time: per task, when the last of these ended."""

    scores: dict[TaskRepeat, float] = field(default_factory=dict)
    ended: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    time: dict[str, str] = field(default_factory=lambda: defaultdict(str))


def compare_every_pair(
    records: Iterable[TrialRecord], policies: Sequence[str], planned: Planned
) -> dict[str, Any]:
    """Every pair of the named policies on the trials that both were scored in, and the ranking of
    all. Plain JSON.

    comparisons: a, b, value (rate of a less rate of b), low, high (95 %, of this pair alone),
    low_all, high_all (95 % for all
                 pairs together: Bonferroni), p, p_holm (corrected for the number of pairs with a
                 common trial), n (pairs of trials), frames (their initial frames), sequential (see
                 sequential.py, and winner, the policy for which it was decided, or None). The
                 policy of the higher rate stands first, in the pair and in the list.
    ranking:     policies, best, above, ranks, orders (see ranking.py), values (rate on common
    trials less the mean of the ranked
                 policies), trials and frames used; None where no policy can be ranked.
    unranked:    policies with scored trials that cannot be ranked, for they share no trial with the
    others in every task.
    best_set:    policies that are not shown to be worse than another: those that cannot be told
    from the best. rank_intervals: policy, low, high: 1 is the best; 95 % for all policies together
    (see ranking.rank_intervals)."""
    trials, group_of = _trials(records)
    scored = [policy for policy in policies if trials[policy].scores]
    ranked = _ranking(trials, scored, group_of)
    best_first = _best_first(trials, policies, ranked)
    found = [_compared(trials, a, b) for a, b in combinations(best_first, 2)]
    _correct(found, trials)
    sequences = sequential_tests([_looks(trials, c["a"], c["b"], group_of, planned) for c in found])
    for c, result in zip(found, sequences, strict=True):
        told = asdict(result)
        sign = told.pop("sign")
        c["sequential"] = {**told, "winner": c["a"] if sign > 0 else c["b"] if sign < 0 else None}
    shown = [(c["a"], c["b"]) for c in found if c["n"] and c["p_holm"] <= 1 - LEVEL]
    standing = rank_intervals(scored, shown)
    return {
        "comparisons": found,
        "ranking": ranked,
        "unranked": []
        if ranked is None and len(scored) < 2
        else [p for p in scored if ranked is None or p not in ranked["policies"]],
        "best_set": [policy for policy in best_first if standing.get(policy, (0, 0))[0] == 1],
        "rank_intervals": [
            {"policy": p, "low": standing[p][0], "high": standing[p][1]}
            for p in best_first
            if p in standing
        ],
    }


def against_baseline(
    records: Sequence[TrialRecord],
    policies: Sequence[str],
    planned: Planned,
    baseline: str,
    gate: Gate,
) -> dict[str, Any]:
    """Every other of the named policies against the baseline on common trials. Plain JSON.
    InputError without such a policy.

    baseline, margin, equivalent: what was asked.   passes: whether all pass.
    answers: policy, n (common trials), frames, missing (planned trials of the two that the log
    lacks: then it cannot be told,
             for the tasks that are done may be the easy ones), and answer, value, low, high of
             `equivalence.Passed`.
    """
    if baseline not in policies:
        raise InputError(
            f'the run has no policy "{baseline}" to be the baseline; it has {", ".join(policies)}'
        )
    others = [policy for policy in policies if policy != baseline]
    if not others:
        raise InputError(
            f"the run has no other policy than {baseline}, so that there is nothing to compare it "
            f"with"
        )
    gate, (trials, _) = replace(gate, tests=len(others)), _trials(records)
    missing = {
        p: planned.missing([r for r in records if r.policy == p], planned.groups) for p in policies
    }
    answers = []
    for policy in others:
        A, B, frames = _common(trials, policy, baseline)
        found = passes(A, B, frames, gate)
        lacking = missing[policy] + missing[baseline]
        if lacking:
            found = replace(found, answer="cannot be told")
        answers.append(
            {
                "policy": policy,
                "n": len(frames),
                "frames": len(set(frames)),
                "missing": lacking,
                **asdict(found),
            }
        )
    return {
        "baseline": baseline,
        "margin": gate.margin,
        "equivalent": gate.two_sided,
        "passes": all(row["answer"] == "passes" for row in answers),
        "answers": answers,
    }


def _trials(records: Iterable[TrialRecord]) -> tuple[dict[str, PolicyTrials], dict[str, str]]:
    """(by policy, the group of each task)."""
    trials, group_of = defaultdict[str, PolicyTrials](PolicyTrials), {}
    outcome = results(records)
    for r in (*outcome.finished, *outcome.failed):
        mine = trials[r.policy]
        if r.score is not None:
            mine.scores[r.task, r.repeat] = r.score
        mine.ended[r.task].add(r.repeat)
        mine.time[r.task] = max(mine.time[r.task], r.time)
        group_of[r.task] = r.group
    return trials, group_of


def _common(
    trials: Mapping[str, PolicyTrials], a: str, b: str
) -> tuple[Numbers, Numbers, list[str]]:
    """Scores of both in the trials that both were scored in, and the initial frames of these."""
    mine, theirs = trials[a].scores, trials[b].scores
    keys = sorted(mine.keys() & theirs.keys())
    A, B = (np.array([side[key] for key in keys], np.float64) for side in (mine, theirs))
    return A, B, [task for task, _ in keys]


def _compared(trials: Mapping[str, PolicyTrials], a: str, b: str) -> dict[str, Any]:
    A, B, frames = _common(trials, a, b)
    if A.sum() < B.sum() - ROUNDING:
        (a, A), (b, B) = (b, B), (a, A)
    return {"a": a, "b": b, **asdict(paired_difference(A, B, frames))}


def _correct(found: Sequence[dict[str, Any]], trials: Mapping[str, PolicyTrials]) -> None:
    """Adds what holds for all pairs together."""
    known = [c for c in found if c["n"]]
    for c in found:
        c |= {"low_all": -1.0, "high_all": 1.0, "p_holm": 1.0}
    for c, p in zip(known, holm([c["p"] for c in known]), strict=True):
        c["p_holm"] = p
        low, high = paired_interval(*_common(trials, c["a"], c["b"]), 1 - (1 - LEVEL) / len(known))
        c |= {"low_all": low, "high_all": high}


def _looks(
    trials: Mapping[str, PolicyTrials],
    a: str,
    b: str,
    group_of: Mapping[str, str],
    planned: Planned,
) -> Looks:
    """Differences of a and b by frames that are finished with both, in rounds over the planned
    tasks."""
    mine, theirs = trials[a], trials[b]
    arrived: dict[str, list[tuple[str, str, float | None]]] = defaultdict(list)
    wanted = planned.repeats
    for task in mine.ended.keys() & theirs.ended.keys():
        repeats = mine.ended[task] & theirs.ended[task]
        if task in wanted and len(repeats) >= wanted[task]:
            pairs = [(mine.scores.get((task, i)), theirs.scores.get((task, i))) for i in repeats]
            both = [x - y for x, y in pairs if x is not None and y is not None]
            moment = max(mine.time[task], theirs.time[task])
            arrived[group_of[task]].append(
                (moment, frame_order(task), float(np.mean(both)) if both else None)
            )
    ordered = {
        group: [d for _, _, d in sorted(frames, key=lambda f: f[:2])]
        for group, frames in arrived.items()
    }
    return in_rounds(ordered, {group: planned.frames(group) for group in planned.groups})


def _ranking(
    trials: Mapping[str, PolicyTrials], scored: Sequence[str], group_of: Mapping[str, str]
) -> dict[str, Any] | None:
    keys = sorted({key for policy in scored for key in trials[policy].scores})
    if not keys:
        return None
    scores = np.array(
        [[trials[policy].scores.get(key, np.nan) for key in keys] for policy in scored], np.float64
    )
    table = Table(scores, [task for task, _ in keys], [group_of[task] for task, _ in keys])
    kept = comparable(table)
    if not kept:
        return None
    table = table.of(kept)
    values = contrasts(table)[0]
    used = {"trials": len(table.frames), "frames": len(set(table.frames))}
    return {
        **ranking(table).named([scored[p] for p in kept]),
        "values": (values - values.mean()).tolist(),
        **used,
    }


def _best_first(
    trials: Mapping[str, PolicyTrials], policies: Sequence[str], ranked: Mapping[str, Any] | None
) -> list[str]:
    """By the rate on common trials, then those that cannot be ranked by their own rate, then those
    without a score."""
    values = {} if ranked is None else dict(zip(ranked["policies"], ranked["values"], strict=True))

    def place(policy: str) -> tuple[int, float]:
        scores = trials[policy].scores
        if policy in values:
            return 0, -round(values[policy], 9)
        return (1, -round(float(np.mean(list(scores.values()))), 9)) if scores else (2, 0.0)

    return sorted(policies, key=place)
