"""From the run log to the numbers of summary.json."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from worldgym.errors import InputError
from worldgym.files import write_json
from worldgym.log import RunHeader, TrialRecord, results
from worldgym.stats.calibration import Calibration, false_positive_rate, true_positive_rate
from worldgym.stats.expenses import expenses
from worldgym.stats.perturbation import perturbed, split
from worldgym.stats.rates import Rate, score_rate, wilson_rate
from worldgym.stats.reasons import reasons
from worldgym.stats.series import checkpoint_series
from worldgym.stats.studies import compare
from worldgym.stats.trusted import Check
from worldgym.stats.truth import truth_agreement

SUMMARY_NAME = "summary.json"
Key = tuple[str, str]  # policy, group
Counted = tuple[float, int]  # successes, trials


def write_summary(run: Path, header: RunHeader, records: Iterable[TrialRecord], include_red: bool = False) -> dict[str, Any]:
    """Writes RUN/summary.json, corrected by RUN/calibration.json where that is, and returns what it holds.

    Tasks that RUN/check.json calls red stay out of the headline numbers, unless `include_red`.
    """
    summary = summarize(header, records, Calibration.of_run(run), Check.of_run(run, include_red))
    write_json(run / SUMMARY_NAME, summary)
    return summary


def summarize(
    header: RunHeader, records: Iterable[TrialRecord], calibration: Calibration | None = None, check: Check | None = None
) -> dict[str, Any]:
    """The content of summary.json: plain JSON, None where a number is not defined, never NaN.

    cells:     one entry for every policy and task of the log, where "task" is the tasks' group: trials, successes,
               unscored, failed, rate, low, high (95 %, see rates.score_rate), and, where the truth is known, truth_trials,
               truth_successes, truth_rate, truth_low, truth_high. Policies in the header's order, tasks by name. Truth known of
               a group as a whole (the header's `truths`) counts where that of its single trials is not known.
    policies:  the same over all tasks of a policy, trials pooled.
    perturbed: what edited tasks cost each policy against their nominal twins (see perturbation.perturbed), or None. All figures
               above and below are of tasks that are not the edited twin of another in the log.
    reasons:   why trials were not scored: failed and unscored, a list of {reason, trials} each (see reasons.py).
    comparisons, ranking: the policies against each other on common trials (see studies.compare).
    agreement: see truth.truth_agreement.
    series:    policies that are checkpoints of one training (see series.py).
    expenses:  time, votes and money over all attempts (see expenses.py), and under policies the same for each of them.
    config, command, world, judge: the header's.
    With a calibration of the run's judge, cells and policies also have corrected: {rate, low, high}, the share of full
    successes without the judge's errors (None and 0 to 1 where it cannot be told), and calibration: {videos, tpr, fpr}.
    With a check of the run's world, trust: {world, tasks: {task: {colour, reason}}, left_out, include_red}, and cells have
    trust, their task's colour. Tasks left out are in cells alone: policies, agreement, comparisons and ranking lack them.

    `trials` counts scored trials only: a trial whose judge declined (unscored) or that never finished (failed) leaves
    the denominator and is counted apart; trials + unscored + failed = all trials of the cell. `successes` is the sum of
    scores, so partial credit is a fraction. `truth_trials` counts distinct tasks (start frames) of the cell whose truth
    is known, however often they were repeated and whatever the judge said of them.
    """
    records = list(records)
    if calibration is not None:
        calibration.check(header.judge)
    ordinary, _ = split(records)
    outcome = results(ordinary)
    trials = outcome.finished + outcome.failed
    left_out: frozenset[str] = frozenset()
    if check is not None:
        check.match(header.world)
        left_out = check.left_out([r.group for r in trials])
    order = {str(policy["name"]): i for i, policy in enumerate(header.policies)}
    names = sorted({r.policy for r in records}, key=lambda name: (order.get(name, len(order)), name))
    known = {(t["policy"], t["group"]): (float(t["successes"]), int(t["trials"])) for t in header.truths}
    cells, policies = [], []
    for name in names:
        mine = [r for r in trials if r.policy == name]
        policies.append({"policy": name, **tally([r for r in mine if r.group not in left_out], calibration, known)})
        for group in sorted({r.group for r in mine}):
            trust = {} if check is None else {"trust": check.colour(group)}
            numbers = tally([r for r in mine if r.group == group], calibration, known)
            cells.append({"policy": name, "task": group, **numbers, **trust})
    return {
        "cells": cells,
        "policies": policies,
        "reasons": reasons([r for r in trials if r.group not in left_out]),
        "agreement": truth_agreement(
            [c for c in cells if c["task"] not in left_out], [r for r in trials if r.group not in left_out]
        ),
        **compare([r for r in ordinary if r.group not in left_out], names),
        "perturbed": perturbed(records, names),
        "config": dict(header.config),
        "command": header.command,
        "world": header.world,
        "judge": header.judge,
        "series": checkpoint_series(names),
        "expenses": {
            **expenses(records),
            "policies": [{"policy": name, **expenses([r for r in records if r.policy == name])} for name in names],
        },
        **({} if calibration is None else {"calibration": _calibration(calibration)}),
        **({} if check is None else {"trust": check.figures([r.group for r in trials])}),
    }


def _calibration(calibration: Calibration) -> dict[str, Any]:
    counts, worth = calibration.counts, calibration.worth
    both = {"tpr": true_positive_rate(counts, worth), "fpr": false_positive_rate(counts, worth)}
    rates = {name: {"rate": r.value, "low": r.low, "high": r.high} for name, r in both.items()}
    return {"videos": counts.successes + counts.failures, **rates}


def tally(
    trials: Sequence[TrialRecord], calibration: Calibration | None = None, known: Mapping[Key, Counted] = MappingProxyType({})
) -> dict[str, Any]:
    """The numbers of one cell, from one record a trial.   known: truth of whole groups, by policy and group."""
    scored = [(r.score, r.task) for r in trials if r.score is not None]
    rate = score_rate([score for score, _ in scored], [task for _, task in scored])
    failed = sum(not r.finished for r in trials)
    counts: dict[str, Any] = {
        "trials": rate.trials,
        "successes": _whole(rate.successes),
        "unscored": len(trials) - failed - len(scored),
        "failed": failed,
        "rate": rate.value,
        "low": rate.low,
        "high": rate.high,
    }
    if calibration is not None:
        verdicts = [(r.succeeded, r.task) for r in trials if r.succeeded is not None]
        right = calibration.corrected([said for said, _ in verdicts], [task for _, task in verdicts])
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
            raise InputError(f"the log holds both outcomes as truth of {r.policy} on {r.task}; rerun it with one set of truths")
    return truths


def _whole(number: float) -> int | float:
    """12.0 => 12, so that counts read as counts."""
    return int(number) if number.is_integer() else number
