"""What speaks for a wrong verdict on a trial, gathered for its page."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from worldgym.errors import CheckpointError
from worldgym.io.bundled import NAME, bundled
from worldgym.io.run_records import RunHeader, TrialRecord

P_WRONG = "p_wrong"


def signals_of(
    folder: Path, header: RunHeader, record: TrialRecord, own: list[TrialRecord]
) -> dict[str, float]:
    """Signals that a scored trial's verdict is wrong, {} of an unscored one: those of the verdict
    and of the policy's other trials on the task; those that `worldgym world trust` or
    `fit-error-predictor` measured of this run and left in its folder, the one that it lies in, or
    one beside it; and, where an error predictor of this world and judge knows all of its signals,
    `p_wrong`.
    own: scored trials of this policy and task, this one among them. Loads PyTorch."""
    from worldgym.trust.error_signals import other_trial_signals, verdict_signals
    from worldgym.trust.measured_signals import kept_signals

    if record.score is None:
        return {}
    measured, place = kept_signals(folder, header, record)
    company = other_trial_signals(own)
    mine = next(i for i, other in enumerate(own) if other.key == record.key)
    found = verdict_signals(record) | measured | company[mine]
    return _p_wrong(place, header, found) | found


def _p_wrong(place: Path, header: RunHeader, signals: Mapping[str, float]) -> dict[str, float]:
    """From the predictor beside the signals, else from the one beside the run's world."""
    from worldgym.trust.error_predictor import ErrorPredictor
    from worldgym.trust.fit_error_predictor import PREDICTOR_NAME
    from worldgym.world.world_checkpoint import beside_world

    world = world_of(header)
    files = [place / PREDICTOR_NAME, None if world is None else beside_world(world, PREDICTOR_NAME)]
    known = (ErrorPredictor.load(file) for file in files if file is not None and file.is_file())
    for one in known:
        fits = (one.world, one.judge) == (header.world, header.judge)
        if fits and set(one.signals) <= set(signals):
            return {P_WRONG: float(one.p_wrong([signals])[0])}
    return {}


def world_named(header: RunHeader) -> str:
    """As the command of the run named its world; "" where it does not say."""
    try:
        words = shlex.split(header.command)
    except ValueError:
        return ""
    if "--world" in words[:-1]:
        return words[words.index("--world") + 1]
    return NAME if "demo" in words else ""


def world_of(header: RunHeader) -> Path | None:
    """The checkpoint of a run's world; None where it is not here."""
    try:
        path = bundled(world_named(header) or ".", "world")
    except CheckpointError:
        return None
    return path if path.is_dir() and world_named(header) else None
