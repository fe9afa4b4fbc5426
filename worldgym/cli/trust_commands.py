"""Commands that ask whether a world may be believed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from worldgym.cli.output import command_line
from worldgym.cli.places import GaugePlace, JudgePlace, TasksPlace, WorldPlace


@dataclass(frozen=True)
class Check:
    """Whether a world may be believed: control arms, replay, action following, doubt; green, amber
    or red a task."""

    world: tyro.conf.Positional[WorldPlace]
    """checkpoint of a world, or the folder that `worldgym train` wrote"""
    episodes: Path | None = None
    """episode store that the world was not trained on, successes and failures"""
    policy: tuple[str, ...] = ()
    """policies whose closed loop is checked: "still", "random", or folders"""
    tasks: TasksPlace | None = None
    """folder of NAME.png + NAME.json for these policies"""
    judge: JudgePlace | None = None
    """default: "judge" beside the world"""
    gauge: GaugePlace | None = None
    """from `worldgym trust train` (default: "gauge" beside the world)"""
    probe: Path | None = None
    """from `worldgym trust fit` (default: "probe.json" beside the world)"""
    per_task: int = 10
    """episodes, and trials of each policy, for each group of tasks"""
    batch: int = 20
    seed: int = 0
    out: Path = Path("runs/check")
    """gets check.json, check.html and the run of the policies"""
    json: bool = False
    """print check.json instead of tables"""

    def run(self) -> None:
        from worldgym.report.trust_page import print_check, write_check_page
        from worldgym.trust.world_check import CheckConfig, check_trust

        given = {
            name: value for name, value in vars(self).items() if name not in ("policy", "json")
        }
        found = check_trust(CheckConfig(**given, policies=self.policy, command=command_line()))
        page = write_check_page(self.out, found)
        if self.json:
            print(json.dumps(found, indent=2))
            return
        print_check(found)
        print(f"check: {page}")


@dataclass(frozen=True)
class Train:
    """Make the gauge of a world: what reads actions off its frames and knows what its training data
    look like."""

    data: Path
    """the episode store that the world was trained on"""
    world: WorldPlace
    out: Path
    """put it at "gauge" beside the world, and `worldgym check` takes it up"""
    steps: int = 600
    seed: int = 0

    def run(self) -> None:
        from worldgym.native.memory import keep_freed_memory
        from worldgym.train.inverse_dynamics_training import GaugeTrainConfig, train_gauge
        from worldgym.train.small_loop import FitConfig
        from worldgym.world.load_world import load_world

        keep_freed_memory()
        fit = FitConfig(steps=self.steps, batch=96, lr=2e-3, warmup=30, seed=self.seed)
        world = load_world(self.world)
        gauge = train_gauge(world.codec, world.spec, GaugeTrainConfig(self.data, self.out, fit=fit))
        for name, read in gauge.meaning.readable.items():
            correlation = (
                "does not vary"
                if read.correlation is None
                else f"correlation {read.correlation:.2f}"
            )
            print(f"{name}: {correlation} on recordings held back, rms error {read.rms_error:.3g}")
        print(f"{self.out}: {gauge.name}")


@dataclass(frozen=True)
class Fit:
    """Learn from a run with known truth how likely a verdict is wrong. Run it again to resume."""

    run_folder: tyro.conf.Positional[Path]
    world: WorldPlace
    judge: JudgePlace
    out: Path
    """gets signals.jsonl, probe.json and uncertainty.json; put probe.json beside the world, and
    `worldgym check` takes it up"""
    gauge: GaugePlace | None = None
    """default: "gauge" beside the world"""
    tasks: TasksPlace | None = None
    """folder of the run's tasks (default: the one its log names)"""
    signals: tuple[str, ...] = ()
    """those to use (default: see docs/trust.md)"""
    futures: int = 0
    """replays of each rollout with other noise, each as dear as the rollout"""
    json: bool = False

    def run(self) -> None:
        from worldgym.report.trust_page import print_uncertainty
        from worldgym.trust.fit_error_predictor import FitRequest, fit_run

        request = FitRequest(self.run_folder, self.out, self.tasks, self.signals)
        figures = fit_run(request, self.world, self.judge, self.gauge, self.futures)
        print(json.dumps(figures, indent=2)) if self.json else print_uncertainty(figures)


@dataclass(frozen=True)
class Familiarity:
    """Measure which frames a world knows, for worlds that were trained without: initial frames
    beyond are flagged."""

    world: WorldPlace
    episodes: tuple[Path, ...]
    """episode stores that the world was not trained on, one for each robot"""
    out: Path | None = None
    """default: "familiarity.json" beside the world, where `worldgym evaluate` and `worldgym check`
    find it"""

    def run(self) -> None:
        from worldgym.world.familiarity import FAMILIARITY_NAME, measure_familiarity
        from worldgym.world.load_world import load_world, root_of

        out = self.out or root_of(self.world) / FAMILIARITY_NAME
        known = measure_familiarity(load_world(self.world).codec, self.episodes, out)
        print(f"{out}: reconstruction error at most {known.limit:.1f}, on {known.frames} frames")


@dataclass(frozen=True)
class Trust:
    """What `worldgym check` works with: gauges, probes, and which frames a world knows."""

    action: (
        Annotated[Train, tyro.conf.arg(name="")]
        | Annotated[Fit, tyro.conf.arg(name="")]
        | Annotated[Familiarity, tyro.conf.arg(name="")]
    )

    def run(self) -> None:
        self.action.run()
