"""Commands that measure whether a world can be trusted."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from worldgym.cli.options import (
    EngineName,
    InverseDynamicsPlace,
    JudgePlace,
    Policies,
    Positional,
    TasksPlace,
    WorldName,
    WorldPlace,
)
from worldgym.cli.output import command_line, end_as
from worldgym.errors import InputError

if TYPE_CHECKING:
    from worldgym.trust.controls import Truth


@dataclass(frozen=True)
class Trust:
    """Measure whether a world can be trusted, by recorded episodes (--data) or by policies
    (--policy and --tasks), or both. Control arms, replay, action following and P(verdict wrong)
    give each task a colour: green, amber or red. Exit codes 3 and 4 as for `worldgym evaluate`,
    for the closed loop of --policy."""

    world: Positional[WorldName]
    """a WorldGym checkpoint"""
    data: Path | None = None
    """episode store that the world was not trained on, successes and failures"""
    policy: Policies = ()
    """policies whose closed loop is measured: "still", "random", or folders"""
    tasks: TasksPlace | None = None
    """folder of NAME.png + NAME.json for these policies"""
    judge: JudgePlace | None = None
    """default: "judge" in the world's folder"""
    inverse_dynamics: InverseDynamicsPlace | None = None
    """from `worldgym world train-inverse-dynamics` (default: "inverse-dynamics" in the world's
    folder)"""
    error_predictor: Path | None = None
    """from `worldgym world fit-error-predictor` (default: "error-predictor.json" in the world's
    folder)"""
    trials: int = 10
    """episodes, and trials of each policy, for each group of tasks"""
    batch: int = 20
    seed: int = 0
    simulator: bool = False
    """for tasks of the reference world: also replay the control arms in the simulator, and count
    only successes that did not truly happen"""
    device: str = "auto"
    engine: EngineName = "auto"
    """auto: eager, because the sizes in which it draws are not known beforehand"""
    other_engine: bool = False
    """continue a run that began on another engine or device: numbers differ slightly"""
    on: str = "local"
    workers: int = 0
    gpus: float = 0.0
    out: Path = Path("runs/trust")
    """folder for trust.json, trust.html and the runs of the policies"""
    json: bool = False
    """print trust.json instead of tables"""

    def __call__(self) -> None:
        from worldgym.api import Run
        from worldgym.report.trust_page import print_trust, write_trust_page
        from worldgym.trust.trust_inputs import TrustConfig
        from worldgym.trust.trust_report import measure_trust
        from worldgym.world.world_source import is_foreign

        if is_foreign(self.world):
            raise InputError(
                f"{self.world} is not a WorldGym checkpoint, so its trust cannot be measured; "
                f"`worldgym world check` tests whether it follows the protocol"
            )
        config = TrustConfig(
            Path(self.world),
            self.out,
            self.data,
            self.policy,
            self.tasks,
            self.judge,
            self.inverse_dynamics,
            self.error_predictor,
            self.trials,
            self.batch,
            self.seed,
            command_line(),
            self.device,
            self.other_engine,
            self.on,
            self.workers,
            self.gpus,
            self.engine,
        )
        found = measure_trust(config, self._simulated() if self.simulator else None)
        page = write_trust_page(self.out, found)
        if self.json:
            print(json.dumps(found, indent=2))
        else:
            print_trust(found)
            print(f"trust report: {page}")
        if self.policy and self.tasks:
            end_as([Run(self.out / "run")])

    def _simulated(self) -> Truth:
        from worldgym.evaluation.executor_names import executor_named
        from worldgym.reference.simulated_truth import simulated

        return simulated(executor_named(self.on, self.workers))


@dataclass(frozen=True)
class TrainInverseDynamics:
    """Train the inverse-dynamics model of a world: it estimates actions from frames, and measures
    the distance of frames from the training data."""

    world: Positional[WorldPlace]
    """checkpoint of the world"""
    data: Path
    """the episode store that the world was trained on"""
    out: Path
    """folder for its checkpoint; `worldgym world trust` finds it as "inverse-dynamics" in the
    world's folder"""
    steps: int = 600
    """optimiser steps"""
    seed: int = 0
    device: str = "auto"

    def __call__(self) -> None:
        from worldgym.native.memory import keep_freed_memory
        from worldgym.train.inverse_dynamics_training import (
            InverseDynamicsTrainConfig,
            train_inverse_dynamics,
        )
        from worldgym.train.optimizer import FitConfig
        from worldgym.world.world_checkpoint import load_diffusion_world

        keep_freed_memory()
        fit = FitConfig(steps=self.steps, batch=96, lr=2e-3, warmup=30, seed=self.seed)
        world = load_diffusion_world(self.world, device=self.device)
        config = InverseDynamicsTrainConfig(self.data, self.out, fit=fit)
        inverse_dynamics = train_inverse_dynamics(world.codec, world.spec, config, self.device)
        for name, read in inverse_dynamics.meaning.readable.items():
            correlation = (
                "does not vary"
                if read.correlation is None
                else f"correlation {read.correlation:.2f}"
            )
            print(f"{name}: {correlation} on held-out recordings, rms error {read.rms_error:.3g}")
        print(f"{self.out}: {inverse_dynamics.name}")


@dataclass(frozen=True)
class FitErrorPredictor:
    """Fit a predictor of wrong verdicts on runs with known truth. Run it again to resume."""

    world: Positional[WorldPlace]
    """the world that the runs were made in"""
    run: tuple[Path, ...]
    """finished runs with known truth: of imitation policies, of policies with other motions, and in
    edited scenes"""
    judge: JudgePlace
    """the judge of the runs"""
    out: Path
    """folder for signals.jsonl, error-predictor.json and uncertainty.json; `worldgym world trust`
    finds error-predictor.json in the world's folder"""
    inverse_dynamics: InverseDynamicsPlace | None = None
    """default: "inverse-dynamics" in the world's folder"""
    tasks: TasksPlace | None = None
    """folder of the runs' tasks (default: those that their logs name)"""
    signals: tuple[str, ...] = ()
    """signals to use (default: see docs/trust.md)"""
    futures: int = 0
    """number of replays of each rollout with other noise; each costs as much as the rollout"""
    device: str = "auto"
    json: bool = False

    def __call__(self) -> None:
        from worldgym.report.trust_page import print_uncertainty
        from worldgym.trust.fit_error_predictor import FitRequest, fit_run

        request = FitRequest(self.run, self.out, self.tasks, self.signals, self.device)
        figures = fit_run(request, self.world, self.judge, self.inverse_dynamics, self.futures)
        print(json.dumps(figures, indent=2)) if self.json else print_uncertainty(figures)


@dataclass(frozen=True)
class MeasureMotions:
    """Measure which motions, in which scenes, a world was trained on: a signal of the error
    predictor is the distance of a rollout from them."""

    world: Positional[WorldPlace]
    """checkpoint of the world"""
    data: Path
    """the episode store that the world was trained on"""
    out: Path | None = None
    """default: "known-motions" in the world's folder, where `worldgym world fit-error-predictor`
    and `worldgym world trust` find it"""

    def __call__(self) -> None:
        from worldgym.episodes.store import EpisodeStore
        from worldgym.trust.known_motions import KIND, measure_motions
        from worldgym.world.world_checkpoint import load_diffusion_world, root_of

        out = self.out or root_of(self.world) / KIND
        known = measure_motions(
            load_diffusion_world(self.world).codec, EpisodeStore(self.data), out
        )
        print(f"{out}: {known.name}, {len(known.looks)} samples of recorded motions")


@dataclass(frozen=True)
class MeasureFamiliarity:
    """Measure which frames a world knows, for worlds that were trained without this: unfamiliar
    initial frames are flagged."""

    world: Positional[WorldPlace]
    """checkpoint of the world"""
    data: tuple[Path, ...]
    """episode stores that the world was not trained on, one for each robot"""
    out: Path | None = None
    """default: "familiarity.json" in the world's folder, where `worldgym evaluate` and `worldgym
    world trust` find it"""
    device: str = "auto"

    def __call__(self) -> None:
        from worldgym.world.familiarity import FAMILIARITY_NAME, measure_familiarity
        from worldgym.world.world_checkpoint import load_diffusion_world, root_of

        out = self.out or root_of(self.world) / FAMILIARITY_NAME
        world = load_diffusion_world(self.world, device=self.device)
        known = measure_familiarity(world.codec, self.data, out)
        print(f"{out}: reconstruction error at most {known.limit:.1f}, on {known.frames} frames")
