from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np
import pytest

from worldgym.policies.protocol import Needs, Observation
from worldgym.rollout import PolicyFault, roll_out
from worldgym.testing import FakePolicy, FakeWorld
from worldgym.types import Task, Trial


def trials(count: int = 3, steps: int = 7) -> list[Trial]:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (count, 16, 24, 3)).astype(np.uint8)
    return [Trial(Task(f"t/{i}", "t", frame, "push", steps), 0, 1) for i, frame in enumerate(frames)]


@pytest.mark.parametrize("chunk", [1, 4, 7, 9])
def test_lengths_and_start_frames(chunk: int) -> None:
    batch = trials()
    for trial, rollout in zip(batch, roll_out(FakeWorld(), FakePolicy(chunk=chunk), batch), strict=True):
        assert rollout.trial is trial and rollout.policy == "fake-policy"
        assert rollout.frames.shape == (8, 16, 24, 3) and rollout.actions.shape == (7, 3)
        np.testing.assert_array_equal(rollout.frames[0], trial.task.frame)


def test_a_trial_does_not_depend_on_its_neighbours() -> None:
    batch = trials(5)
    together = roll_out(FakeWorld(), FakePolicy(chunk=4), batch)
    for trial, rollout in zip(reversed(batch), reversed(together), strict=True):
        alone = roll_out(FakeWorld(), FakePolicy(chunk=4), [trial])[0]
        np.testing.assert_array_equal(alone.frames, rollout.frames)
        np.testing.assert_array_equal(alone.actions, rollout.actions)


def test_two_policies_meet_the_same_noise() -> None:
    """The fake world writes its noise into the last row of every frame."""
    batch = trials()
    first, second = (roll_out(FakeWorld(), FakePolicy(level=level), batch) for level in (0.2, 0.8))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.frames[1:, -1], b.frames[1:, -1])
        assert not np.array_equal(a.actions, b.actions)


class Watching(FakePolicy):
    """Keeps what it was shown."""

    def act(self, states, observations):  # type: ignore[no-untyped-def]
        self.seen.append(observations)
        return super().act(states, observations)

    @cached_property
    def seen(self) -> list[list[Observation]]:
        return []


def test_a_policy_is_shown_what_it_needs() -> None:
    batch = [replace(trial, task=replace(trial.task, state={"x": 0.2, "y": 0.0})) for trial in trials(2)]
    policy = Watching(chunk=3, needs=Needs(4, ("front", "wrist"), ("wrist",), ("x", "y")))
    for b, rollout in enumerate(roll_out(FakeWorld(), policy, batch)):
        for look, step in zip(policy.seen, (0, 3, 6), strict=True):
            shown = [rollout.frames[max(0, i)] for i in range(step - 3, step + 1)]
            np.testing.assert_array_equal(look[b].history, shown)
            np.testing.assert_array_equal(look[b].views["front"], rollout.frames[step])
            moved = 0.01 * rollout.actions[:step].sum(0)  # metres
            assert look[b].state == pytest.approx((0.2 + moved[0], moved[1]))
        assert rollout.flags == ("black view: wrist",)


class Broken(FakePolicy):
    def act(self, states, observations):  # type: ignore[no-untyped-def]
        states, actions = super().act(states, observations)
        return states, actions[:, :1] if self.level < 0 else actions * np.float32(np.nan)


@pytest.mark.parametrize(("level", "complaint"), [(-1.0, "shape"), (0.5, "finite")])
def test_actions_no_world_can_take(level: float, complaint: str) -> None:
    with pytest.raises(PolicyFault, match=complaint):
        roll_out(FakeWorld(), replace(Broken(), level=level, chunk=2), trials())
