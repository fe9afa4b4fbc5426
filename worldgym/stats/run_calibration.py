"""What corrects the rates of a run: a calibration of its judge alone, or of world model and judge
together. Either lies in the run as RUN/calibration.json."""

from __future__ import annotations

from pathlib import Path

from worldgym.errors import InputError
from worldgym.io.files import read_json
from worldgym.io.records import located
from worldgym.stats.evaluator_calibration import KIND, EvaluatorCalibration
from worldgym.stats.judge_calibration import CALIBRATION_NAME, Calibration

RunCalibration = Calibration | EvaluatorCalibration


def read_calibration(path: Path) -> RunCalibration:
    """From the calibration.json of `worldgym judge calibrate` or `worldgym world calibrate`.
    InputError if it is none."""
    data = read_json(path, "a calibration")
    if not isinstance(data, dict) or data.get("kind") != KIND:
        return Calibration.read(path)
    with located(f"{path}: not a calibration", "make one with `worldgym world calibrate`"):
        return EvaluatorCalibration.from_json(data)


def calibration_of_run(run: Path) -> RunCalibration | None:
    """RUN/calibration.json; None where there is none."""
    path = run / CALIBRATION_NAME
    return read_calibration(path) if path.exists() else None


def evaluator_calibration_of(
    run: Path, path: Path | None, judge: str, world: str
) -> EvaluatorCalibration | None:
    """The one at `path`, else RUN/calibration.json where that is of world model and judge together;
    None where neither is. InputError where `path` holds another kind, or it is of another judge or
    world."""
    found = calibration_of_run(run) if path is None else read_calibration(path)
    if not isinstance(found, EvaluatorCalibration):
        if path is not None:
            raise InputError(
                f"{path}: is of a judge alone; make one of world model and judge together with "
                f"`worldgym world calibrate`"
            )
        return None
    found.check(judge, world)
    return found
