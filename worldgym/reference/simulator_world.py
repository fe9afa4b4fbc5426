"""A simulator as a `World` like any other, and a judge that reads its success: Meta-World
(`worldgym.reference.simulator`) or the Panda (`worldgym.reference.panda`).

A picture does not contain a simulator's state: `SimulatorWorld.task` draws the initial frame of a
seed, and `reset` knows the seeds of the frames that were drawn. A state holds all that the physics
depends on, so it may be kept, branched and stepped again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

from worldgym.errors import InputError
from worldgym.reference.reference_tasks import STEPS
from worldgym.tasks.task_digest import frame_digest
from worldgym.types import Actions, ActionSpec, Frames, Rollout, Task, Verdict
from worldgym.world.capabilities import PLAIN, Capabilities


class Sight(Protocol):
    """What a simulator shows. frames: uint8 [V, H, W, 3] of all views.   success: as of now."""

    @property
    def frames(self) -> Frames: ...

    @property
    def success(self) -> bool: ...


class Told(Protocol):
    """What a task is told by."""

    @property
    def instruction(self) -> str: ...

    @property
    def partial_credit(self) -> str: ...


class Steppable(Protocol):
    """One scene of a simulator. kind: which simulator.   group: of its tasks.   size: pixels of
    every view, both ways.   axis: in which the scene looks otherwise, "" = as it is."""

    @property
    def kind(self) -> str: ...
    @property
    def group(self) -> str: ...
    @property
    def task(self) -> Told: ...
    @property
    def spec(self) -> ActionSpec: ...
    @property
    def views(self) -> tuple[str, ...]: ...
    @property
    def size(self) -> int: ...
    @property
    def axis(self) -> str: ...

    def reset(self, seed: int) -> Sight: ...

    def step(self, action: Actions, draw: bool = True) -> Sight:
        """action: float32 [A].   Without `draw` the frames may be the last ones drawn."""
        ...

    def snapshot(self) -> Any:
        """As of now; `restore` continues from it with exactly the same steps."""
        ...

    def restore(self, snapshot: Any) -> None: ...


@dataclass(frozen=True)
class SimulatorRow:
    """One trial. frames: the newest that were drawn, [V, H, W, 3].   acted: digest of the initial
    frame and the actions since, `steps` of them.   first_success: after how many success was seen,
    None = not yet."""

    snapshot: Any
    frames: Frames
    acted: bytes
    steps: int = 0
    first_success: int | None = None


SimulatorState = tuple[SimulatorRow, ...]


class SimulatorWorld:
    """One scene of the reference world, rows one after the other.

    brief:  a row that has succeeded stands still; success and its step are the same, sooner.
    sparse: only the last frame of a chunk is drawn, and repeated for those before it: enough for a
            policy that looks at the newest frame alone. Drawing takes most of a step's time."""

    def __init__(
        self, simulator: Steppable, variation: str = "", brief: bool = False, sparse: bool = False
    ) -> None:
        """variation: its name, as part of the tasks' names; the simulator has it already."""
        self.simulator = simulator
        self._brief = brief
        self._sparse = sparse
        group = simulator.group
        self.group = varied(variation, group)
        self._nominal = group if variation else None
        self._seeds = dict[str, int]()
        self._outcomes = dict[bytes, int | None]()

    @property
    def name(self) -> str:
        return f"{self.simulator.kind}:{self.group}"

    @property
    def spec(self) -> ActionSpec:
        return self.simulator.spec

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        return self.simulator.size, self.simulator.size, 3

    @property
    def views(self) -> tuple[str, ...]:
        return self.simulator.views

    @property
    def capabilities(self) -> Capabilities:
        return PLAIN

    def task(self, seed: int, steps: int = STEPS) -> Task:
        """The start state of a seed, "GROUP/SEED". Those of a variation know their nominal twin, as
        edited tasks do. Of two seeds with one picture, `reset` takes the one asked for last."""
        main, *further = self.simulator.reset(seed).frames
        asked = self.simulator.task
        self._seeds[frame_digest(main)] = seed
        return Task(
            f"{self.group}/{seed}",
            self.group,
            main,
            asked.instruction,
            steps,
            asked.partial_credit,
            nominal=None if self._nominal is None else f"{self._nominal}/{seed}",
            axis=self.simulator.axis,
            others=dict(zip(self.views[1:], further, strict=True)),
        )

    def reset(self, frames: Frames, seeds: Sequence[int]) -> SimulatorState:
        """frames: uint8 [B, V, H, W, 3], each of a `task`. The trials' seeds change nothing:
        physics has no noise. InputError for a frame that was not drawn here."""
        rows = []
        for main in frames[:, 0]:
            digest = frame_digest(main)
            if digest not in self._seeds:
                raise InputError(
                    f"{self.name}: no start state of the simulator looks like this initial frame; "
                    f"use tasks from the simulator"
                )
            sight = self.simulator.reset(self._seeds[digest])
            rows.append(SimulatorRow(self.simulator.snapshot(), sight.frames, digest.encode()))
        return tuple(rows)

    def step(self, state: SimulatorState, actions: Actions) -> tuple[SimulatorState, Frames]:
        """actions: float32 [B, h, A] => (new state, uint8 [B, h, V, H, W, 3]); `state` stays
        valid."""
        moved = [self._step_row(row, chunk) for row, chunk in zip(state, actions, strict=True)]
        return tuple(row for row, _ in moved), np.stack([frames for _, frames in moved])

    def _step_row(self, row: SimulatorRow, chunk: Actions) -> tuple[SimulatorRow, Frames]:
        frames = [row.frames]
        steps = row.steps
        found = row.first_success
        self.simulator.restore(row.snapshot)
        for left, action in zip(range(len(chunk), 0, -1), chunk, strict=True):
            steps += 1
            if self._brief and found is not None:
                frames.append(frames[-1])
                continue
            sight = self.simulator.step(action, draw=not self._sparse or left == 1)
            frames.append(sight.frames)
            if sight.success and found is None:
                found = steps
        still = self._brief and row.first_success is not None
        snapshot = row.snapshot if still else self.simulator.snapshot()
        self._outcomes.pop(row.acted, None)
        acted = _acted(row.acted, chunk)
        self._outcomes[acted] = found
        return SimulatorRow(snapshot, frames[-1], acted, steps, found), np.stack(frames[1:])

    def first_success(self, rollout: Rollout) -> int | None:
        """After how many of its actions success was seen, None = never. What was not stepped to
        its very end is replayed."""
        acted = _acted(frame_digest(rollout.main[0]).encode(), rollout.actions)
        if acted not in self._outcomes:
            self.step(self.reset(rollout.frames[:1], [rollout.trial.seed]), rollout.actions[None])
        return self._outcomes[acted]


class SimulatorJudge:
    """Success as the simulator sees it; `first_success_step` is among the verdict's provenance."""

    name = "simulator"
    concurrency = 1
    settings: Mapping[str, Any] = MappingProxyType({"kind": "simulator"})

    def __init__(self, world: SimulatorWorld) -> None:
        self._world = world

    def __call__(self, rollout: Rollout, task: Task) -> Verdict:
        step = self._world.first_success(rollout)
        return Verdict(float(step is not None), self.name, provenance={"first_success_step": step})


def varied(variation: str, group: str) -> str:
    """Group of the tasks of a variation; "" is the scene as it is."""
    return f"{variation}/{group}" if variation else group


def _acted(before: bytes, actions: Actions) -> bytes:
    """Digest of a start and the actions since, whatever the chunks were."""
    for action in np.ascontiguousarray(actions, np.float32):
        before = hashlib.sha256(before + action.tobytes()).digest()
    return before
