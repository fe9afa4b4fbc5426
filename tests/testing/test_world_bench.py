"""What a world predicts of the robot keeps the same rules as its frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from worldgym.testing import FakeState, FakeWorld, check_world
from worldgym.types import Actions, Frames
from worldgym.world.capabilities import Capabilities
from worldgym.world.world_start import RobotStates


@dataclass(frozen=True)
class Counted(FakeState):
    """told: [B, h, 1], sums of the first number of all actions."""

    told: RobotStates


class TellingWorld(FakeWorld):
    """Predicts a number beside its frames."""

    def reset(self, frames: Frames, seeds: Sequence[int]) -> Counted:
        return Counted(frames.copy(), tuple(seeds), 0, np.zeros((len(seeds), 1, 1), np.float32))

    def step(self, state: Any, actions: Actions) -> Any:
        after, frames = super().step(state, actions)
        told = self.count(state.told[:, -1:], actions)
        return Counted(after.frames, after.seeds, after.step, told.astype(np.float32)), frames

    def count(self, before: Any, actions: Actions) -> Any:
        return before + actions[:, :, :1].cumsum(1)

    def robot_states(self, state: Counted) -> RobotStates:
        return state.told


class Neighbour(TellingWorld):
    def count(self, before: Any, actions: Actions) -> Any:
        return super().count(before, np.broadcast_to(actions.mean(0, keepdims=True), actions.shape))


class Foreseeing(TellingWorld):
    def count(self, before: Any, actions: Actions) -> Any:
        return super().count(before, actions) + actions[:, :, :1].sum(1, keepdims=True)


class Unseeded(TellingWorld):
    def count(self, before: Any, actions: Actions) -> Any:
        return super().count(before, actions) + np.random.default_rng().normal()


class Hidden(TellingWorld):
    """Counts its calls."""

    calls: list[int] = []  # noqa: RUF012

    def reset(self, frames: Frames, seeds: Sequence[int]) -> Counted:
        self.calls.clear()
        return super().reset(frames, seeds)

    def count(self, before: Any, actions: Actions) -> Any:
        self.calls.append(1)
        return super().count(before, actions) + len(self.calls)


CAN = Capabilities(returns=("x",))


@pytest.mark.parametrize("tolerance", [0, 1])
def test_one_that_keeps_them_passes(tolerance: int) -> None:
    check_world(TellingWorld(capabilities=CAN), tolerance)


@pytest.mark.parametrize(
    ("world", "complaint"),
    [
        (Neighbour(capabilities=CAN), 'predicts another "x" of row 0 of a batch than of it alone'),
        (Foreseeing(capabilities=CAN), 'predicts another "x" where later actions of its step'),
        (Unseeded(capabilities=CAN), "give other states of the robot the second time"),
        (Hidden(capabilities=CAN), "step changes the state it is given, or keeps a hidden one"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_one_that_breaks_them_is_caught(world: FakeWorld, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_world(world)
