"""The parts of an evaluation, by name: world, policies, tasks and judge are loaded, and what their
names do not identify is noted for the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from worldgym.actions.kinematics import Arm, robot_digest
from worldgym.errors import InputError
from worldgym.evaluation.batch_size import chosen_batch
from worldgym.evaluation.engine_of_run import engine_of_run
from worldgym.evaluation.plan import EvaluateConfig, EvaluationPlan, plan_evaluation
from worldgym.evaluation.provenance import Origin, is_ours
from worldgym.evaluation.trials import plan_trials
from worldgym.io.bundled import bundled, each_policy
from worldgym.io.devices import resolve_device
from worldgym.io.migration import found_beside
from worldgym.io.output_folder import check_run_folder
from worldgym.io.progress import told_if_slow
from worldgym.io.run_records import ENGINE_KEY
from worldgym.io.user_factory import digest_of_code
from worldgym.judges.judge_protocol import Judge
from worldgym.judges.load_judge import load_judge
from worldgym.native.memory import keep_freed_memory
from worldgym.policies.adapters.converted import spoken_in
from worldgym.policies.adapters.posed import JOINT_MODES, PosedPolicy
from worldgym.policies.load_policy import Loaded, given_name, load
from worldgym.policies.policy_protocol import Policy
from worldgym.stats.world_trust import TRUST_NAME
from worldgym.tasks.known_results import TABLES
from worldgym.tasks.task_folder import load_tasks
from worldgym.types import ActionSpec, Task
from worldgym.world.engine_choice import Work, engine_told, known_engine, lengths, on_engine
from worldgym.world.familiarity import familiarity_of
from worldgym.world.model import DiffusionWorld
from worldgym.world.row_threads import on_all_cores
from worldgym.world.wire.served_world import ServedWorld
from worldgym.world.world_checkpoint import world_folder
from worldgym.world.world_protocol import World
from worldgym.world.world_source import is_foreign, load_world


@dataclass(frozen=True)
class Sources:
    """Where everything comes from: what the loaders take (folders, names, addresses), or objects.
    None leaves the checkpoint's sampler setting.

    judge_budget_usd: what the verdicts of a judge that is loaded may cost, None = no limit.
    device: what world, policies and judge that are loaded compute on, see `resolve_device`;
    policy_device: of the policies, None = the same.
    engine: of a world of ours, see `on_engine`; InputError for "compiled" of another.
    embodiment: see `load_world`.   rule: see `SamplerConfig`.   robot: FILE.urdf:LINK, by which
    policies of joints act in worlds of poses.
    """

    world: str | Path | World[Any]
    policies: tuple[str | Policy[Any], ...]
    tasks: str | Path | Sequence[Task]
    judge: str | Path | Judge
    sampler_steps: int | None = None
    cfg: float | None = None
    judge_budget_usd: float | None = None
    embodiment: str | None = None
    rule: str | None = None
    device: str = "auto"
    policy_device: str | None = None
    engine: str = "auto"
    robot: str | None = None


def load_plan(sources: Sources, config: EvaluateConfig) -> EvaluationPlan:
    """Loads what is no object yet, then `plan_evaluation`."""
    keep_freed_memory()
    sources = _on_known_devices(sources)
    tasks = sources.tasks
    judge = sources.judge
    places = [("policy", given_name(p)[1]) for p in sources.policies if isinstance(p, str | Path)]
    check_run_folder(config.out, tasks, [("world", sources.world), ("judge", judge), *places])
    truth = config.truth
    settings: dict[str, Any] = {}
    if sources.robot is not None:
        settings["robot"] = robot_digest(sources.robot)
    if isinstance(tasks, str | Path):
        folder = bundled(tasks, "tasks")
        settings["tasks"] = str(folder)
        tasks = load_tasks(folder)
        if truth is None and any((folder / table).exists() for table in TABLES):
            truth = folder
    with told_if_slow("worldgym: loading the world"):  # what is cheap to check comes first
        world = _world_of(sources)
    loaded = [_loaded(policy, world.spec, sources) for policy in each_policy(sources.policies)]
    if isinstance(judge, str | Path):
        named = judge
        judge = load_judge(named, sources.judge_budget_usd, device=sources.device)
        if code := digest_of_code("judge", named, judge):
            settings["judge_code"] = code
    place = _folder_of(sources.world) if isinstance(world, DiffusionWorld) else None
    trust = config.trust or (None if place is None else _trust_beside(place))
    chunk = max((known.policy.chunk for known in loaded), default=1)
    batch = chosen_batch(config.batch, world, config.out, chunk)
    config = replace(config, truth=truth, trust=trust, batch=batch)
    origin = Origin.of_parts(loaded, settings, sources.device)
    if isinstance(world, DiffusionWorld):
        familiarity = None if place is None else familiarity_of(place, world.codec)
        engine = engine_of_run(sources.engine, config.out)
        world = on_engine(world, engine, _work(world, loaded, tasks, config))
        origin = Origin.of(world, loaded, settings, familiarity)
        world = on_all_cores(world)
    elif known_engine(sources.engine) == "compiled":
        raise InputError(f"--engine compiled: the world {world.name} is none of ours")
    elif isinstance(world, ServedWorld) and is_ours(world.card.details):
        origin = Origin.of(world, loaded, settings)
    elif isinstance(sources.world, str | Path) and (
        code := digest_of_code("world", sources.world, world)
    ):
        origin = replace(origin, settings={**origin.settings, "world_code": code})
    policies = [known.policy for known in loaded]
    return plan_evaluation(config, world, policies, tasks, judge, origin)


def as_loaded(sources: Sources, plan: EvaluationPlan) -> Sources:
    """For workers: with the engine that was chosen for the plan, by measuring, once."""
    ours = isinstance(sources.world, DiffusionWorld) or (
        isinstance(sources.world, str | Path) and not is_foreign(str(sources.world))
    )
    chosen = engine_told(plan.header.config.get(ENGINE_KEY)) if ours else sources.engine
    return replace(sources, engine=chosen)


def _work(
    world: DiffusionWorld, loaded: Sequence[Loaded], tasks: Sequence[Task], config: EvaluateConfig
) -> Work:
    """What is planned, whether or not some of it is there already."""
    trials = plan_trials(tasks, config.trials, config.seed)
    frames = len(loaded) * sum(trial.task.steps for trial in trials)
    rows = min(config.batch or len(trials), len(trials))
    chunks = [known.policy.chunk for known in loaded]
    return Work(frames, rows, lengths(chunks, world.config.sampler.longest_chunk))


def _world_of(sources: Sources) -> World[Any]:
    """The world, with the sampler that was asked for. InputError where an object cannot have it."""
    changes = {"steps": sources.sampler_steps, "cfg": sources.cfg, "rule": sources.rule}
    changes = {key: value for key, value in changes.items() if value is not None}
    world = sources.world
    if isinstance(world, str | Path):
        world = load_world(world, sources.embodiment, sources.device)
    if not changes:
        return world
    if not isinstance(world, DiffusionWorld):
        raise InputError(f"{', '.join(changes)}: the world {world.name} has no WorldGym sampler")
    return world.with_sampler(**changes)


def _on_known_devices(sources: Sources) -> Sources:
    """With the devices that their words stand for here. InputError for one that is not there."""
    device = resolve_device(sources.device)
    policies = resolve_device(sources.policy_device or device)
    return replace(sources, device=device, policy_device=policies)


def _loaded(policy: str | Policy[Any], spec: ActionSpec, sources: Sources) -> Loaded:
    device = sources.policy_device or sources.device
    loaded = (
        load(policy, spec, device, apart=device != sources.device)
        if isinstance(policy, str | Path)
        else Loaded(spoken_in(policy, spec), None)
    )
    return loaded if sources.robot is None else _by_robot(loaded, spec, sources.robot)


def _by_robot(loaded: Loaded, spec: ActionSpec, robot: str) -> Loaded:
    """With joints told as poses, where the world takes those and the policy none."""
    policy = loaded.policy
    if policy.spec.mode not in JOINT_MODES or spec.mode in JOINT_MODES:
        return loaded
    return replace(loaded, policy=spoken_in(PosedPolicy(policy, Arm.of(robot)), spec))


def _folder_of(world: str | Path | World[Any]) -> Path | None:
    """Of a world of ours that was named; None of an object."""
    return bundled(world, "world") if isinstance(world, str | Path) else None


def _trust_beside(world: Path) -> Path | None:
    """The trust.json in the world's folder, or in the one that holds the world beside its codec;
    None if there is none."""
    folder = world_folder(world)
    places = (folder, folder.parent) if folder.name == "world" else (folder,)
    return found_beside(TRUST_NAME, *places)
