"""Replayed: the own noise gives the same frames, another one others; the choice of recordings
is balanced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.evaluation.process_workers import ProcessExecutor
from worldgym.evaluation.rollout import roll_out
from worldgym.testing import FAKE_SPEC, FakePolicy, FakeWorld
from worldgym.trust.rollout_replay import (
    Elsewhere,
    ReplayOptions,
    recorded_rollouts,
    replay_rollouts,
)
from worldgym.types import Rollout

MakeRollout = Callable[..., Rollout]


def test_the_own_noise_repeats_what_happened_and_another_does_not(
    make_rollout: MakeRollout,
) -> None:
    trials = [make_rollout(f"a/{i}", 0.0, steps).trial for i, steps in enumerate((4, 4, 4))]
    happened = roll_out(FakeWorld(), FakePolicy(chunk=3), trials)
    replaying = ReplayOptions(batch=2, chunks={"fake-policy": 3})
    again = replay_rollouts(FakeWorld(), happened, replaying)
    other = replay_rollouts(FakeWorld(), happened, replaying, future=1)
    for old, new, future in zip(happened, again, other, strict=True):
        np.testing.assert_array_equal(old.frames, new.frames)
        assert (future.frames != old.frames).any() and new.trial is old.trial


def test_workers_draw_what_this_process_draws(make_rollout: MakeRollout) -> None:
    mixed = [make_rollout(f"a/{i}", 0.1 * i, 3 + i % 2) for i in range(5)]
    here = replay_rollouts(FakeWorld(), mixed, ReplayOptions(batch=2), future=1)
    workers = Elsewhere(ProcessExecutor(2), FakeWorld)
    there = replay_rollouts(FakeWorld(), mixed, ReplayOptions(batch=2, elsewhere=workers), future=1)
    for one, other in zip(here, there, strict=True):
        assert one.trial is other.trial and one.views == other.views
        np.testing.assert_array_equal(one.frames, other.frames)


def test_lengths_and_policies_may_be_mixed(make_rollout: MakeRollout) -> None:
    mixed = [
        make_rollout("a/1", 0.3, 2),
        make_rollout("b/1", -0.4, 5, "q"),
        make_rollout("a/2", 0.8, 2),
    ]
    replayed = replay_rollouts(FakeWorld(), mixed, ReplayOptions(batch=2, chunks={"q": 2}))
    assert [r.trial.task.name for r in replayed] == ["a/1", "b/1", "a/2"] and [
        len(r.frames) for r in replayed
    ] == [3, 6, 3]
    alone = replay_rollouts(FakeWorld(), mixed[1:2], ReplayOptions(chunks={"q": 2}))
    np.testing.assert_array_equal(alone[0].frames, replayed[1].frames)


@pytest.mark.parametrize("limit, expected", [(None, [5, 1]), (2, [1, 1]), (4, [3, 1]), (9, [5, 1])])
def test_recordings_are_half_failures_as_far_as_there_are_any(
    make_episode, tmp_path: Path, limit, expected
) -> None:  # type: ignore[no-untyped-def]
    store = EpisodeStore.create(tmp_path, FAKE_SPEC, FAKE_SPEC.rate_hz)
    for seed in range(6):
        store.write(f"e-{seed}", replace(make_episode(seed, 2), success=seed != 3))
    chosen = recorded_rollouts(EpisodeStore(tmp_path), limit)
    assert [sum(bool(c.success) is side for c in chosen) for side in (True, False)] == expected
    assert [c.rollout.trial.task.name for c in chosen] == sorted(
        c.rollout.trial.task.name for c in chosen
    )
    assert {c.rollout.trial.task.group for c in chosen} == {"push the square"}


@pytest.mark.parametrize(
    "limit, expected", [(None, (3, 2, 7)), (2, (1, 1, 0)), (4, (2, 2, 0)), (6, (3, 2, 1))]
)
def test_recordings_of_unknown_outcome_take_what_is_left(
    make_episode, tmp_path: Path, limit, expected
) -> None:  # type: ignore[no-untyped-def]
    store = EpisodeStore.create(tmp_path, FAKE_SPEC, FAKE_SPEC.rate_hz)
    outcomes = [True] * 3 + [False] * 2 + [None] * 7
    for seed, success in enumerate(outcomes):
        store.write(f"e-{seed:02}", replace(make_episode(seed, 2), success=success))
    chosen = [recorded.success for recorded in recorded_rollouts(EpisodeStore(tmp_path), limit)]
    assert tuple(chosen.count(side) for side in (True, False, None)) == expected


def test_a_batch_holds_something() -> None:
    with pytest.raises(InputError, match="--batch is 0"):
        ReplayOptions(batch=0)


def test_an_empty_store(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no episode"):
        recorded_rollouts(EpisodeStore.create(tmp_path, FAKE_SPEC, 5.0))
