"""Commands that evaluate policies and show the results."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from worldgym.cli.options import (
    BatchSize,
    EngineName,
    JudgePlace,
    Policies,
    Positional,
    RunPlace,
    TasksPlace,
    WorldName,
)
from worldgym.cli.output import command_line, show, show_ran
from worldgym.errors import InputError


@dataclass(frozen=True)
class Demo:
    """Evaluate the bundled policies in the bundled world and write a report. No simulator, no
    network."""

    out: Path = Path("runs/demo")
    """folder for log, videos, summary.json and report.html"""
    full: bool = False
    """all initial frames instead of a few (ten times longer)"""
    trials: int = 0
    """trials per task; 0 = 2, or all initial frames with --full"""
    seed: int = 0
    json: bool = False
    """print summary.json instead of a table"""

    def __call__(self) -> None:
        from worldgym.api import Run
        from worldgym.reference.demo import run_demo

        summary = run_demo(self.out, self.trials, self.full, self.seed, command_line())
        show_ran(Run(self.out, summary), self.json)
        if not self.json:
            print(f"look at it:       worldgym view {self.out}")
            print("steer this world: worldgym play bundled --policy bundled")


@dataclass(frozen=True)
class Evaluate:
    """Roll policies out in a world, let a judge score the videos, and summarise. Run it again to
    resume, or with more policies, trials or tasks to extend the run. With --config FILE.toml
    instead of all options: a sweep, see `worldgym evaluate --config --help`."""

    world: WorldName
    """checkpoint of a world, or the folder that `worldgym world train` wrote; a served one at
    ws://, or your own MODULE:FACTORY"""
    policy: Policies
    """one or more: "still", "random", the folder of a policy, a server at ws:// or http://,
    lerobot:DIR, openvla:DIR, MODULE:FACTORY. NAME=POLICY names it NAME in this run; checkpoints of
    one training, called NAME@STEP (grasp@2000, grasp@20k), are drawn as a line in the report"""
    tasks: TasksPlace
    """folder of tasks, NAME.png + NAME.json each"""
    trials: int
    """trials per task group; initial frames in order, then again with fresh noise"""
    judge: JudgePlace
    """checkpoint of a judge, judge.toml (a model behind a server), "later": people label the
    finished videos, or your own MODULE:FACTORY"""
    out: RunPlace
    """run folder: log, videos, summary.json and report.html; or a folder of an object store,
    s3://BUCKET/FOLDER (docs/cluster)"""
    embodiment: str | None = None
    """which robot's actions the world takes, if its checkpoint holds several"""
    seed: int = 0
    budget: float | None = None
    """limit for the cost of verdicts, in US dollars; then the run stops, and continues with a
    higher limit"""
    truth: TasksPlace | None = None
    """folder with truth.csv of known results (default: the task folder, if it holds one)"""
    batch: BatchSize = 32
    """maximum number of trials advanced together; changes the speed, and results only by float
    rounding. auto: as many as fit into free memory and still gain speed; a resumed run keeps its
    number"""
    sampler_steps: int | None = None
    """network calls per frame (default: the checkpoint's)"""
    cfg: float | None = None
    """guidance strength, 1 = off (default: the checkpoint's)"""
    rule: Literal["recompute", "rolling"] | None = None
    """what happens when the window is full, see docs/world-model.md (default: the checkpoint's)"""
    device: str = "auto"
    policy_device: str | None = None
    """device of policies in this process (default: as --device); if it differs from the world's,
    both compute at the same time"""
    engine: EngineName = "auto"
    shard: str = "1/1"
    """run one part of the trials, e.g. 2/4, in its own run folder, for `worldgym run merge`"""
    max_minutes: float | None = None
    """time limit, from when everything is loaded: no batch starts later, but with --on a worker
    also does the one that it was given before; the same command continues"""
    on: str = "local"
    workers: int = 0
    gpus: float = 0.0
    stall_minutes: float = 0.0
    """stop with exit code 3 if nothing was finished for this long (default: never)"""
    world_trust: Path | None = None
    """trust.json of the world, from `worldgym world trust` (default: the one in the world's folder,
    if any)"""
    include_red: bool = False
    """include tasks that the trust report calls red in the headline numbers"""
    other_engine: bool = False
    """continue a run whose frames were drawn by another engine (another device, compiled or
    not, another number format or version): they differ slightly"""
    robot: str | None = None
    """FILE.urdf:LINK, a robot model with which policies of joint actions act in a world of poses
    (docs/worlds.md)"""
    align: Literal["refuse", "commit", "hold"] = "refuse"
    """if a policy's actions do not fill the steps of the world: commit = execute only as many as
    do, hold = fill up each step and continue from the middle of it (docs/worlds.md)"""
    stop_when_certain: float | None = None
    """end a trial as soon as a classifier gives its video this probability of success, e.g. 0.99:
    fewer frames, but rates slightly too high (see docs/judges.md; default: off)"""
    track: tuple[str, ...] = ()
    """also send the success rates to tensorboard:DIR, wandb:PROJECT, mlflow:EXPERIMENT or
    trackio:PROJECT (docs/sweeps)"""
    json: bool = False
    """print summary.json instead of a table"""

    def __call__(self) -> None:
        from worldgym.api import evaluate

        show_ran(evaluate(**self.asked(command_line())), self.json)

    def asked(self, command: str) -> dict[str, Any]:
        """What `worldgym.api.evaluate` is called with.   command: for the log."""
        given = {option.name: getattr(self, option.name) for option in fields(self)}
        del given["json"]
        return {**given, "shard": _shard(self.shard), "command": command}


@dataclass(frozen=True)
class Report:
    """Write RUN/report.html and RUN/summary.json again from the log."""

    run: Positional[Path]
    """run folder that `worldgym evaluate` wrote"""
    calibration: Path | None = None
    """calibration.json of the run's judge (`worldgym judge calibrate`), or of its world and judge
    together (`worldgym world calibrate`), copied into RUN: corrected rates are shown too"""
    world_trust: Path | None = None
    """trust.json of the run's world, copied into RUN: red tasks are left out of the headline
    numbers"""
    include_red: bool = False
    """include red tasks in the headline numbers"""
    json: bool = False
    """print summary.json instead of a table"""

    def __call__(self) -> None:
        from worldgym.api import Run
        from worldgym.io.files import write_atomic
        from worldgym.stats.judge_calibration import CALIBRATION_NAME
        from worldgym.stats.run_calibration import read_calibration
        from worldgym.stats.world_trust import adopt_trust

        run = Run(self.run)
        if self.calibration is not None:
            found = read_calibration(self.calibration)
            found.check(run.header.judge, run.header.world)
            write_atomic(self.run / CALIBRATION_NAME, self.calibration.read_bytes())
        if self.world_trust is not None:
            adopt_trust(self.run, self.world_trust, run.header.world)
        run.report(self.include_red)
        show(run, self.json)


@dataclass(frozen=True)
class Merge:
    """Join runs of the same world, judge, seed and tasks: shards of one run, or runs of other
    policies, trials or tasks. The result equals the log of a single process."""

    runs: Positional[tuple[Path, ...]]
    """run folders; trials that are in several must agree"""
    out: Path
    """run folder for the result"""
    include_red: bool = False
    """include tasks that the runs' trust reports call red in the headline numbers"""
    json: bool = False
    """print summary.json instead of a table"""

    def __call__(self) -> None:
        from worldgym.api import Run
        from worldgym.evaluation.merge import merge

        show(Run(self.out, merge(self.runs, self.out, self.include_red)), self.json)


@dataclass(frozen=True)
class Export:
    """Write the trials of a run as a table for other programs, and JSON Schemas of its files."""

    run: Positional[Path]
    """run folder"""
    csv: Path | None = None
    """file for the table"""
    parquet: Path | None = None
    """file for the table (needs the extra `data`)"""
    schema: Path | None = None
    """folder for log.schema.json (a line of log.jsonl) and summary.schema.json"""

    def __call__(self) -> None:
        from worldgym.evaluation.export import export, write_schemas

        if not (self.csv or self.parquet or self.schema):
            raise InputError("nothing to write: give --csv, --parquet or --schema")
        rows = export(self.run, self.csv, self.parquet)
        if self.schema:
            write_schemas(self.schema)
        print(f"{self.run}: {rows} attempts")


def _shard(text: str) -> tuple[int, int]:
    """ "2/4" => (2, 4)."""
    part, slash, parts = text.partition("/")
    if not (slash and part.isdecimal() and parts.isdecimal()):
        raise InputError(f'--shard is "{text}": give a part and how many there are, e.g. 2/4')
    return int(part), int(parts)
