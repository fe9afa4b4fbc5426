"""From the run log to the numbers of summary.json."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

from worldgym.errors import InputError
from worldgym.io.files import write_json
from worldgym.io.run_records import RunHeader, TrialRecord, results
from worldgym.stats.against_truth import truth_agreement
from worldgym.stats.expenses import expenses
from worldgym.stats.failure_reasons import reasons
from worldgym.stats.flag_counts import flagged
from worldgym.stats.judge_calibration import Calibration, false_positive_rate, true_positive_rate
from worldgym.stats.pairs import compare_every_pair
from worldgym.stats.perturbation import perturbed, split
from worldgym.stats.planned_trials import Planned, completeness, planned_trials
from worldgym.stats.series import checkpoint_series
from worldgym.stats.success_rates import Rate, score_rate, wilson_rate
from worldgym.stats.trusted import WorldCheck

SUMMARY_NAME = "summary.json"
Key = tuple[str, str]  # policy, group
Counted = tuple[float, int]  # successes, trials


def write_summary(
    run: Path, header: RunHeader, records: Iterable[TrialRecord], include_red: bool = False
) -> dict[str, Any]:
    """Writes RUN/summary.json, corrected by RUN/calibration.json where that is, and returns what it
    holds.

    Tasks that RUN/check.json calls red stay out of the headline numbers, unless `include_red`.
    """
    summary = summarize(
        header, records, Calibration.of_run(run), WorldCheck.of_run(run, include_red)
    )
    write_json(run / SUMMARY_NAME, summary)
    return summary


def summarize(
    header: RunHeader,
    records: Iterable[TrialRecord],
    calibration: Calibration | None = None,
    check: WorldCheck | None = None,
) -> dict[str, Any]:
    """The content of summary.json: plain JSON, None where a number is not defined, never NaN.

    cells:     one entry for every policy and task of the log or its plan, where "task" is the
    tasks' group: trials, successes,
               unscored, failed, planned, missing (planned trials that the log lacks), frames
               (initial frames of the scored trials), rate, low, high (95 %, see rates.score_rate),
               and, where the truth is known, truth_trials, truth_successes, truth_rate, truth_low,
               truth_high. Policies in the header's order, tasks by name. Truth known of a group as
               a whole (the header's `truths`) counts where that of its single trials is not known.
    policies:  the same over all tasks of a policy, trials pooled; and mean_over_tasks, the mean of
    its tasks' rates (None where a
               task has no scored trial).
    unequal_mixture: whether policies have their trials in unequal shares from the tasks, so that
    pooled rates do not compare. completeness: planned, missing and whether the plan is known (see
    planned.completeness). perturbed: what edited tasks cost each policy against their nominal twins
    (see perturbation.perturbed), or None. All figures
               above and below are of tasks that are not the edited twin of another in the log.
    reasons:   why trials were not scored: failed and unscored, a list of {reason, trials} each (see
    reasons.py).
    flags:     which flags trials carry, edited tasks among them (see flags.flagged).
    comparisons, ranking, unranked, best_set, rank_intervals: the policies against each other on
    common trials (see
               pairs.compare).
    agreement: see truth.truth_agreement.
    series:    policies that are checkpoints of one training (see series.py).
    expenses:  time, votes and money over all attempts (see expenses.py), and under policies the
    same for each of them. config, command, world, judge: the header's.
    With a calibration of the run's judge, cells and policies also have corrected: {rate, low,
    high}, the share of full successes without the judge's errors (None and 0 to 1 where it cannot
    be told), and calibration: {videos, tpr, fpr}. With a check of the run's world, trust: {world,
    tasks: {task: {colour, reason}}, left_out, include_red}, and cells have trust, their task's
    colour. Tasks left out are in cells alone: policies, agreement, comparisons and ranking lack
    them.

    `trials` counts scored trials only: a trial whose judge declined (unscored) or that never
    finished (failed) leaves the denominator and is counted apart; trials + unscored + failed +
    missing = planned. `successes` is the sum of scores, so partial credit is a fraction.
    `truth_trials` counts distinct tasks (initial frames) of the cell whose truth is known, however
    often they were repeated and whatever the judge said of them.
    """
    records = list(records)
    if calibration is not None:
        calibration.check(header.judge)
    used = headline_trials(header, records, check)
    outcome = results(split(records)[0])
    trials = outcome.finished + outcome.failed
    known = {
        (t["policy"], t["group"]): (float(t["successes"]), int(t["trials"])) for t in header.truths
    }
    groups = sorted({*used.planned.groups, *(r.group for r in trials)})
    headline = [group for group in groups if group not in used.left_out]
    cells, policies = list[dict[str, Any]](), list[dict[str, Any]]()
    for name in used.policies:
        mine = [r for r in trials if r.policy == name]
        own = list[dict[str, Any]]()
        for group in groups:
            here = [r for r in mine if r.group == group]
            trust = {} if check is None else {"trust": check.colour(group)}
            numbers = {
                **cell_numbers(here, calibration, known),
                **_planned(used.planned, here, [group]),
            }
            own.append({"policy": name, "task": group, **numbers, **trust})
        cells += [
            cell
            for cell in own
            if cell["planned"] or cell["trials"] + cell["unscored"] + cell["failed"]
        ]
        counted = [r for r in mine if r.group not in used.left_out]
        whole = {
            **cell_numbers(counted, calibration, known),
            **_planned(used.planned, mine, headline),
        }
        rates = [cell for cell in own if cell["task"] in headline]
        policies.append({"policy": name, **whole, "mean_over_tasks": _mean_rate(rates)})
    names = used.policies
    return {
        "cells": cells,
        "policies": policies,
        "reasons": reasons([r for r in trials if r.group in headline]),
        "unequal_mixture": _unequal([c for c in cells if c["task"] in headline], policies),
        "completeness": completeness(
            used.planned, names, split(records)[1], sum(p["missing"] for p in policies)
        ),
        "agreement": truth_agreement(
            [c for c in cells if c["task"] in headline], [r for r in trials if r.group in headline]
        ),
        **compare_every_pair(used.records, names, used.headline),
        "perturbed": perturbed(records, names),
        "flags": flagged(results(records).finished),
        "config": dict(header.config),
        "command": header.command,
        "world": header.world,
        "judge": header.judge,
        "series": checkpoint_series(names),
        "expenses": {
            **expenses(records),
            "policies": [
                {"policy": name, **expenses([r for r in records if r.policy == name])}
                for name in names
            ],
        },
        **({} if calibration is None else {"calibration": _calibration(calibration)}),
        **({} if check is None else {"trust": check.figures([r.group for r in trials])}),
    }


@dataclass(frozen=True)
class Headline:
    """What headline numbers are made of. records: attempts without edited twins and without red
    tasks, which are left_out.

    policies: the header's, and any other of the log.   planned: of all tasks, red ones too.
    """

    records: list[TrialRecord]
    policies: list[str]
    planned: Planned
    left_out: frozenset[str]

    @property
    def headline(self) -> Planned:
        """The plan without red tasks."""
        return self.planned.without(self.left_out)


def headline_trials(
    header: RunHeader, records: Sequence[TrialRecord], check: WorldCheck | None
) -> Headline:
    """InputError if the check is of another world than the run's."""
    ordinary, _ = split(records)
    planned = planned_trials(header, ordinary)
    left_out: frozenset[str] = frozenset()
    if check is not None:
        check.match(header.world)
        left_out = check.left_out([*planned.groups, *(r.group for r in ordinary)])
    names = dict.fromkeys(
        [*(str(policy["name"]) for policy in header.policies), *sorted({r.policy for r in records})]
    )
    return Headline(
        [r for r in ordinary if r.group not in left_out], list(names), planned, left_out
    )


def _planned(
    planned: Planned, mine: Sequence[TrialRecord], groups: Sequence[str]
) -> dict[str, int]:
    return {
        "planned": sum(len(planned.groups.get(group, ())) for group in groups),
        "missing": planned.missing(mine, groups),
    }


def _mean_rate(cells: Sequence[Mapping[str, Any]]) -> float | None:
    known = [cell["rate"] for cell in cells if cell["rate"] is not None]
    return math.fsum(known) / len(known) if known and len(known) == len(cells) else None


def _unequal(cells: Sequence[Mapping[str, Any]], policies: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the tasks' shares of scored trials differ between policies that have any."""
    counts = {(c["policy"], c["task"]): c["trials"] for c in cells}
    scored = [(p["policy"], p["trials"]) for p in policies if p["trials"]]
    tasks = {c["task"] for c in cells}
    return any(
        counts.get((a, task), 0) * all_b != counts.get((b, task), 0) * all_a
        for (a, all_a), (b, all_b) in pairwise(scored)
        for task in tasks
    )


def _calibration(calibration: Calibration) -> dict[str, Any]:
    counts, worth = calibration.counts, calibration.worth
    both = {"tpr": true_positive_rate(counts, worth), "fpr": false_positive_rate(counts, worth)}
    rates = {name: {"rate": r.value, "low": r.low, "high": r.high} for name, r in both.items()}
    return {"videos": counts.successes + counts.failures, **rates}


def cell_numbers(
    trials: Sequence[TrialRecord],
    calibration: Calibration | None = None,
    known: Mapping[Key, Counted] = MappingProxyType({}),
) -> dict[str, Any]:
    """The numbers of one cell, from one record a trial.   known: truth of whole groups, by policy
    and group."""
    scored = [(r.score, r.task) for r in trials if r.score is not None]
    rate = score_rate([score for score, _ in scored], [task for _, task in scored])
    failed = sum(not r.finished for r in trials)
    counts: dict[str, Any] = {
        "trials": rate.trials,
        "successes": _whole(rate.successes),
        "unscored": len(trials) - failed - len(scored),
        "failed": failed,
        "frames": rate.frames,
        "rate": rate.value,
        "low": rate.low,
        "high": rate.high,
    }
    if calibration is not None:
        verdicts = [(r.succeeded, r.task) for r in trials if r.succeeded is not None]
        right = calibration.corrected(
            [said for said, _ in verdicts], [task for _, task in verdicts]
        )
        counts["corrected"] = {"rate": right.value, "low": right.low, "high": right.high}
    truth = _truth(trials, known)
    if not truth.trials:
        return counts
    return counts | {
        "truth_trials": truth.trials,
        "truth_successes": _whole(truth.successes),
        "truth_rate": truth.value,
        "truth_low": truth.low,
        "truth_high": truth.high,
    }


def _truth(trials: Sequence[TrialRecord], known: Mapping[Key, Counted]) -> Rate:
    """The true rate: of single trials where they are known, else of their group."""
    single = _truths(trials)
    told = {(r.policy, r.group) for r in trials if (r.policy, r.task) in single}
    whole = [known[key] for key in {(r.policy, r.group) for r in trials} - told if key in known]
    successes = math.fsum([*single.values(), *(successes for successes, _ in whole)])
    return wilson_rate(successes, len(single) + sum(count for _, count in whole))


def _truths(trials: Iterable[TrialRecord]) -> dict[tuple[str, str], bool]:
    """Known truth of each (policy, task). InputError where the log contradicts itself."""
    truths: dict[tuple[str, str], bool] = {}
    for r in trials:
        if r.truth is not None and truths.setdefault((r.policy, r.task), r.truth) != r.truth:
            raise InputError(
                f"the log holds both outcomes as truth of {r.policy} on {r.task}; rerun it with "
                f"one set of truths"
            )
    return truths


def _whole(number: float) -> int | float:
    """12.0 => 12, so that counts read as counts."""
    return int(number) if number.is_integer() else number
