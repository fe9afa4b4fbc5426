"""The fake policy passes its check, and the check catches each fault it is there for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from worldgym.policies.policy_protocol import NEWEST_FRAME, Observation, Policy
from worldgym.testing import FAKE_SPEC, FakePolicy, check_policy
from worldgym.types import Actions, Task, Trial

SHAPE = (16, 24, 3)
TASK = Task("drawer/1", "drawer", np.zeros(SHAPE, np.uint8), "open the drawer", steps=4)

Act = Callable[[Actions], Actions]


def test_the_fake_fits_the_seam_and_passes() -> None:
    policy: Policy[tuple[int, int]] = FakePolicy(chunk=4)
    check_policy(policy, SHAPE, atol=0.0)


def test_the_policy_acts_around_its_level_with_the_trials_own_noise() -> None:
    trials = [Trial(TASK, repeat, run_seed=0) for repeat in range(200)]
    seen = [Observation(TASK.frame, TASK.instruction, 0)] * len(trials)
    for level, spread in ((0.2, 0.1), (0.9, 0.5)):
        policy = FakePolicy(level, spread)
        _, actions = policy.act(policy.reset(trials), seen)
        share = (actions + 1.0) / 2.0
        assert np.all(
            (share >= max(level - spread, 0.0) - 1e-6) & (share <= min(level + spread, 1.0) + 1e-6)
        )
        assert len(np.unique(actions[:, 0, 0])) > 100


@dataclass(frozen=True)
class ChangedPolicy(FakePolicy):
    """A fake whose actions are changed before they are returned."""

    change: Act = lambda actions: actions

    def act(
        self, states: Sequence[tuple[int, int]], observations: Sequence[Observation]
    ) -> tuple[list[tuple[int, int]], Actions]:
        states, actions = super().act(states, observations)
        return states, self.change(actions)


class CountingPolicy(FakePolicy):
    """Counts its calls in itself: every rollout but the first starts late."""

    calls: list[int] = []  # noqa: RUF012

    def act(
        self, states: Sequence[Any], observations: Sequence[Observation]
    ) -> tuple[list[Any], Actions]:
        self.calls.append(1)
        return super().act([(seed, len(self.calls)) for seed, _ in states], observations)


class PaintingPolicy(FakePolicy):
    """Writes into the frames it sees."""

    def act(
        self, states: Sequence[Any], observations: Sequence[Observation]
    ) -> tuple[list[Any], Actions]:
        observations[0].frame[0] = 0
        return super().act(states, observations)


class ForgettingPolicy(FakePolicy):
    """Returns fewer states than trials."""

    def act(
        self, states: Sequence[Any], observations: Sequence[Observation]
    ) -> tuple[list[Any], Actions]:
        states, actions = super().act(states, observations)
        return states[1:], actions


@pytest.mark.parametrize(
    ("policy", "complaint"),
    [
        (
            ChangedPolicy(chunk=4, change=lambda a: a[:, :1]),
            r"act returned float32 \(3, 1, 3\), not float32 \(3, 4, 3\)",
        ),
        (ChangedPolicy(change=lambda a: a.astype(np.float64)), r"act returned float64"),
        (ChangedPolicy(change=lambda a: 3 * a), "outside the bounds of its spec"),
        (
            ChangedPolicy(change=lambda a: a * np.float32("nan")),
            "outside the bounds of its spec, or not finite",
        ),
        (
            ChangedPolicy(change=lambda a: a - a.mean(0) / 2),
            "row 0 of a batch differs by .* from the same row alone",
        ),
        (CountingPolicy(), "the same trials give other actions the second time"),
        (PaintingPolicy(), "act changed the frames it was given"),
        (ForgettingPolicy(), "act returned a list of 2 as states of 3 trials"),
        (FakePolicy(chunk=0), "chunk is 0"),
        (FakePolicy(name="@x"), "its name must be"),
    ],
)
def test_a_faulty_policy_is_caught(policy: FakePolicy, complaint: str) -> None:
    with pytest.raises(AssertionError, match=f"^policy '{policy.name}': .*{complaint}"):
        check_policy(policy, SHAPE)


def test_a_policy_with_states_of_its_own_that_it_changes_is_caught() -> None:
    class Counter:
        name, spec, chunk, needs = "counter", FAKE_SPEC, 1, NEWEST_FRAME

        def reset(self, trials: Sequence[Trial]) -> list[list[int]]:
            return [[0] for _ in trials]

        def act(
            self, states: Sequence[list[int]], observations: Sequence[Observation]
        ) -> tuple[list[list[int]], Actions]:
            for state in states:
                state[0] += 1
            return list(states), np.array([[[state[0] / 100] * 3] for state in states], np.float32)

    with pytest.raises(
        AssertionError, match="act changes the states it is given, or keeps hidden ones"
    ):
        check_policy(Counter(), SHAPE)


def test_a_policy_is_checked_on_the_trials_it_knows() -> None:
    class Replay(FakePolicy):
        def reset(self, trials: Sequence[Trial]) -> list[tuple[int, int]]:
            assert all(trial.task.name == TASK.name for trial in trials)
            return super().reset(trials)

    check_policy(Replay(), SHAPE, [Trial(TASK, repeat, 0) for repeat in range(2)])
