from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from worldgym.episodes.frame_cache import frame_cache
from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.train.policy_samples import (
    SampleConfig,
    augment_frames,
    chosen_episodes,
    label_mask,
    make_samples,
)

LENGTH = 6


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ({}, "01234567"),
        ({"episodes": 1}, "01"),
        ({"tasks": ("left",)}, "0246"),
        ({"below_seed": 3}, "012"),
        ({"behaviours": ("expert",)}, "0347"),
        ({"without": "dreamt-"}, "013457"),
        ({"without": "dreamt-", "episodes": 2}, "0134"),
        ({"successes": True, "behaviours": ("expert",)}, "034"),
    ],
)
def test_the_choice_of_episodes(sided_store: Path, choice: Mapping[str, Any], names: str) -> None:
    chosen = chosen_episodes(EpisodeStore(sided_store), SampleConfig(sided_store, **choice))
    assert [info.name for info in chosen] == [f"e{digit}" for digit in names]


def test_a_choice_that_leaves_nothing_is_named(sided_store: Path) -> None:
    with pytest.raises(InputError, match="no episode fits"):
        chosen_episodes(EpisodeStore(sided_store), SampleConfig(sided_store, tasks=("absent",)))
    with pytest.raises(InputError, match='not "guess"'):
        SampleConfig(sided_store, imitate="guess")


def test_labels_are_the_experts_or_what_was_done(sided_store: Path) -> None:
    cache = frame_cache(EpisodeStore(sided_store))
    executed = make_samples(cache, SampleConfig(sided_store, imitate="executed"), 1)
    wanted = cache.episode("e0").actions / np.array([1.0, 2.0], np.float32)
    np.testing.assert_allclose(executed.chunks[:LENGTH, 0], wanted, atol=1e-6)
    assert make_samples(cache, SampleConfig(sided_store, tasks=("left",)), 1).instructions == (
        "go left",
    )


def test_chunks_hold_the_labels_of_the_next_steps(sided_store: Path) -> None:
    samples = make_samples(frame_cache(EpisodeStore(sided_store)), SampleConfig(sided_store), 2)
    assert samples.chunks.shape == (8 * LENGTH, 2, 2)
    assert np.allclose(samples.chunks[0], [[1.0, 0.25]] * 2)
    assert samples.rows[LENGTH] == LENGTH + 1  # the last frame of an episode has no action


def test_mask_ends_with_the_episode_and_with_the_experts_path() -> None:
    labels = np.zeros((4, 1), np.float32)
    assert label_mask(labels, labels, 3, 0.5).tolist() == [
        [1, 1, 1],
        [1, 1, 1],
        [1, 1, 0],
        [1, 0, 0],
    ]
    executed = np.array([[0], [0], [1], [0]], np.float32)
    assert label_mask(executed, labels, 3, 0.4).tolist() == [
        [1, 1, 1],
        [1, 1, 0],
        [1, 0, 0],
        [1, 0, 0],
    ]


def test_augmentation_keeps_form_and_rough_brightness() -> None:
    frames = np.full((50, 16, 16, 3), 250, np.uint8)
    changed = augment_frames(frames, 2, np.random.default_rng(0))
    assert changed.shape == frames.shape and changed.dtype == np.uint8
    assert 225 <= changed.min() < 240 and changed.max() == 255
