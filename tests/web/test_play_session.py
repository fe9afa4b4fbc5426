"""Rewinding, branching and handing over, against playing straight on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from worldgym.errors import InputError
from worldgym.evaluation.rollout import roll_out
from worldgym.policies.policy_protocol import Needs, Observation
from worldgym.testing import FAKE_SPEC, FakePolicy, FakeWorld
from worldgym.types import Actions, ActionSpec, Task, Trial
from worldgym.web import play_session
from worldgym.web.play_session import HAND, PlaySession
from worldgym.world.capabilities import Capabilities, Chunk, History
from worldgym.world.world_start import RobotStates

FRAME = np.random.default_rng(0).integers(0, 255, (16, 24, 3), np.uint8)
TRIAL = Trial(Task("door/1", "door", FRAME, "open the door", 7), 0, 3)


class Counting(FakeWorld):
    """Counts its steps."""

    steps = 0

    def step(self, state: Any, actions: Any) -> Any:
        Counting.steps += 1
        return super().step(state, actions)


def moves(seed: int, count: int) -> list[list[float]]:
    rng = np.random.default_rng(seed)
    rows: list[list[float]] = rng.uniform(-1, 1, (count, FAKE_SPEC.size)).tolist()
    return rows


def played(session: PlaySession, start: int, actions: list[list[float]]) -> list[int]:
    """Numbers of the nodes after each action."""
    numbers = list[int]()
    for action in actions:
        start = session.steer(start, action).number
        numbers.append(start)
    return numbers


def test_a_branch_is_what_would_have_come_at_once() -> None:
    session = PlaySession(FakeWorld(), TRIAL)
    first = played(session, 0, moves(1, 6))
    branch = played(session, first[2], moves(2, 4))
    straight = PlaySession(FakeWorld(), TRIAL)
    other = played(straight, 0, moves(1, 3) + moves(2, 4))
    for mine, theirs in zip(first[:3] + branch, other, strict=True):
        assert np.array_equal(session.node(mine).frame, straight.node(theirs).frame)
    assert session.path(branch[-1])[3].number == first[2]
    frames, actions = session.way(branch[-1])
    assert len(frames) == 8 and np.allclose(actions, moves(1, 3) + moves(2, 4))


def test_states_that_were_dropped_are_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(play_session, "STATES", 3)
    session = PlaySession(Counting(), TRIAL)
    nodes = played(session, 0, moves(1, 10))
    Counting.steps = 0
    again = session.steer(nodes[4], moves(1, 6)[5])  # the same action once more
    assert np.array_equal(again.frame, session.node(nodes[5]).frame)
    assert Counting.steps == 6  # five to come there, and the step itself
    session.steer(nodes[4], [0, 0, 0])
    assert Counting.steps == 7


def test_a_world_whose_newest_state_alone_is_valid_is_played_from_the_beginning() -> None:
    world = replace(FakeWorld(), capabilities=Capabilities(branching="latest"))
    session = PlaySession(world, TRIAL)
    nodes = played(session, 0, moves(1, 5))
    made = session.steer(nodes[1], moves(1, 3)[2])
    assert np.array_equal(made.frame, session.node(nodes[2]).frame)


@pytest.mark.parametrize("chunk", [1, 3])
def test_a_policy_alone_plays_as_in_an_evaluation(chunk: int) -> None:
    policy = FakePolicy(chunk=chunk)
    session = PlaySession(FakeWorld(), TRIAL, [policy])
    number = 0
    for _ in range(7):
        number = session.hand_over(number, policy.name).number
    (rollout,) = roll_out(FakeWorld(), policy, [TRIAL])
    mine = session.rollout(number)
    assert np.array_equal(mine.frames, rollout.frames)
    assert np.array_equal(mine.actions, rollout.actions)


def test_taking_over_and_handing_back() -> None:
    policy = FakePolicy(chunk=4)
    session = PlaySession(FakeWorld(), TRIAL, [policy])
    one = session.hand_over(0, policy.name)
    hand = session.steer(one.number, [0.5, 0, 0])
    back = session.hand_over(hand.number, policy.name)
    assert (one.by, hand.by, back.by) == (policy.name, HAND, policy.name)
    # its memory went on: the second call, not the first one again
    assert back.memory[policy.name] == (TRIAL.seed, 2)
    again = session.hand_over(one.number, policy.name)
    assert again.memory[policy.name] == (TRIAL.seed, 1)  # the rest of the first chunk
    episode = session.episode(back.number, True)
    assert len(episode) == 3 and episode.success and "hand" in episode.source


class Told(FakeWorld):
    """Predicts an x that grows with the actions."""

    def robot_states(self, state: Any) -> RobotStates:
        return np.full((len(state.frames), 1, 1), 5.0 + state.step, np.float32)


@dataclass
class Seeing:
    """Notes the robot's states that it is shown."""

    needs: Needs = field(default_factory=lambda: Needs(state=("x",)))
    name: str = "seeing"
    spec: ActionSpec = FAKE_SPEC
    chunk: int = 1
    seen: list[tuple[float, ...]] = field(default_factory=list)

    def reset(self, trials: Sequence[Trial]) -> list[None]:
        return [None] * len(trials)

    def act(self, states: Any, seen: Sequence[Observation]) -> tuple[Any, Actions]:
        self.seen.append(seen[0].state)
        return states, np.zeros((len(seen), 1, FAKE_SPEC.size), np.float32)


def test_a_policy_is_shown_the_state_that_the_world_predicts() -> None:
    """The same as in an evaluation."""
    world, policy = Told(capabilities=Capabilities(returns=("x",))), Seeing()
    roll_out(world, policy, [TRIAL])
    expected, policy.seen = policy.seen, []
    session, number = PlaySession(world, TRIAL, [policy]), 0
    for _ in range(TRIAL.task.steps):
        number = session.hand_over(number, policy.name).number
    assert policy.seen == expected and len({*expected}) > 1


def test_a_world_is_fitted_as_in_an_evaluation() -> None:
    class Long(FakeWorld):
        def begin(self, start: Any) -> Any:
            assert start.frames.shape[1] == 3 and start.actions.shape[1] == 2
            return self.reset(start.frames[:, -1], start.seeds)

        def robot_states(self, state: Any) -> RobotStates:
            return np.full((len(state.frames), 1, 1), 5.0, np.float32)

    can = Capabilities(history=History(3), returns=("x",))
    session = PlaySession(Long(capabilities=can), TRIAL)
    assert session.steer(0, [0.0, 0.0, 0.0]).told.tolist() == [5.0]
    with pytest.raises(InputError, match="x"):
        PlaySession(FakeWorld(capabilities=Capabilities(state=("x",))), TRIAL)
    with pytest.raises(InputError, match="at most 3 actions"):
        PlaySession(FakeWorld(capabilities=Capabilities(horizon=3)), TRIAL)


def test_what_cannot_be_done_is_said() -> None:
    session = PlaySession(FakeWorld(), TRIAL)
    for action in ([0.0], [float("nan")] * 3, [0.0] * 4):
        with pytest.raises(InputError, match="3 finite numbers"):
            session.steer(0, action)
    assert session.steer(0, [9.0, -9.0, 0.0]).action.tolist() == [1.0, -1.0, 0.0]
    for number in (-1, 99):
        with pytest.raises(InputError, match="no moment"):
            session.node(number)
    with pytest.raises(InputError, match="no policy"):
        session.hand_over(0, "nobody")
    with pytest.raises(InputError, match="has ended"):
        session.repeat(0)
    with pytest.raises(InputError, match="nothing has happened"):
        session.rollout(0)
    slow = replace(FakeWorld(), capabilities=Capabilities(chunk=Chunk.exactly(4)))
    with pytest.raises(InputError, match="takes 4 actions"):
        PlaySession(slow, TRIAL)
