"""A world in the user's own Python may return anything: nothing of it is taken for a frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from worldgym.evaluation.rollout import roll_out
from worldgym.policies.policy_protocol import Needs
from worldgym.testing import FakePolicy, FakeWorld
from worldgym.testing.fake_world import FakeState
from worldgym.types import Actions, Frames, Task, Trial
from worldgym.world.capabilities import PLAIN, Capabilities, Chunk
from worldgym.world.fitted_world import fit
from worldgym.world.world_answers import WorldFault, completed, robot_states

Change = Callable[[Any], Any]
TOLD = ("joint_0", "x")


def as_it_is(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Odd(FakeWorld):
    """From the second step on, it returns something else than it should."""

    answer: Change = as_it_is
    told: Change = as_it_is
    first: int = 1

    def step(self, state: FakeState, actions: Actions) -> tuple[FakeState, Frames]:
        answer = super().step(state, actions)
        odd: tuple[FakeState, Frames] = self.answer(answer) if state.step else answer
        return odd

    def robot_states(self, state: FakeState) -> Any:
        size = 2 if self.capabilities.chunk.least == 2 else 1
        states = np.full((len(state.frames), size if state.step else self.first, 2), 0.5, "f4")
        return self.told(states) if state.step > 2 else states


def trials(state: dict[str, float] | None = None, steps: int = 6) -> list[Trial]:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (3, 16, 24, 3)).astype(np.uint8)
    tasks = [Task(f"t/{i}", "t", f, "push", steps, state=state or {}) for i, f in enumerate(frames)]
    return [Trial(task, 0, 1) for task in tasks]


ANSWERS: list[tuple[Change, str]] = [
    (lambda a: (a[0], np.full(a[1].shape, np.nan, np.float32)), "float32"),
    (lambda a: (a[0], a[1] / 255.0), "float64"),
    (lambda a: (a[0], a[1].astype(np.int64) + 300), "int64"),
    (lambda a: (a[0], a[1][:1]), r"uint8 \[1, "),
    (lambda a: (a[0], a[1][:, :-1]), "not frames uint8"),
    (lambda a: (a[0], np.concatenate([a[1], a[1]], axis=1)), "not frames uint8"),
    (lambda a: (a[0], a[1][:, :, 0]), r"uint8 \[3, ., 16, 24, 3\], not"),
    (lambda a: (a[0], a[1][..., :1]), "24, 1"),
    (lambda a: (a[0], a[1].tolist()), "a list"),
    (lambda a: (a[0], None), "nothing, not frames"),
    (lambda a: None, "nothing, not a state and frames"),
]
STATES: list[tuple[Change, str]] = [
    (lambda s: s * np.float32(np.nan), '"joint_0" that are not finite'),
    (lambda s: s * np.array([1, np.inf], np.float32), '"x" that are not finite'),
    (lambda s: s[:, :, :1], "not float32"),
    (lambda s: s[:1], "not float32"),
    (lambda s: s[:, :0], "not float32"),
    (lambda s: s.astype(np.float64), "float64"),
    (lambda s: s.tolist(), "a list"),
]


def rolled(world: FakeWorld, chunk: int, state: dict[str, float] | None = None) -> Any:
    needs = Needs(state=("joint_0",)) if world.capabilities.returns else Needs()
    policy = FakePolicy(chunk=chunk, needs=needs)
    return roll_out(fit(world) if chunk > 1 else world, policy, trials(state))


@pytest.mark.parametrize(("answer", "words"), ANSWERS)
@pytest.mark.parametrize("chunk", [1, 2])
def test_what_is_no_frame_never_becomes_one(answer: Change, words: str, chunk: int) -> None:
    can = PLAIN if chunk == 1 else Capabilities(chunk=Chunk.exactly(2))
    with pytest.raises(WorldFault, match=f"the world fake-world: step returned .*{words}"):
        rolled(Odd(answer=answer, capabilities=can), chunk)


@pytest.mark.parametrize(("told", "words"), STATES)
@pytest.mark.parametrize("chunk", [1, 2])
def test_what_is_no_state_never_reaches_the_policy(told: Change, words: str, chunk: int) -> None:
    can = Capabilities(returns=TOLD)
    can = can if chunk == 1 else replace(can, chunk=Chunk.exactly(2))
    with pytest.raises(WorldFault, match=f"the world fake-world: robot_states returned .*{words}"):
        rolled(Odd(told=told, capabilities=can), chunk)


@pytest.mark.parametrize("chunk", [1, 2])
def test_an_initial_state_that_nobody_knows_never_reaches_the_policy(chunk: int) -> None:
    """The task says it, or the world predicts it."""
    can = Capabilities(returns=TOLD)
    can = can if chunk == 1 else replace(can, chunk=Chunk.exactly(2))
    with pytest.raises(
        Exception, match=r'task t/0 does not say its "joint_0": add "state" with it'
    ):
        rolled(Odd(capabilities=can, first=0), chunk)
    rolled(Odd(capabilities=can, first=0), chunk, {"joint_0": 0.1})
    rolled(Odd(capabilities=can, first=1), chunk)


def test_a_world_that_promises_states_has_the_method() -> None:
    world = FakeWorld(capabilities=Capabilities(returns=TOLD))
    with pytest.raises(WorldFault, match='return "joint_0", and it has no method robot_states'):
        robot_states(world, None, 3, 1)


@dataclass(frozen=True)
class Scribbling(FakeWorld):
    """Overwrites what it is given."""

    def reset(self, frames: Frames, seeds: Any) -> FakeState:
        state = super().reset(frames, seeds)
        frames[:] = 0
        return state

    def step(self, state: FakeState, actions: Actions) -> tuple[FakeState, Frames]:
        answer = super().step(state, actions)
        actions[:] = 9.0
        return answer


@pytest.mark.parametrize("chunk", [1, 2])
def test_a_world_that_overwrites_its_input_does_not_change_the_record(chunk: int) -> None:
    can = PLAIN if chunk == 1 else Capabilities(chunk=Chunk.exactly(2))
    for odd, sound in zip(
        rolled(Scribbling(capabilities=can), chunk),
        rolled(FakeWorld(capabilities=can), chunk),
        strict=True,
    ):
        np.testing.assert_array_equal(odd.frames, sound.frames)
        np.testing.assert_array_equal(odd.actions, sound.actions)


@dataclass(frozen=True)
class Completing(FakeWorld):
    drawn: Change = as_it_is

    def complete(self, frames: Frames, given: Any, seeds: Any) -> Frames:
        frames[~given] = 7
        return np.asarray(self.drawn(frames))


@pytest.mark.parametrize(
    ("drawn", "words"),
    [
        (lambda f: f / 255.0, "float64"),
        (lambda f: f[:1], "not uint8"),
        (lambda f: f + np.uint8(1), "other frames of the views that it was given"),
    ],
)
def test_views_that_are_given_stay_as_they_are(drawn: Change, words: str) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 2, 16, 24, 3)).astype(np.uint8)
    given = np.array([[True, False], [True, False]])
    before = frames.copy()
    with pytest.raises(WorldFault, match=f"the world w: complete returned .*{words}"):
        completed(Completing(drawn=drawn), "w", frames, given, [0, 1])
    found = completed(Completing(), "w", frames, given, [0, 1])
    assert (found[:, 1] == 7).all() and (found[:, 0] == frames[:, 0]).all()
    np.testing.assert_array_equal(frames, before)
