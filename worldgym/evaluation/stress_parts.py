"""The world, policy and judge of a stress search: loaded by name, here and in worker processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from worldgym.evaluation.provenance import Origin
from worldgym.judges.judge_protocol import Judge
from worldgym.judges.load_judge import load_judge
from worldgym.native.memory import keep_freed_memory
from worldgym.policies.load_policy import load
from worldgym.policies.policy_protocol import Policy
from worldgym.world.engine_choice import Work, engine_told, known_engine, lengths, on_engine
from worldgym.world.world_checkpoint import load_diffusion_world
from worldgym.world.world_protocol import World


@dataclass(frozen=True)
class StressSources:
    """Folders, or the name of a policy.   device: see `resolve_device`.   engine: see
    `on_engine`.   judge_budget_usd: what all verdicts of the search may cost, None = no limit."""

    world: Path
    policy: str
    tasks: Path
    judge: Path
    edits: Path
    device: str = "auto"
    engine: str = "auto"
    judge_budget_usd: float | None = None


@dataclass(frozen=True)
class StressParts:
    """again: loads the same parts in a worker process; None = they are sent to it."""

    world: World[Any]
    policy: Policy[Any]
    judge: Judge
    origin: Origin = field(default_factory=Origin)
    again: Callable[[], StressParts] | None = None


def load_stress_parts(sources: StressSources, work: Work | None = None) -> StressParts:
    """work: but for the lengths of chunks, which are the policy's."""
    keep_freed_memory()
    world = load_diffusion_world(sources.world, device=sources.device)
    loaded = load(sources.policy, world.spec, sources.device)
    judge = load_judge(sources.judge, sources.judge_budget_usd, device=sources.device)
    chunks = lengths([loaded.policy.chunk], world.config.sampler.longest_chunk)
    work = work and replace(work, chunks=chunks)
    world = on_engine(world, known_engine(sources.engine), work)
    again = partial(load_stress_parts, replace(sources, engine=engine_told(world.computes)))
    return StressParts(world, loaded.policy, judge, Origin.of(world, [loaded]), again)
