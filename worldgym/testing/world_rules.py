"""What a world must hold, and a fake that does.

Axes legend: B batch, T time, h chunk length, H height, W width, A action numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from worldgym.testing.rules import FAKE_SPEC, SEEDS, Shape, check_form, check_spec, require
from worldgym.types import ONE_VIEW, Actions, ActionSpec, Frames
from worldgym.world.world_protocol import World

State = TypeVar("State")
CHUNKS = (1, 3, 1)  # lengths of the chunks that a world is stepped by


def check_world(world: World[State], tolerance: int = 1) -> None:
    """Chunks of any length; the same twice; a state may be stepped again after a detour; a batch is
    its rows one by one.

    tolerance: grey levels of 255 that a row in a batch may differ from the row alone, for float
    rounding. 0 = exact."""
    who = f"world {world.name!r}"
    check_spec(who, world.spec)
    rng = np.random.default_rng(0)
    starts = rng.integers(0, 256, (len(SEEDS), len(world.views), *world.frame_shape), np.uint8)
    shapes = [(len(SEEDS), h, world.spec.size) for h in CHUNKS]
    chunks = [
        rng.uniform(world.spec.low, world.spec.high, shape).astype(np.float32) for shape in shapes
    ]
    frames = _roll(world, starts, SEEDS, chunks)
    again = _roll(world, starts, SEEDS, chunks)
    require(
        np.array_equal(frames, again),
        who,
        "the same initial frames, seeds and actions give other frames the second time",
    )
    branched = _roll(world, starts, SEEDS, chunks, detour=True)
    require(
        np.array_equal(frames, branched),
        who,
        "step changes the state it is given, or keeps a hidden one",
    )
    for b in range(len(SEEDS)):
        alone = _roll(
            world, starts[b : b + 1], SEEDS[b : b + 1], [actions[b : b + 1] for actions in chunks]
        )
        gap = int(np.abs(alone[0].astype(int) - frames[b].astype(int)).max())
        require(
            gap <= tolerance,
            who,
            f"row {b} of a batch differs by {gap} grey levels from the same row alone",
        )


@dataclass(frozen=True)
class FakeState:
    """frames: uint8 [B, V, H, W, 3], the last ones drawn.   step: actions taken."""

    frames: Frames
    seeds: tuple[int, ...]
    step: int


@dataclass(frozen=True)
class FakeWorld:
    """Paints the last action into the upper half of the frame and the trial's own noise into the
    last row.

    The upper half has one field a number, left to right: black at its low bound, white at its high
    one. The noise of each view is its own."""

    spec: ActionSpec = FAKE_SPEC
    frame_shape: Shape = (16, 24, 3)
    name: str = "fake-world"
    views: tuple[str, ...] = ONE_VIEW

    def reset(self, frames: Frames, seeds: Sequence[int]) -> FakeState:
        return FakeState(frames.copy(), tuple(seeds), 0)

    def step(self, state: FakeState, actions: Actions) -> tuple[FakeState, Frames]:
        frames = [
            self._paint(state, actions[:, t], state.step + t) for t in range(actions.shape[1])
        ]
        return FakeState(frames[-1], state.seeds, state.step + len(frames)), np.stack(
            frames, axis=1
        )

    def _paint(self, state: FakeState, actions: Actions, step: int) -> Frames:
        """actions: [B, A] => uint8 [B, V, H, W, 3]."""
        height, width, _ = self.frame_shape
        low, high = np.array(self.spec.low), np.array(self.spec.high)
        levels = np.rint(np.clip((actions - low) / (high - low), 0.0, 1.0) * 255.0).astype(np.uint8)
        field = np.arange(width) * self.spec.size // width  # the number that a column shows
        painted = state.frames.copy()
        painted[:, :, : height // 2] = levels[:, None, None, field, None]
        for b, seed in enumerate(state.seeds):
            noise = np.random.default_rng([seed, step])
            for view in painted[b]:
                view[-1] = noise.integers(0, 256, (width, 3), np.uint8)
        return painted


def _roll(
    world: World[State],
    starts: Frames,
    seeds: Sequence[int],
    chunks: Sequence[Actions],
    detour: bool = False,
) -> Frames:
    """[B, T, V, H, W, 3]: every frame of stepping through the chunks. With `detour`, each state is
    stepped elsewhere first."""
    who = f"world {world.name!r}"
    given = starts.copy()
    state = world.reset(given, seeds)
    parts = []
    kept = []
    for actions in chunks:
        if detour:
            world.step(state, np.ascontiguousarray(actions[::-1]))
        passed = actions.copy()
        state, frames = world.step(state, passed)
        check_form(
            who,
            "step",
            frames,
            (*actions.shape[:2], len(world.views), *world.frame_shape),
            np.dtype(np.uint8),
        )
        require(np.array_equal(passed, actions), who, "step changed the actions it was given")
        parts.append(frames)
        kept.append(frames.copy())
    require(np.array_equal(given, starts), who, "the initial frames were changed")
    unchanged = all(np.array_equal(part, copy) for part, copy in zip(parts, kept, strict=True))
    require(unchanged, who, "a later step overwrote frames that an earlier one had returned")
    return np.concatenate(kept, axis=1)
