"""From the run log to the numbers of summary.json."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from worldgym.confusion import Confusion
from worldgym.errors import InputError
from worldgym.files import write_json
from worldgym.log import RunHeader, TrialRecord, results
from worldgym.stats.agreement import CellPair, agreement
from worldgym.stats.calibration import Calibration, corrected_rate, false_positive_rate, true_positive_rate
from worldgym.stats.expenses import expenses
from worldgym.stats.rates import score_rate, wilson_rate
from worldgym.stats.series import checkpoint_series
from worldgym.stats.studies import compare

SUMMARY_NAME = "summary.json"


def write_summary(run: Path, header: RunHeader, records: Iterable[TrialRecord]) -> dict[str, Any]:
    """Writes RUN/summary.json, corrected by RUN/calibration.json where that is, and returns what it holds."""
    summary = summarize(header, records, Calibration.of_run(run))
    write_json(run / SUMMARY_NAME, summary)
    return summary


def summarize(header: RunHeader, records: Iterable[TrialRecord], calibration: Calibration | None = None) -> dict[str, Any]:
    """The content of summary.json: plain JSON, None where a number is not defined, never NaN.

    cells:     one entry for every policy and task of the log, where "task" is the tasks' group: trials, successes,
               unscored, failed, rate, low, high (95 %, see rates.score_rate), and, where the truth is known, truth_trials,
               truth_successes, truth_rate, truth_low, truth_high. Policies in the header's order, tasks by name.
    policies:  the same over all tasks of a policy, trials pooled.
    comparisons, ranking: the policies against each other on common trials (see studies.compare).
    agreement: the fields of agreement.Agreement over the n cells in which both rates are known; trial_agreement: share of
               the trial_n scored trials of known truth whose verdict equals it.
    series:    policies that are checkpoints of one training (see series.py).
    expenses:  time, votes and money over all attempts (see expenses.py), and under policies the same for each of them.
    config, command, world, judge: the header's.
    With a calibration of the run's judge, cells and policies also have corrected: {rate, low, high}, the share of full
    successes without the judge's errors (None and 0 to 1 where it cannot be told), and calibration: {videos, tpr, fpr}.

    `trials` counts scored trials only: a trial whose judge declined (unscored) or that never finished (failed) leaves
    the denominator and is counted apart; trials + unscored + failed = all trials of the cell. `successes` is the sum of
    scores, so partial credit is a fraction. `truth_trials` counts distinct tasks (start frames) of the cell whose truth
    is known, however often they were repeated and whatever the judge said of them.
    """
    records = list(records)
    if calibration is not None:
        calibration.check(header.judge)
    outcome = results(records)
    trials = outcome.finished + outcome.failed
    order = {str(policy["name"]): i for i, policy in enumerate(header.policies)}
    names = sorted({r.policy for r in trials}, key=lambda name: (order.get(name, len(order)), name))
    cells, policies = [], []
    for name in names:
        mine = [r for r in trials if r.policy == name]
        policies.append({"policy": name, **tally(mine, calibration)})
        for group in sorted({r.group for r in mine}):
            cells.append({"policy": name, "task": group, **tally([r for r in mine if r.group == group], calibration)})
    return {
        "cells": cells,
        "policies": policies,
        "agreement": _agreement(cells, trials),
        **compare(records, names),
        "config": dict(header.config),
        "command": header.command,
        "world": header.world,
        "judge": header.judge,
        "series": checkpoint_series(names),
        "expenses": {
            **expenses(records),
            "policies": [{"policy": name, **expenses([r for r in records if r.policy == name])} for name in names],
        },
    } | ({} if calibration is None else {"calibration": _calibration(calibration.counts)})


def _calibration(counts: Confusion) -> dict[str, Any]:
    both = {"tpr": true_positive_rate(counts), "fpr": false_positive_rate(counts)}
    rates = {name: {"rate": r.value, "low": r.low, "high": r.high} for name, r in both.items()}
    return {"videos": counts.successes + counts.failures, **rates}


def tally(trials: Sequence[TrialRecord], calibration: Calibration | None = None) -> dict[str, Any]:
    """The numbers of one cell, from one record a trial."""
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
        right = corrected_rate(sum(r.succeeded is True for r in trials), len(scored), calibration.counts)
        counts["corrected"] = {"rate": right.value, "low": right.low, "high": right.high}
    truths = _truths(trials)
    if not truths:
        return counts
    truth = wilson_rate(sum(truths.values()), len(truths))
    return counts | {
        "truth_trials": truth.trials,
        "truth_successes": truth.successes,
        "truth_rate": truth.value,
        "truth_low": truth.low,
        "truth_high": truth.high,
    }


def _agreement(cells: Sequence[Mapping[str, Any]], trials: Iterable[TrialRecord]) -> dict[str, Any]:
    pairs = [
        CellPair(cell["policy"], cell["task"], cell["rate"], cell["truth_rate"], cell["trials"], cell["truth_trials"])
        for cell in cells
        if cell["trials"] and "truth_rate" in cell
    ]
    right = [r.right for r in trials if r.right is not None]
    share = sum(right) / len(right) if right else None
    return {**asdict(agreement(pairs)), "trial_agreement": share, "trial_n": len(right)}


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
