"""The fake world passes its check, and the check catches each fault it is there for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from worldgym.testing import FAKE_SPEC, FakeState, FakeWorld, check_world
from worldgym.types import Actions, Frames
from worldgym.world.capabilities import Capabilities
from worldgym.world.world_protocol import World

SHAPE = (16, 24, 3)


def test_the_fake_fits_the_seam_and_passes() -> None:
    world: World[FakeState] = FakeWorld()
    check_world(world, tolerance=0)


def test_the_world_paints_the_action_and_the_trials_own_noise() -> None:
    world = FakeWorld()
    state = world.reset(np.zeros((2, 1, *SHAPE), np.uint8), [1, 2])
    _, frames = world.step(state, np.array([[[-1.0, 0.0, 1.0]], [[1.0, 0.0, -1.0]]], np.float32))
    assert frames[:, 0, 0, 0, [0, 8, 16], 0].tolist() == [[0, 128, 255], [255, 128, 0]]
    assert not np.array_equal(frames[0, 0, 0, -1], frames[1, 0, 0, -1])
    assert frames[:, 0, 0, 8:-1].max() == 0


class NeighbourWorld(FakeWorld):
    """A row sees the others of its batch."""

    def step(self, state: FakeState, actions: Actions) -> tuple[FakeState, Frames]:
        return super().step(state, np.broadcast_to(actions.mean(0, keepdims=True), actions.shape))


class BatchNoiseWorld(FakeWorld):
    """Noise belongs to the place in the batch."""

    def reset(self, frames: Frames, seeds: Sequence[int]) -> FakeState:
        return super().reset(frames, range(len(seeds)))


class MutatingWorld(FakeWorld):
    """Steps in place."""

    def step(self, state: FakeState, actions: Actions) -> tuple[FakeState, Frames]:
        state.frames[:, 0, 8] += 1
        return super().step(state, actions)


class OverwritingWorld(FakeWorld):
    """Hands out one buffer again and again."""

    buffers: dict[int, Frames] = {}  # noqa: RUF012

    def step(self, state: FakeState, actions: Actions) -> tuple[FakeState, Frames]:
        state, frames = super().step(state, actions)
        buffer = self.buffers.setdefault(frames.shape[1], frames)
        if buffer.shape == frames.shape:
            buffer[:] = frames
            return state, buffer
        return state, frames


class RandomWorld(FakeWorld):
    """Draws from a generator that nobody seeded."""

    def reset(self, frames: Frames, seeds: Sequence[int]) -> FakeState:
        return super().reset(
            frames, np.random.default_rng().integers(0, 2**31, len(seeds)).tolist()
        )


class OneFrameWorld(FakeWorld):
    """Returns the last frame of a chunk only."""

    def step(self, state: FakeState, actions: Actions) -> tuple[FakeState, Frames]:
        state, frames = super().step(state, actions)
        return state, frames[:, -1:]


class ClippingWorld(FakeWorld):
    """Clips the caller's array."""

    def step(self, state: FakeState, actions: Actions) -> tuple[FakeState, Frames]:
        np.clip(actions, -0.5, 0.5, out=actions)
        return super().step(state, actions)


class OneBufferWorld(FakeWorld):
    """Hands out its buffer again where the next step has the same shape."""

    buffers: list[Frames] = []  # noqa: RUF012

    def step(self, state: FakeState, actions: Actions) -> tuple[FakeState, Frames]:
        state, frames = super().step(state, actions)
        if not self.buffers or self.buffers[-1].shape != frames.shape:
            self.buffers.append(frames)
        self.buffers[-1][:] = frames
        return state, self.buffers[-1]


class NothingWorld(FakeWorld):
    """Nothing."""

    def step(self, state: FakeState, actions: Actions) -> Any:
        return None


class ListWorld(FakeWorld):
    def step(self, state: FakeState, actions: Actions) -> Any:
        state, frames = super().step(state, actions)
        return state, frames.tolist()


class UnknownStartWorld(FakeWorld):
    """Does not know where the robot stands at first, and says NaN instead of nothing."""

    def robot_states(self, state: FakeState) -> Any:
        return np.full((len(state.frames), 1, 1), np.nan, np.float32)


class RepaintingWorld(FakeWorld):
    """Draws the main view again too."""

    def complete(self, frames: Frames, given: Any, seeds: Sequence[int]) -> Frames:
        return np.zeros_like(frames)


@pytest.mark.parametrize(
    ("world", "complaint"),
    [
        (NeighbourWorld(), r"row 0 of a batch differs by \d+ grey levels from the same row alone"),
        (BatchNoiseWorld(), r"row 1 of a batch differs"),
        (MutatingWorld(), "step changes the state it is given, or keeps a hidden one"),
        (OverwritingWorld(), "a later step overwrote frames"),
        (OneBufferWorld(), "a later step overwrote frames"),
        (NothingWorld(), "step returned a NoneType, not a state and frames"),
        (ListWorld(), "step returned a list, not uint8"),
        (
            UnknownStartWorld(capabilities=Capabilities(returns=("x",))),
            'robot_states returned numbers for "x" that are not finite',
        ),
        (RepaintingWorld(views=("a", "b")), "complete returned other frames of the views"),
        (RandomWorld(), "give other frames the second time"),
        (
            OneFrameWorld(),
            r"step returned uint8 \(3, 1, 1, 16, 24, 3\), not uint8 \(3, 3, 1, 16, 24, 3\)",
        ),
        (ClippingWorld(), "step changed the actions it was given"),
        (
            FakeWorld(spec=replace(FAKE_SPEC, high=(1.0, 1.0))),
            "one lower and one upper bound for each",
        ),
        (
            FakeWorld(spec=replace(FAKE_SPEC, low=(1.0, 1.0, 1.0))),
            "bounds must be finite, low < high",
        ),
        (FakeWorld(spec=replace(FAKE_SPEC, rate_hz=0.0)), "rate is 0 Hz"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_faulty_world_is_caught(world: FakeWorld, complaint: str) -> None:
    with pytest.raises(AssertionError, match=f"world '?fake-world'?: .*{complaint}"):
        check_world(world)
