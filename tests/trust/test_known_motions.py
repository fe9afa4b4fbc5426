"""A motion that was recorded is near, one that nobody made is far, in its scene and in units of
recordings that were held out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from worldgym.episodes.store import EpisodeStore
from worldgym.errors import CheckpointError, InputError
from worldgym.testing import FAKE_SPEC, FakeCodec
from worldgym.trust.inverse_dynamics import encode_frames
from worldgym.trust.known_motions import KnownMotions, looks_of, measure_motions
from worldgym.types import Episode

CODEC = FakeCodec()


def episode(scene: int, angle: float, rng: np.random.Generator, steps: int = 16) -> Episode:
    """An arm that goes straight, by the scene's grey level to the one or the other side."""
    step = 0.5 * np.array([np.cos(angle), np.sin(angle), 0.0]) + rng.normal(0, 0.02, (steps, 3))
    frame = np.full(CODEC.frame_shape, scene, np.uint8)
    frame = np.clip(frame + rng.normal(0, 2, frame.shape), 0, 255).astype(np.uint8)
    return Episode(
        np.repeat(frame[None, None], steps + 1, axis=0),
        step.astype(np.float32),
        "go",
        FAKE_SPEC,
        FAKE_SPEC.rate_hz,
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> EpisodeStore:
    """In dark scenes the arm goes right, in bright ones up."""
    folder, rng = tmp_path_factory.mktemp("motions"), np.random.default_rng(0)
    out = EpisodeStore.create(folder, FAKE_SPEC, FAKE_SPEC.rate_hz)
    for i in range(40):
        out.write(f"e{i:02d}", episode(*((60, 0.0) if i % 2 else (200, np.pi / 2)), rng))
    return EpisodeStore(folder)


def test_what_was_recorded_is_near_and_what_was_not_is_far(
    store: EpisodeStore, tmp_path: Path
) -> None:
    known = measure_motions(CODEC, store, tmp_path / "known", 2)
    rng = np.random.default_rng(1)

    def signals(scene: int, angle: float) -> dict[str, float]:
        new = episode(scene, angle, rng)
        return known.signals(encode_frames(CODEC, new.main), new.actions)

    near = [signals(60, 0.0), signals(200, np.pi / 2)]
    other_way, other_scene, swapped = signals(60, np.pi), signals(130, 0.0), signals(200, 0.0)
    assert all(abs(row["motion_distance"]) < 1.0 for row in near)
    assert other_way["motion_distance"] > max(row["motion_distance"] for row in near) + 1.0
    assert swapped["motion_distance"] > max(row["motion_distance"] for row in near) + 1.0
    assert other_scene["scene_distance"] > max(row["scene_distance"] for row in near) + 1.0
    assert all(row["furthest_motion"] >= row["motion_distance"] for row in (*near, other_way))
    again = KnownMotions.load(tmp_path / "known")
    torch.testing.assert_close(again.looks, known.looks)
    with pytest.raises(CheckpointError, match="measure-motions"):
        again.check(CODEC, replace(FAKE_SPEC, unit="1 m"))


def test_looks_are_sums_of_moves_and_places_as_they_are() -> None:
    actions = np.ones((9, 2), np.float32)
    moves = replace(FAKE_SPEC, names=("x", "y"), low=(-1.0,) * 2, high=(1.0,) * 2)
    assert looks_of(actions, moves)[:, ::2].tolist() == [[0, 2, 4, 6, 8], [4, 2, 4, 5, 5]]
    places = looks_of(actions, replace(moves, mode="absolute_pose"))
    assert places[:, ::2].tolist() == [[1, 0, 0, 0, 0]] * 2


def test_few_recordings_are_refused(episode_store: EpisodeStore, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="3 episodes; known motions need 20"):
        measure_motions(CODEC, episode_store, tmp_path / "known")
