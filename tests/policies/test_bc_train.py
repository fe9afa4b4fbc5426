from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from worldgym.checkpoint import read_config
from worldgym.episodes.frames import frame_cache
from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.learning import FitConfig
from worldgym.policies.bc_train import BCTrainConfig, augment, label_mask, make_samples, train_bc
from worldgym.policies.load import load_policy
from worldgym.policies.protocol import Observation
from worldgym.types import ActionSpec, Episode
from worldgym.vision import TrunkConfig

SPEC = ActionSpec(("x", "y"), "delta_pose", "m", "none", "none", (-1.0, -2.0), (1.0, 2.0), 20.0)
TRUNK = TrunkConfig(width=8, blocks=1, points=2, values=1, buckets=16, language=4)
LENGTH = 6


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Left half bright: the expert goes right (+1); right half bright: left (-1). What was executed is noise."""
    root = tmp_path_factory.mktemp("store")
    writer, rng = EpisodeStore.create(root, SPEC, 20.0), np.random.default_rng(0)
    for i in range(8):
        frames = np.zeros((LENGTH + 1, 16, 16, 3), np.uint8)
        side = i // 2 % 2
        frames[:, :, 8 * side : 8 * side + 8] = 200
        expert = [[1.0 - 2.0 * side, 0.5]] * LENGTH
        actions = rng.uniform(-1, 1, (LENGTH, 2)).astype(np.float32)
        task = ("left", "right")[i % 2]
        extras = {"task": task, "seed": i, "expert": expert}
        writer.write(f"e{i}", Episode(frames, actions, f"go {task}", SPEC, 20.0, True, "synthetic", extras))
    return root


def recipe(store: Path, out: Path) -> BCTrainConfig:
    return BCTrainConfig(
        store, out, "toy", 2, hidden=16, trunk=TRUNK, shift=1, fit=FitConfig(steps=60, batch=16, lr=1e-2, warmup=5)
    )


def test_training_learns_the_experts_labels(store: Path, tmp_path: Path) -> None:
    train_bc(recipe(store, tmp_path / "toy"))
    policy = load_policy(tmp_path / "toy")
    cache = frame_cache(EpisodeStore(store))
    looks = [Observation(cache.frames(name)[0], "go left", 0) for name in ("e0", "e2")]
    _, actions = policy.act([None, None], looks)
    assert actions.shape == (2, 2, 2)
    assert actions[0, 0, 0] > 0.5 and actions[1, 0, 0] < -0.5
    trained = read_config(tmp_path / "toy")["trained"]
    assert trained["samples"] == 8 * LENGTH and trained["settings"]["fit"]["steps"] == 60
    assert "store" not in trained["settings"]


def test_training_is_deterministic(store: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        config = recipe(store, tmp_path / name)
        train_bc(replace(config, fit=replace(config.fit, steps=3)))
    assert (tmp_path / "a" / "model.safetensors").read_bytes() == (tmp_path / "b" / "model.safetensors").read_bytes()


def test_samples_follow_the_choice_of_episodes(store: Path) -> None:
    cache, config = frame_cache(EpisodeStore(store)), recipe(store, store / "unused")
    assert len(make_samples(cache, replace(config, episodes=1))) == 2 * LENGTH
    assert make_samples(cache, replace(config, tasks=("left",))).instructions == ("go left",)
    executed = make_samples(cache, replace(config, imitate="executed"))
    wanted = cache.episode("e0").actions / np.array([1.0, 2.0], np.float32)
    np.testing.assert_allclose(executed.chunks[:LENGTH, 0], wanted, atol=1e-6)
    with pytest.raises(InputError, match="no episode of the tasks"):
        make_samples(cache, replace(config, tasks=("absent",)))
    with pytest.raises(InputError, match='not "guess"'):
        make_samples(cache, replace(config, imitate="guess"))


def test_chunks_hold_the_labels_of_the_next_steps(store: Path) -> None:
    samples = make_samples(frame_cache(EpisodeStore(store)), recipe(store, store / "unused"))
    assert samples.chunks.shape == (8 * LENGTH, 2, 2)
    assert np.allclose(samples.chunks[0], [[1.0, 0.25]] * 2)
    assert samples.rows[LENGTH] == LENGTH + 1  # the last frame of an episode has no action


def test_mask_ends_with_the_episode_and_with_the_experts_path() -> None:
    labels = np.zeros((4, 1), np.float32)
    assert label_mask(labels, labels, 3, 0.5).tolist() == [[1, 1, 1], [1, 1, 1], [1, 1, 0], [1, 0, 0]]
    executed = np.array([[0], [0], [1], [0]], np.float32)
    assert label_mask(executed, labels, 3, 0.4).tolist() == [[1, 1, 1], [1, 1, 0], [1, 0, 0], [1, 0, 0]]


def test_augmentation_keeps_form_and_rough_brightness() -> None:
    frames = np.full((50, 16, 16, 3), 250, np.uint8)
    changed = augment(frames, 2, np.random.default_rng(0))
    assert changed.shape == frames.shape and changed.dtype == np.uint8
    assert 225 <= changed.min() < 240 and changed.max() == 255
