"""A world that follows every rule, for tests of code that uses a world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from worldgym.testing.rules import FAKE_SPEC, Shape
from worldgym.types import ONE_VIEW, Actions, ActionSpec, Frames
from worldgym.world.capabilities import PLAIN, Capabilities


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
    capabilities: Capabilities = PLAIN

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
