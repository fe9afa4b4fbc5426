"""Compares the policies of a run pair by pair: which of their rollouts of one trial did better?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass
from itertools import combinations
from pathlib import Path

from worldgym.errors import BudgetSpent, InputError, JudgeStopped, SameFailure
from worldgym.evaluation.judge_recorded import rollout_of, task_of
from worldgym.evaluation.rejudge import filmed_of_run, tasks_of_run
from worldgym.io.files import write_atomic, write_json
from worldgym.io.json_form import to_json
from worldgym.io.jsonl import json_line
from worldgym.io.run_log import LOG_NAME, read_log
from worldgym.io.run_records import TrialRecord, results
from worldgym.io.user_code import Failure, attempt
from worldgym.judges.human_preferences import HumanPairwise, PairKey, comparison_row
from worldgym.judges.judging import at_once
from worldgym.judges.labels import Clip
from worldgym.judges.pair_session import ClipPair
from worldgym.judges.pairwise import PairwiseJudge, Preference, count_preferences
from worldgym.stats.bradley_terry import Verdicts, bradley_terry
from worldgym.stats.failure_reasons import FailureReasons, count_reasons
from worldgym.stats.preference_counts import PairPreferences, PolicyStrength, PreferenceFigures
from worldgym.stats.ranking import PolicyRanking
from worldgym.stats.repeated_failures import RepeatedFailures

OUTCOMES = {"first": (1, 0, 0), "second": (0, 1, 0), "tie": (0, 0, 1)}
Filmed = dict[tuple[str, str, int], TrialRecord]


@dataclass(frozen=True)
class PreferenceConfig:
    """run: folder of a run.   policies: two or more, each compared with each.   tasks: as in
    rejudge."""

    run: Path
    out: Path
    policies: tuple[str, ...]
    tasks: Path | None = None


@dataclass(frozen=True)
class PolicyPair:
    """Two policies on one trial, by their records."""

    first: TrialRecord
    second: TrialRecord


def pairs_of_run(run: Path, tasks: Path | None = None) -> list[ClipPair]:
    """Every two policies on every trial that both have a video of, sorted: what people compare.
    tasks: None = the folder that the run's log names. InputError where there is no such pair."""
    trials = dict[tuple[str, int], dict[str, Clip]]()
    for record, clip in filmed_of_run(run, tasks):
        trials.setdefault((record.task, record.repeat), {})[record.policy] = clip
    pairs = [
        ClipPair(PairKey(*trial, one, other), (clips[one], clips[other]))
        for trial, clips in trials.items()
        for one, other in combinations(sorted(clips), 2)
    ]
    if not pairs:
        raise InputError(
            f"{run}: no two policies share a trial with videos; choose a run of several policies"
        )
    return sorted(pairs, key=lambda pair: astuple(pair.key))


def compare_policies(
    config: PreferenceConfig, judge: PairwiseJudge | HumanPairwise
) -> PreferenceFigures:
    """Writes OUT/comparisons.jsonl (one line per trial that both of a pair have a video of) and
    OUT/comparisons.json, and returns the latter.

    A comparison on which the judge failed is counted as `broken`. A run again costs nothing for
    what was answered. InputError where two of them share no trial with videos; BudgetSpent,
    JudgeStopped and SameFailure (one failure keeps repeating) after writing what there is, the rest
    as broken."""
    header, records = read_log(config.run / LOG_NAME)
    outcome = results(records)
    tasks = tasks_of_run(config.run, config.tasks)
    filmed = {
        record.key: record
        for record in outcome.finished + outcome.failed
        if record.video is not None
    }
    if len(set(config.policies)) < max(2, len(config.policies)):
        raise InputError(f"--policy is {' '.join(config.policies)}: name two or more, each once")
    judge.charge(config.out, 0.0)
    pairs = [
        pair
        for a, b in combinations(config.policies, 2)
        for pair in _shared(config.run, filmed, a, b)
    ]

    def compare(pair: PolicyPair) -> Preference | Failure:
        task = task_of(tasks, pair.first)

        def look() -> Preference:
            first, second = (
                rollout_of(config.run, header, record, task) for record in (pair.first, pair.second)
            )
            return judge.compare(first, second, task)

        return attempt(look)

    found = list[Preference | Failure]()
    repeated = RepeatedFailures()
    ended: BudgetSpent | SameFailure | JudgeStopped | None = None
    try:
        for answer in at_once(compare, pairs, judge.concurrency):
            found.append(answer)
            repeated.note(answer.reason if isinstance(answer, Failure) else None)
    except (BudgetSpent, SameFailure, JudgeStopped) as end:
        ended = end
        found += [Failure(f"not compared: {end}", end)] * (len(pairs) - len(found))
    write_atomic(config.out / "comparisons.jsonl", _lines(pairs, found))
    broken = [answer.reason for answer in found if isinstance(answer, Failure)]
    figures = PreferenceFigures(
        tuple(_counted(a, b, pairs, found) for a, b in combinations(config.policies, 2)),
        *_strengths(config.policies, pairs, found),
        sum(preference.cost_usd for preference in found if isinstance(preference, Preference)),
        FailureReasons(count_reasons(broken)),
        judge.name,
    )
    write_json(config.out / "comparisons.json", to_json(figures))
    if ended is not None:
        raise ended
    return figures


def _shared(run: Path, filmed: Filmed, one: str, other: str) -> list[PolicyPair]:
    """Trials that both have a video of, sorted."""
    keys = sorted(
        (task, repeat)
        for policy, task, repeat in filmed
        if policy == one and (other, task, repeat) in filmed
    )
    if not keys:
        known = ", ".join(sorted({policy for policy, _, _ in filmed}))
        raise InputError(
            f"{run}: {one} and {other} share no trial with videos; its policies are {known}"
        )
    return [PolicyPair(filmed[one, *key], filmed[other, *key]) for key in keys]


def _counted(
    one: str, other: str, pairs: Sequence[PolicyPair], found: Sequence[Preference | Failure]
) -> PairPreferences:
    own = [
        answer
        for pair, answer in zip(pairs, found, strict=True)
        if (pair.first.policy, pair.second.policy) == (one, other)
    ]
    told = [answer for answer in own if isinstance(answer, Preference)]
    return PairPreferences(one, other, len(own), len(own) - len(told), count_preferences(told))


def _strengths(
    policies: Sequence[str], pairs: Sequence[PolicyPair], found: Sequence[Preference | Failure]
) -> tuple[tuple[PolicyStrength, ...], PolicyRanking | None]:
    """Strongest first, and the ranking they give; undecided comparisons say nothing."""
    place = {policy: i for i, policy in enumerate(policies)}
    verdicts = [
        Verdicts(
            place[pair.first.policy],
            place[pair.second.policy],
            *OUTCOMES[answer.winner],
            pair.first.task,
        )
        for pair, answer in zip(pairs, found, strict=True)
        if isinstance(answer, Preference) and answer.winner is not None
    ]
    told = bradley_terry(verdicts, len(policies))
    rows = zip(policies, told.values, told.intervals, told.factors, strict=True)
    strengths = [PolicyStrength(name, value, *bounds, f) for name, value, bounds, f in rows]
    strengths.sort(key=lambda row: (-round(row.value, 6), place[row.policy]))
    return tuple(strengths), told.ranking.named(policies) if verdicts else None


def _lines(pairs: Sequence[PolicyPair], found: Sequence[Preference | Failure]) -> bytes:
    rows = (
        comparison_row(
            pair.first.task,
            pair.first.repeat,
            pair.first.policy,
            pair.second.policy,
            answer.to_json() if isinstance(answer, Failure) else asdict(answer),
        )
        for pair, answer in zip(pairs, found, strict=True)
    )
    return b"".join(map(json_line, rows))
