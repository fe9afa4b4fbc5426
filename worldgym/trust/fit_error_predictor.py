"""`worldgym world fit-error-predictor`: runs with known truth => the error predictor that says of
a rollout how likely its verdict is wrong. Runs of policies with other motions than imitation
policies, and in edited scenes, show it what else can go wrong.

OUT/signals.jsonl      what was measured: its identity, then one line per rollout; a stopped fit
continues from here. Of a second run: OUT/run-2/signals.jsonl, and so on
OUT/error-predictor.json         coefficients; beside a world as WORLD/error-predictor.json,
                                 `worldgym world trust` takes it up
OUT/uncertainty.json   AUROC, risk-coverage and calibration out of fold, by policy and by task; what
                       each signal brings"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from worldgym.errors import InputError, at_least
from worldgym.evaluation.judge_recorded import rollout_of, task_of
from worldgym.evaluation.rejudge import tasks_of_run
from worldgym.io.attempts import LogOrder
from worldgym.io.files import write_json
from worldgym.io.run_log import LOG_NAME, read_header, read_log
from worldgym.io.run_records import TrialRecord, results
from worldgym.judges.load_judge import load_judge
from worldgym.native.memory import keep_freed_memory
from worldgym.stats.per_frame import Flags
from worldgym.trust.error_predictor import (
    ErrorPredictor,
    auroc,
    fit_logistic,
    flag_threshold,
    out_of_fold,
    scored,
    signal_matrix,
)
from worldgym.trust.error_signals import USED, Instruments, common
from worldgym.trust.inverse_dynamics import InverseDynamicsModel
from worldgym.trust.known_motions import KIND as KNOWN_MOTIONS
from worldgym.trust.known_motions import KnownMotions
from worldgym.trust.measured_signals import measured_signals
from worldgym.trust.rollout_replay import ReplayOptions
from worldgym.types import Rollout
from worldgym.world.model import DiffusionWorld
from worldgym.world.world_checkpoint import beside_world, load_diffusion_world

FLAGGED = 0.1  # share of the fit's rollouts that the error predictor flags
PREDICTOR_NAME = "error-predictor.json"
FIGURES_NAME = "uncertainty.json"


@dataclass(frozen=True)
class FitRequest:
    """runs: finished ones, of one world and judge, whose logs know the truth.   tasks: None = the
    folders that the logs name.

    signals: names of those to use; () = those of `signals.USED` that could be measured.
    device: see `resolve_device`.
    """

    runs: tuple[Path, ...]
    out: Path
    tasks: Path | None = None
    signals: tuple[str, ...] = ()
    device: str = "auto"


def fit_error_predictor(request: FitRequest, instruments: Instruments) -> dict[str, Any]:
    """Writes the three files and returns the figures. InputError if the run is another world's, or
    too little is known."""
    records = list[TrialRecord]()
    rows = list[dict[str, float]]()
    for i, run in enumerate(request.runs, 1):
        own = _known(run, instruments)
        place = request.out if i == 1 else request.out / f"run-{i}"
        rows += measured_signals(run, place, own, instruments, request.tasks)
        records += own
    wrong = np.array([not record.right for record in records])
    if wrong.all() or not wrong.any():
        raise InputError(
            f"{', '.join(map(str, request.runs))}: {int(wrong.sum())} of {len(wrong)} verdicts are "
            f"wrong; an error predictor needs right and wrong ones"
        )
    signals = request.signals or tuple(name for name in common(rows) if name in USED)
    values = signal_matrix(rows, signals)
    folds = {"policy": [r.policy for r in records], "task": [r.group for r in records]}
    p_wrong = {kind: out_of_fold(values, wrong, names) for kind, names in folds.items()}
    fit = fit_logistic(values, wrong)
    figures: dict[str, Any] = {
        "run": [str(run) for run in request.runs],
        "world": instruments.world.name,
        "judge": instruments.judge.name,
        "inverse_dynamics": instruments.inverse_dynamics.name,
        "out_of_fold": {kind: scored(p, wrong) for kind, p in p_wrong.items()},
        "used": list(signals),
        "signals": _each_signal(rows, signals, wrong, folds),
        "tasks": _each_task(records, p_wrong["policy"], wrong),
    }
    write_json(request.out / FIGURES_NAME, figures)
    ErrorPredictor(
        signals,
        tuple(map(float, fit.mean)),
        tuple(map(float, fit.deviation)),
        tuple(map(float, fit.coefficients)),
        fit.intercept,
        flag_threshold(fit.p_wrong(values), FLAGGED),
        instruments.world.name,
        instruments.judge.name,
        {
            "futures": instruments.futures,
            "inverse_dynamics": instruments.inverse_dynamics.name,
            **instruments.motions_fact,
            **figures["out_of_fold"],
        },
    ).save(request.out / PREDICTOR_NAME)
    return figures


def fit_run(
    request: FitRequest,
    world: Path,
    judge: Path,
    inverse_dynamics: Path | None = None,
    futures: int = 0,
) -> dict[str, Any]:
    """Loads world, judge and inverse-dynamics model (None = the one beside the world), then
    `fit_error_predictor`."""
    at_least("--futures", futures)
    keep_freed_memory()
    folder = inverse_dynamics or beside_world(world, "inverse-dynamics")
    if folder is None:
        raise InputError(
            f"{world}: the folder has no inverse-dynamics model; make one with `worldgym "
            f"world "
            f"train-inverse-dynamics`, or "
            f"give --inverse-dynamics"
        )
    loaded = load_diffusion_world(world, device=request.device)
    reader = InverseDynamicsModel.load(folder, request.device)
    reader.check(loaded.codec, loaded.spec)
    headers = [read_header(run / LOG_NAME) for run in request.runs]
    samplers = [header.config.get("sampler", {}) for header in headers]
    if odd := next((i for i, one in enumerate(samplers) if one != samplers[0]), None):
        raise InputError(
            f"{request.runs[odd]} was made with another sampler than {request.runs[0]}; fit on "
            f"runs of one setting"
        )
    # the runs' own, which options may have changed
    loaded = loaded.with_sampler(**samplers[0])
    replaying = ReplayOptions(
        chunks={str(p["name"]): int(p["chunk"]) for header in headers for p in header.policies}
    )
    instruments = Instruments(
        loaded,
        loaded.codec,
        reader,
        load_judge(judge, device=request.device),
        replaying,
        futures,
        motions_beside(world, loaded),
    )
    return fit_error_predictor(request, instruments)


def motions_beside(world: Path, loaded: DiffusionWorld) -> KnownMotions | None:
    """Those in the world's folder; None if there is nothing does. CheckpointError where they are of
    another codec or other actions."""
    folder = beside_world(world, KNOWN_MOTIONS)
    if folder is None:
        return None
    motions = KnownMotions.load(folder)
    motions.check(loaded.codec, loaded.spec)
    return motions


def rollouts_of(run: Path) -> tuple[list[Rollout], list[TrialRecord], Mapping[str, int]]:
    """(rollouts with their actions, their scored records, chunk of each policy) of a run, in the
    order in which one process logs them, whoever computed them. InputError if it kept no
    actions."""
    header, records = read_log(run / LOG_NAME)
    folder = tasks_of_run(run)
    place = LogOrder.of(header.policies)
    kept = [r for r in results(records).finished if r.score is not None and r.video is not None]
    kept.sort(key=lambda r: place(r.key, r.group, r.steps))
    rollouts = [rollout_of(run, header, record, task_of(folder, record)) for record in kept]
    if any(rollout.actions.shape[1] == 0 for rollout in rollouts):
        raise InputError(
            f"{run}: its actions were not kept, because an older version made it; evaluate "
            f"again into a new folder"
        )
    return rollouts, kept, {str(p["name"]): int(p["chunk"]) for p in header.policies}


def _known(run: Path, instruments: Instruments) -> list[TrialRecord]:
    header, records = read_log(run / LOG_NAME)
    for what, own, theirs in (
        ("world", header.world, instruments.world.name),
        ("judge", header.judge, instruments.judge.name),
    ):
        if own != theirs:
            raise InputError(
                f"{run} was made with the {what} {own}, not with {theirs}; give that {what}"
            )
    known = [r for r in results(records).finished if r.right is not None and r.video is not None]
    if not known:
        raise InputError(f"{run}: no scored trial has a known truth; evaluate with --truth")
    return known


def _each_signal(
    rows: Sequence[Mapping[str, float]],
    signals: Sequence[str],
    wrong: Flags,
    folds: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    """AUROC of each signal by itself, and of the error predictor with it changed sides: without it
    if it is used, else with it."""
    found: dict[str, Any] = {}
    for name in common(rows):
        others = (
            [other for other in signals if other != name] if name in signals else [*signals, name]
        )
        changed = {
            kind: auroc(out_of_fold(signal_matrix(rows, others), wrong, names), wrong)
            for kind, names in folds.items()
        }
        key = "predictor_without" if name in signals else "predictor_with"
        found[name] = {"alone": auroc(signal_matrix(rows, [name])[:, 0], wrong), key: changed}
    return found


def _each_task(records: Sequence[TrialRecord], p_wrong: Any, wrong: Flags) -> dict[str, Any]:
    """Share of wrong verdicts of each group of tasks, and what was expected of policies that the
    fit had not seen."""
    groups = np.array([record.group for record in records])
    return {
        str(group): {
            "rollouts": int((groups == group).sum()),
            "wrong": float(wrong[groups == group].mean()),
            "p_wrong": float(p_wrong[groups == group].mean()),
        }
        for group in sorted(set(groups))
    }
