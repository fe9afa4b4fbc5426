from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from threading import Barrier

import numpy as np
import pytest

from worldgym.evaluation.rollout import roll_out
from worldgym.policies.own.action_bounds import PolicyFault
from worldgym.policies.policy_protocol import Needs, Observation
from worldgym.testing import FakePolicy, FakeWorld
from worldgym.types import Task, Trial


def trials(count: int = 3, steps: int = 7) -> list[Trial]:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (count, 16, 24, 3)).astype(np.uint8)
    return [
        Trial(Task(f"t/{i}", "t", frame, "push", steps), 0, 1) for i, frame in enumerate(frames)
    ]


@pytest.mark.parametrize("chunk", [1, 4, 7, 9])
def test_lengths_and_initial_frames(chunk: int) -> None:
    batch = trials()
    for trial, rollout in zip(
        batch, roll_out(FakeWorld(), FakePolicy(chunk=chunk), batch), strict=True
    ):
        assert rollout.trial is trial and rollout.policy == "fake-policy"
        assert rollout.frames.shape == (8, 1, 16, 24, 3) and rollout.actions.shape == (7, 3)
        np.testing.assert_array_equal(rollout.main[0], trial.task.frame)


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
        np.testing.assert_array_equal(a.main[1:, -1], b.main[1:, -1])
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
    batch = [
        replace(trial, task=replace(trial.task, state={"x": 0.2, "y": 0.0})) for trial in trials(2)
    ]
    policy = Watching(chunk=3, needs=Needs(4, ("front", "wrist"), ("wrist",), ("x", "y")))
    for b, rollout in enumerate(roll_out(FakeWorld(), policy, batch)):
        for look, step in zip(policy.seen, (0, 3, 6), strict=True):
            shown = [rollout.main[max(0, i)] for i in range(step - 3, step + 1)]
            np.testing.assert_array_equal(look[b].history, shown)
            np.testing.assert_array_equal(look[b].views["front"], rollout.main[step])
            moved = 0.01 * rollout.actions[:step].sum(0)  # metres
            assert look[b].state == pytest.approx((0.2 + moved[0], moved[1]))
        assert rollout.flags == ("black view: wrist",)


class Strict(Watching):
    """Refuses to be asked about a trial that is over, or in another state than that of its step."""

    def act(self, states, observations):  # type: ignore[no-untyped-def]
        assert all(o.step < int(o.instruction) for o in observations)
        for (_, calls), o in zip(states, observations, strict=True):
            assert calls == o.step // self.chunk
        return super().act(states, observations)


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("lengths", [(7, 3, 5), (1, 9), (4, 4, 4, 8, 2)])
def test_trials_of_different_lengths_share_a_batch(
    lengths: tuple[int, ...], elsewhere: bool
) -> None:
    batch = [
        replace(trial, task=replace(trial.task, steps=steps, instruction=str(steps)))
        for trial, steps in zip(trials(len(lengths)), lengths, strict=True)
    ]
    policy = Strict(chunk=2, needs=Needs(elsewhere=elsewhere))
    for trial, together in zip(batch, roll_out(FakeWorld(), policy, batch), strict=True):
        alone = roll_out(FakeWorld(), FakePolicy(chunk=2), [trial])[0]
        assert together.frames.shape[0] == trial.task.steps + 1
        np.testing.assert_array_equal(together.frames, alone.frames)
        np.testing.assert_array_equal(together.actions, alone.actions)
    assert {len(look) for look in policy.seen} == (
        {(len(batch) + 1) // 2, len(batch) // 2} if elsewhere else {len(batch)}
    )


class Meeting:
    """Two sides that only go on when both have arrived."""

    def __init__(self) -> None:
        self.barrier = Barrier(2, timeout=20)

    def world(self) -> FakeWorld:
        meeting = self

        class Drawing(FakeWorld):
            def step(self, state, actions):  # type: ignore[no-untyped-def]
                meeting.drawn += 1
                # at the last of two halves' seven steps nothing is left to ask
                if meeting.drawn < 14:
                    meeting.barrier.wait()
                return super().step(state, actions)

        return Drawing()

    def policy(self) -> FakePolicy:
        meeting = self

        class Thinking(FakePolicy):
            def act(self, states, observations):  # type: ignore[no-untyped-def]
                if meeting.asked:
                    meeting.barrier.wait()
                meeting.asked += 1
                return super().act(states, observations)

        return Thinking(needs=Needs(elsewhere=True))

    asked = drawn = 0


def test_the_world_draws_while_a_policy_elsewhere_thinks() -> None:
    """Neither side would get on alone: every question but the first is out while the world draws
    the other half."""
    meeting, batch = Meeting(), trials(4, steps=7)
    together = roll_out(meeting.world(), meeting.policy(), batch)
    for a, b in zip(together, roll_out(FakeWorld(), FakePolicy(), batch), strict=True):
        np.testing.assert_array_equal(a.frames, b.frames)


class Broken(FakePolicy):
    def act(self, states, observations):  # type: ignore[no-untyped-def]
        states, actions = super().act(states, observations)
        return states, actions[:, :1] if self.level < 0 else actions * np.float32(np.nan)


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize(("level", "complaint"), [(-1.0, "shape"), (0.5, "finite")])
def test_actions_no_world_can_take(level: float, complaint: str, elsewhere: bool) -> None:
    with pytest.raises(PolicyFault, match=complaint):
        roll_out(
            FakeWorld(),
            replace(Broken(), level=level, chunk=2, needs=Needs(elsewhere=elsewhere)),
            trials(),
        )


class Wild(FakePolicy):
    """Its second action wants `level` in place of the first number, and every third one is
    sound."""

    def act(self, states, observations):  # type: ignore[no-untyped-def]
        states, actions = FakePolicy(chunk=self.chunk).act(states, observations)
        actions[:, 1, 0] = self.level
        return states, actions


@pytest.mark.parametrize("elsewhere", [False, True])
def test_actions_out_of_bounds_are_clipped_and_counted(elsewhere: bool) -> None:
    policy, high = (
        Wild(level=5.0, chunk=3, needs=Needs(elsewhere=elsewhere)),
        FakePolicy().spec.high[0],
    )
    for rollout in roll_out(FakeWorld(), policy, trials(steps=8)):
        assert rollout.clipped == 3 and rollout.flags == ("actions out of bounds",)
        assert (rollout.actions[[1, 4, 7], 0] == np.float32(high)).all() and (
            rollout.actions <= np.float32(high)
        ).all()
    assert all(
        rollout.clipped == 0 and not rollout.flags
        for rollout in roll_out(FakeWorld(), FakePolicy(), trials())
    )


def test_absurd_actions_are_a_fault() -> None:
    with pytest.raises(PolicyFault, match="its unit or scale is wrong"):
        roll_out(FakeWorld(), Wild(level=1e30, chunk=3), trials())


def test_a_policy_gets_the_views_that_it_names_and_the_video_has_them_all() -> None:
    class Drawing(FakeWorld):
        def complete(self, frames, given, seeds):  # type: ignore[no-untyped-def]
            return np.where(given[..., None, None, None], frames, 7).astype(np.uint8)

    batch = trials(2)
    brought = replace(batch[1].task, others={"wrist": np.full((16, 24, 3), 3, np.uint8)})
    batch[1] = replace(batch[1], task=brought)
    policy = Watching(chunk=4, needs=Needs(2, ("wrist", "front")))
    rollouts = roll_out(Drawing(views=("front", "wrist")), policy, batch)
    for b, (rollout, level) in enumerate(zip(rollouts, (7, 3), strict=True)):
        assert rollout.frames.shape == (8, 2, 16, 24, 3) and rollout.views == ("front", "wrist")
        assert rollout.frames[0, 1].min() == rollout.frames[0, 1].max() == level
        look = policy.seen[1][b]
        np.testing.assert_array_equal(look.frame, rollout.frames[4, 1])
        np.testing.assert_array_equal(look.past[0], rollout.frames[3, 1])
        np.testing.assert_array_equal(look.views["front"], rollout.frames[4, 0])
    assert [rollout.flags for rollout in rollouts] == [("wrist view generated",), ()]
