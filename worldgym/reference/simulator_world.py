"""The simulator as a `World` like any other, and a judge that reads its success.

A picture does not say how a simulator stands: `SimulatorWorld.task` draws the initial frame of a
seed, and `reset` knows the seeds of the frames that were drawn. A state holds all that the physics
depends on, so it may be kept, branched and stepped again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from worldgym.errors import InputError
from worldgym.reference.reference_tasks import METAWORLD_SPEC, STEPS
from worldgym.reference.simulator import Simulator, Snapshot
from worldgym.tasks.task_digest import frame_digest
from worldgym.types import ONE_VIEW, Actions, ActionSpec, Frames, Rollout, Task, Verdict
from worldgym.world.world_card import PLAIN, Capabilities


@dataclass(frozen=True)
class SimulatorRow:
    """One trial. frame: the newest that was drawn.   acted: digest of the initial frame and the
    actions since, `steps` of them.   first_success: after how many success was seen, None = not
    yet."""

    snapshot: Snapshot
    frame: Frames
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
        self, simulator: Simulator, variation: str = "", brief: bool = False, sparse: bool = False
    ) -> None:
        """variation: its name, as part of the tasks' names; the simulator has it already."""
        self.simulator = simulator
        self._brief = brief
        self._sparse = sparse
        group = simulator.task.name
        self.group = varied(variation, group)
        self._nominal = group if variation else None
        self._seeds = dict[str, int]()
        self._outcomes = dict[bytes, int | None]()

    @property
    def name(self) -> str:
        return f"metaworld:{self.group}"

    @property
    def spec(self) -> ActionSpec:
        return METAWORLD_SPEC

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        return self.simulator.size, self.simulator.size, 3

    @property
    def views(self) -> tuple[str, ...]:
        return ONE_VIEW

    @property
    def capabilities(self) -> Capabilities:
        return PLAIN

    def task(self, seed: int, steps: int = STEPS) -> Task:
        """The start state of a seed, "GROUP/SEED". Those of a variation know their nominal twin, as
        edited tasks do. Of two seeds with one picture, `reset` takes the one asked for last."""
        frame = self.simulator.reset(seed).frame
        asked = self.simulator.task
        self._seeds[frame_digest(frame)] = seed
        return Task(
            f"{self.group}/{seed}",
            self.group,
            frame,
            asked.instruction,
            steps,
            asked.partial_credit,
            nominal=None if self._nominal is None else f"{self._nominal}/{seed}",
            axis=self.simulator.change.axis,
        )

    def reset(self, frames: Frames, seeds: Sequence[int]) -> SimulatorState:
        """frames: uint8 [B, 1, H, W, 3], each of a `task`. The trials' seeds change nothing:
        physics has no noise. InputError for a frame that was not drawn here."""
        rows = []
        for frame in frames[:, 0]:
            digest = frame_digest(frame)
            if digest not in self._seeds:
                raise InputError(
                    f"{self.name}: no start state was drawn that looks like this initial frame; "
                    f"take the tasks from the simulator"
                )
            self.simulator.reset(self._seeds[digest])
            rows.append(SimulatorRow(self.simulator.snapshot(), frame, digest.encode()))
        return tuple(rows)

    def step(self, state: SimulatorState, actions: Actions) -> tuple[SimulatorState, Frames]:
        """actions: float32 [B, h, A] => (new state, uint8 [B, h, 1, H, W, 3]); `state` stays
        valid."""
        moved = [self._play(row, chunk) for row, chunk in zip(state, actions, strict=True)]
        return tuple(row for row, _ in moved), np.stack([frames for _, frames in moved])[:, :, None]

    def _play(self, row: SimulatorRow, chunk: Actions) -> tuple[SimulatorRow, Frames]:
        frames = [row.frame]
        steps = row.steps
        found = row.first_success
        self.simulator.restore(row.snapshot)
        for left, action in zip(range(len(chunk), 0, -1), chunk, strict=True):
            steps += 1
            if self._brief and found is not None:
                frames.append(frames[-1])
                continue
            sight = self.simulator.step(action, draw=not self._sparse or left == 1)
            frames.append(sight.frame)
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
        its very end is played again."""
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
