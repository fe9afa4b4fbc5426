"""Commands that measure how often world model and judge together err, and correct rates for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from worldgym.cli.options import JudgePlace, Positional, WorldPlace
from worldgym.cli.output import answer


@dataclass(frozen=True)
class CalibrateWorld:
    """Measure how often world model and judge together err, task by task: recorded rollouts of
    policies, successes and failures, are replayed through both. `worldgym report RUN --calibration`
    and `worldgym estimate` correct rates by it. Run it again to resume."""

    world: Positional[WorldPlace]
    """checkpoint of the world"""
    data: tuple[Path, ...]
    """episode stores of real rollouts; the extra field "policy" of an episode names its policy"""
    out: Path
    """folder for calibration.json and replayed.jsonl"""
    judge: JudgePlace | None = None
    """default: "judge" in the world's folder"""
    batch: int = 20
    json: bool = False
    """print calibration.json instead of a table"""

    def __call__(self) -> None:
        from worldgym.errors import InputError
        from worldgym.judges.load_judge import load_judge
        from worldgym.native.memory import keep_freed_memory
        from worldgym.report.calibration_text import evaluator_text
        from worldgym.trust.calibrate_evaluator import calibrate_evaluator
        from worldgym.trust.rollout_replay import ReplayOptions
        from worldgym.world.world_checkpoint import beside_world, load_diffusion_world

        keep_freed_memory()
        judge = self.judge or beside_world(self.world, "judge")
        if judge is None:
            raise InputError(f"{self.world}: the folder has no judge; give one with --judge")
        found = calibrate_evaluator(
            load_diffusion_world(self.world),
            load_judge(judge),
            self.data,
            self.out,
            ReplayOptions(self.batch),
        )
        answer(found, evaluator_text, self.json)


@dataclass(frozen=True)
class ValidateCalibration:
    """Test whether a calibration helps policies that are not in it: each policy of a run with
    known truth is corrected by the other policies, and compared with its truth."""

    run: Positional[Path]
    """run folder whose log has the true result of each trial"""
    calibration: Path | None = None
    """calibration.json of `worldgym world calibrate`, from recordings of the same policies
    (default: the other policies' trials of the run itself)"""
    json: bool = False

    def __call__(self) -> None:
        from worldgym.io.run_log import LOG_NAME, read_log
        from worldgym.report.calibration_text import left_out_text
        from worldgym.stats.left_out_policies import leave_policies_out
        from worldgym.stats.run_calibration import evaluator_calibration_of

        header, records = read_log(self.run / LOG_NAME)
        calibration = None
        if self.calibration is not None:
            calibration = evaluator_calibration_of(
                self.run, self.calibration, header.judge, header.world
            )
        answer(leave_policies_out(header, records, calibration), left_out_text, self.json)
