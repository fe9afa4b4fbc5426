"""What `worldgym world trust` is asked for, and what it works with, loaded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError, SpecMismatch
from worldgym.evaluation.executor import LocalExecutor
from worldgym.evaluation.executor_names import executor_named
from worldgym.judges.judge_protocol import Judge
from worldgym.judges.load_judge import load_judge
from worldgym.trust.error_predictor import ErrorPredictor
from worldgym.trust.fit_error_predictor import motions_beside
from worldgym.trust.inverse_dynamics import InverseDynamicsModel
from worldgym.trust.kept_scores import CONTROLS_NAME, KeptScores
from worldgym.trust.known_motions import KnownMotions
from worldgym.trust.rollout_replay import Elsewhere, ReplayOptions
from worldgym.world.engine_choice import known_engine, on_engine
from worldgym.world.familiarity import Familiarity, familiarity_of
from worldgym.world.model import DiffusionWorld
from worldgym.world.world_checkpoint import beside_world, load_diffusion_world
from worldgym.world.world_protocol import World


@dataclass(frozen=True)
class TrustConfig:
    """By what to measure whether a world can be trusted; None = not, or for judge,
    inverse-dynamics model and error predictor: those in the world's folder, if any.

    episodes: an episode store.   policies, tasks: a closed loop.   per_task: episodes, and trials
    of each policy, for each group.   device: see `resolve_device`.   engine: see
    `on_engine`.   other_engine: see `EvaluateConfig`.   on, workers, gpus: see `executor_named`."""

    world: Path
    out: Path
    episodes: Path | None = None
    policies: tuple[str, ...] = ()
    tasks: Path | None = None
    judge: Path | None = None
    inverse_dynamics: Path | None = None
    error_predictor: Path | None = None
    per_task: int = 10
    batch: int = 20
    seed: int = 0
    command: str = ""
    device: str = "auto"
    other_engine: bool = False
    on: str = "local"
    workers: int = 0
    gpus: float = 0.0
    engine: str = "auto"


@dataclass(frozen=True)
class TrustInputs:
    """What a trust report works with. kept: scores of control arms, of a stopped report too.
    inverse-dynamics model, error predictor, familiarity,
    motions: None = what needs them is left out."""

    world: DiffusionWorld
    judge: Judge
    inverse_dynamics: InverseDynamicsModel | None
    error_predictor: ErrorPredictor | None
    replaying: ReplayOptions
    kept: KeptScores
    familiarity: Familiarity | None = None
    motions: KnownMotions | None = None


def trust_world(config: TrustConfig) -> DiffusionWorld:
    """On its engine. The sizes in which it draws are unknown beforehand."""
    world = load_diffusion_world(config.world, device=config.device)
    return on_engine(world, known_engine(config.engine))


def load_inputs(config: TrustConfig) -> TrustInputs:
    """With those in the world's folder where nothing else is named. InputError without a judge;
    CheckpointError where parts do not belong together."""
    world = trust_world(config)
    judge = config.judge or beside_world(config.world, "judge")
    if judge is None:
        raise InputError(f"{config.world}: the folder has no judge; give one with --judge")
    inverse_dynamics_folder = config.inverse_dynamics or beside_world(
        config.world, "inverse-dynamics"
    )
    inverse_dynamics = (
        None
        if inverse_dynamics_folder is None
        else InverseDynamicsModel.load(inverse_dynamics_folder, config.device)
    )
    if inverse_dynamics is not None:
        inverse_dynamics.check(world.codec, world.spec)
    predictor_file = config.error_predictor or beside_world(config.world, "error-predictor.json")
    error_predictor = None if predictor_file is None else ErrorPredictor.load(predictor_file)
    checked = load_judge(judge, device=config.device)
    # workers may compute on other devices than this process
    computed = (world.computes, config.on, str(config.gpus))
    replaying = ReplayOptions(config.batch, elsewhere=_elsewhere(config))
    familiarity = familiarity_of(config.world, world.codec)
    parts = TrustInputs(
        world,
        checked,
        inverse_dynamics,
        error_predictor,
        replaying,
        KeptScores(config.out / CONTROLS_NAME, (world.name, checked.name, *computed)),
        familiarity,
        motions_beside(config.world, world),
    )
    if parts.error_predictor is not None and inverse_dynamics is not None:
        motions = None if parts.motions is None else parts.motions.name
        parts.error_predictor.check(world.name, parts.judge.name, inverse_dynamics.name, motions)
    return parts


def _elsewhere(config: TrustConfig) -> Elsewhere | None:
    executor = executor_named(config.on, config.workers, config.gpus)
    if isinstance(executor, LocalExecutor):
        return None
    return Elsewhere(executor, partial(trust_world, config))


def matching_store(folder: Path, world: World[Any]) -> EpisodeStore:
    """The store, or SpecMismatch where its actions are not the world's."""
    store = EpisodeStore(folder)
    if store.spec != world.spec:
        raise SpecMismatch(f"store {folder}", store.spec, f"world {world.name}", world.spec)
    return store
