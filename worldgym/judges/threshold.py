"""Choosing a classifier's threshold on a finished run whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from worldgym.errors import InputError
from worldgym.io.checkpoint import read_config
from worldgym.io.run_log import LOG_NAME, read_log
from worldgym.io.run_records import results
from worldgym.judges.classifier import ClassifierJudge
from worldgym.judges.classifier_agreement import KnownProbability, fit_rates


@dataclass(frozen=True)
class ThresholdConfig:
    """run: judged by `judge`, with true results.   out: folder for the judge with its new
    threshold."""

    run: Path
    judge: Path
    out: Path


def set_threshold(config: ThresholdConfig) -> ClassifierJudge:
    """Saves the judge with the threshold that gives the run's true rates best. InputError where the
    run is another judge's, or knows no truth."""
    judge = ClassifierJudge.load(config.judge)
    header, records = read_log(config.run / LOG_NAME)
    if header.judge != judge.name:
        raise InputError(
            f"{config.run}: judged by {header.judge}, and {config.judge} is {judge.name}; run "
            f"`worldgym judge rejudge`"
        )
    known = [
        KnownProbability(f"{record.policy}/{record.group}", record.truth, record.probability)
        for record in results(records).finished
        if record.truth is not None and record.probability is not None
    ]
    if not known:
        raise InputError(
            f"{config.run}: no trial has a true result; give its tasks a truth.csv and evaluate "
            f"again"
        )
    decision = fit_rates(known)
    facts = {
        key: value
        for key, value in read_config(config.judge).items()
        if key not in ("kind", "net", "decision")
    }
    facts |= {
        "decided": {
            "run": config.run.name,
            "trials": len(known),
            "before": judge.decision.threshold,
        }
    }
    card = (
        f"# Success classifier\n\n{judge.name} with another threshold, {decision.threshold:.3f}: "
        f"with it the rates of "
        f"{len(known)} trials of a run lie nearest to the true ones. Its recipe, and its agreement "
        f"on recordings with the "
        "threshold that it had before, stand in config.json.\n"
    )
    ClassifierJudge(judge.net, decision, "decided").save(config.out, facts, card)
    return ClassifierJudge.load(config.out)
