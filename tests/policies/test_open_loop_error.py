"""A policy's actions on recorded frames are set beside the recorded ones, and a flipped sign is
found."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.policies.open_loop_error import OpenLoop, answers, compare_with_recorded
from worldgym.policies.policy_protocol import Needs, Observation
from worldgym.testing import FAKE_SPEC, FakePolicy
from worldgym.testing.policy_conformance import check_and_time, with_recorded
from worldgym.types import Actions, ActionSpec, Episode, States, Trial

SPEC = replace(FAKE_SPEC, names=("x", "y", "gripper"), low=(-1.0,) * 3, high=(1.0,) * 3)
NEEDS = Needs()


@dataclass(frozen=True)
class Sees:
    """Reads the recorded action off the frame, whose first three pixels hold it; signs changes
    it."""

    signs: tuple[float, float, float] = (1.0, 1.0, 1.0)
    constant: float | None = None
    chunk: int = 1
    spec: ActionSpec = SPEC
    needs: Needs = NEEDS
    name: str = "sees"

    def reset(self, trials: Sequence[Trial]) -> list[int]:
        return [0 for _ in trials]

    def act(
        self, states: Sequence[Any], observations: Sequence[Observation]
    ) -> tuple[list[Any], Actions]:
        seen = np.stack([o.frame[0, :3, 0] for o in observations]).astype(np.float32) / 127.5 - 1.0
        actions = np.repeat((seen * self.signs)[:, None], self.chunk, axis=1)
        if self.constant is not None:
            actions[..., 2] = self.constant
        return [state + 1 for state in states], actions.astype(np.float32)


@pytest.fixture
def store(tmp_path: Path) -> EpisodeStore:
    made = EpisodeStore.create(tmp_path / "store", SPEC, 5.0)
    for seed in range(8):
        rng = np.random.default_rng(seed)
        actions = rng.uniform(-1, 1, (20, 3)).astype(np.float32)
        actions[:, 2] = (
            np.where(np.arange(20) // 5 % 2, 1.0, -1.0)
            if seed % 2
            else np.where(np.arange(20) < 4, -1.0, 1.0)
        )
        actions += 0.0
        frames = np.full((21, 16, 16, 3), 128, np.uint8)
        frames[:20, 0, :3] = np.round((actions * 0.9 + 1.0) * 127.5)[..., None]
        frames[:20, 1:, :3] = frames[:20, :1, :3]
        made.write(f"{seed}", Episode(frames[:, None], actions, "go", SPEC, 5.0))
    return EpisodeStore(tmp_path / "store")


def test_a_policy_that_does_what_was_recorded(store: EpisodeStore) -> None:
    found = compare_with_recorded(Sees(), store)
    assert (found.episodes, found.steps, found.complaint()) == (8, 160, None)
    assert all(
        (number.correlation or 0.0) > 0.9 and (number.relative or 9.0) < 0.5
        for number in found.numbers
    )
    assert found.gripper is not None and found.gripper[0] > 0.95
    json.dumps(found.to_json(), allow_nan=False)


@pytest.mark.parametrize(
    ("signs", "named"), [((1, 1, -1), "gripper (correlation -"), ((1, -1, 1), "y (correlation -")]
)
def test_a_flipped_sign_is_named(
    store: EpisodeStore, signs: tuple[float, float, float], named: str
) -> None:
    complaint = compare_with_recorded(Sees(signs), store).complaint()
    assert complaint is not None and named in complaint and complaint.count("correlation") == 1


def test_a_gripper_that_is_told_one_thing_alone(store: EpisodeStore) -> None:
    """It never changes, so it has no correlation, but disagrees with recordings that mostly
    close."""
    closing = EpisodeStore.create(store.root.parent / "closing", SPEC, 5.0)
    for info in store:
        episode = store[info.name]
        actions = episode.actions.copy()
        actions[:, 2] = np.where(np.arange(20) < 6, -1.0, 1.0)
        closing.write(info.name, replace(episode, actions=actions))
    closing = EpisodeStore(closing.root)
    wrong, right = (compare_with_recorded(Sees(constant=value), closing) for value in (-1.0, 1.0))
    assert wrong.numbers[2].correlation is None and right.complaint() is None
    assert right.remarks() == [
        "gripper: the policy says 1.00 whatever it sees, but the recorded values change"
    ]
    assert "commands the gripper as recorded at only 30% of the steps" in str(wrong.complaint())


def test_a_gripper_that_was_never_recorded_to_move(store: EpisodeStore) -> None:
    shut = EpisodeStore.create(store.root.parent / "shut", SPEC, 5.0)
    for info in store:
        episode = store[info.name]
        actions = episode.actions.copy()
        actions[:, 2] = -1.0
        shut.write(info.name, replace(episode, actions=actions))
    found = compare_with_recorded(Sees(), EpisodeStore(shut.root))
    assert found.complaint() is None and found.remarks() == [
        "gripper: recorded as -1 throughout, so these recordings cannot tell whether the policy "
        "opens and closes it rightly"
    ]


def test_unrelated_policies_are_not_accused(store: EpisodeStore) -> None:
    @dataclass(frozen=True)
    class Noise(Sees):
        seed: int = 0

        def act(
            self, states: Sequence[Any], observations: Sequence[Observation]
        ) -> tuple[list[Any], Actions]:
            rng = np.random.default_rng((self.seed, *observations[0].frame[0, :3, 0].tolist()))
            return list(states), rng.uniform(-1, 1, (len(observations), 1, 3)).astype(np.float32)

    assert (
        sum(
            compare_with_recorded(Noise(seed=seed), store).complaint() is not None
            for seed in range(8)
        )
        == 0
    )


def test_a_chunk_is_asked_for_once_and_cut_at_the_end(store: EpisodeStore) -> None:
    episode = store["0"]
    done = answers(Sees(chunk=8), episode)
    assert (
        done.shape == (20, 3)
        and np.array_equal(done[8], done[15])
        and not np.array_equal(done[7], done[8])
    )


def test_the_recorded_state_is_what_a_policy_starts_from(store: EpisodeStore) -> None:
    asked: list[tuple[float, ...]] = []

    class Asks(Sees):
        def act(
            self, states: Sequence[Any], observations: Sequence[Observation]
        ) -> tuple[list[Any], Actions]:
            asked.append(observations[0].state)
            return super().act(states, observations)

    spec = replace(SPEC, unit="1 m", rotation="none")
    values = np.tile(np.float32([0.5, 0.25]), (21, 1))
    episode = replace(
        store["0"], spec=spec, states=States(values, ("observation.x", "observation.y"))
    )
    answers(Asks(spec=spec, needs=Needs(state=("x", "y"))), episode)
    assert asked[0] == (0.5, 0.25) and asked[1][0] == pytest.approx(
        0.5 + float(episode.actions[0, 0])
    )


def test_another_convention_and_an_empty_store_are_refused(
    store: EpisodeStore, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"gripper: .*1_open_0_closed"):
        compare_with_recorded(Sees(spec=replace(SPEC, gripper="1_open_0_closed")), store)
    with pytest.raises(InputError, match="holds no episode"):
        compare_with_recorded(Sees(), EpisodeStore.create(tmp_path / "empty", SPEC, 5.0))


def test_the_report_has_a_rule_more(store: EpisodeStore) -> None:
    report = check_and_time(FakePolicy(), (16, 16, 3), None, calls=1)

    def compare(policy: Sees) -> OpenLoop:
        return compare_with_recorded(policy, store)

    flipped = with_recorded(report, lambda: compare(Sees((1, 1, -1))))
    assert flipped.broken == report.broken + 1 and "sign flipped" in str(
        flipped.outcomes[-1].complaint
    )
    assert flipped.to_json()["open_loop"]["steps"] == 160 and report.to_json()["open_loop"] is None
    other = with_recorded(
        report, lambda: compare(Sees(spec=replace(SPEC, names=("a", "b", "gripper"))))
    )
    assert other.open_loop is None and "another action convention" in str(
        other.outcomes[-1].complaint
    )
    assert with_recorded(report, lambda: compare(Sees())).broken == report.broken
