"""An inverse-dynamics model learned from a world that paints its actions reads them back, and finds
the numbers that a world ignores."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from worldgym.episodes.store import EpisodeStore
from worldgym.errors import CheckpointError, InputError, SpecMismatch
from worldgym.testing import FAKE_SPEC, FakeCodec, FakeWorld
from worldgym.train.inverse_dynamics_training import (
    InverseDynamicsTrainConfig,
    train_inverse_dynamics,
)
from worldgym.train.optimizer import FitConfig
from worldgym.trust.action_following import action_following, rest
from worldgym.trust.inverse_dynamics import InverseDynamicsModel, encode_frames, responses
from worldgym.trust.latent_statistics import LatentStatistics
from worldgym.trust.rollout_replay import ReplayOptions
from worldgym.types import Actions, Episode, Frames, Task
from worldgym.world.open_loop_replay import replay_actions

FIT = FitConfig(steps=120, batch=64, lr=1e-2, warmup=5, average=0.9)


def record(root: Path, spec=FAKE_SPEC, episodes: int = 12) -> EpisodeStore:  # type: ignore[no-untyped-def]
    """What FakeWorld draws for random actions held for some steps each."""
    store = EpisodeStore.create(root, spec, spec.rate_hz)
    for seed in range(episodes):
        rng = np.random.default_rng(seed)
        actions = rng.uniform(-1, 1, (20, 3)).astype(np.float32)
        start = np.full((1, 1, 16, 24, 3), 90, np.uint8)
        frames = replay_actions(FakeWorld(), start, [seed], actions[None])[0]
        store.write(f"e-{seed:02}", Episode(frames, actions, "wave", spec, spec.rate_hz, True))
    return EpisodeStore(root)


@pytest.fixture(scope="module")
def inverse_dynamics(tmp_path_factory: pytest.TempPathFactory) -> InverseDynamicsModel:
    root = tmp_path_factory.mktemp("inverse-dynamics")
    store = record(root / "store")
    return train_inverse_dynamics(
        FakeCodec(),
        FAKE_SPEC,
        InverseDynamicsTrainConfig(
            store.root, root / "inverse-dynamics", width=16, components=8, fit=FIT
        ),
    )


def test_actions_are_read_back(inverse_dynamics: InverseDynamicsModel, tmp_path: Path) -> None:
    assert all(
        (r.correlation or 0) > 0.9 and r.rms_error < 0.3
        for r in inverse_dynamics.meaning.readable.values()
    )
    episode = record(tmp_path, episodes=1)["e-00"]
    read = inverse_dynamics.actions(encode_frames(FakeCodec(), episode.main))
    assert read.shape == (20, 3) and np.corrcoef(read[:, 0], episode.actions[:, 0])[0, 1] > 0.9


def test_recordings_are_near_and_inventions_are_far(
    inverse_dynamics: InverseDynamicsModel, tmp_path: Path
) -> None:
    recorded = inverse_dynamics.drift(
        encode_frames(FakeCodec(), record(tmp_path, episodes=1)["e-00"].main)
    )
    strange = np.random.default_rng(0).integers(0, 256, (5, 16, 24, 3), np.uint8)
    strange[:, :, 12:] = 255
    invented = inverse_dynamics.drift(encode_frames(FakeCodec(), strange))
    assert recorded.nearest.mean() < 1.5 and invented.nearest.mean() > 2 * recorded.nearest.mean()
    assert invented.distance.mean() > 2 * recorded.distance.mean()


def test_a_saved_model_is_the_same(inverse_dynamics: InverseDynamicsModel, tmp_path: Path) -> None:
    inverse_dynamics.save(tmp_path / "copy", {}, "")
    copy, latents = InverseDynamicsModel.load(tmp_path / "copy"), torch.randn(6, 3, 2, 3)
    np.testing.assert_allclose(copy.actions(latents), inverse_dynamics.actions(latents), atol=1e-5)
    np.testing.assert_allclose(
        copy.drift(latents).residual, inverse_dynamics.drift(latents).residual, rtol=1e-4
    )
    assert copy.meaning == inverse_dynamics.meaning and copy.name.startswith("inverse-dynamics-")
    copy.check(FakeCodec(), FAKE_SPEC)
    for codec, spec in (
        (FakeCodec(latents="other"), FAKE_SPEC),
        (FakeCodec(), replace(FAKE_SPEC, unit="furlong")),
    ):
        with pytest.raises(CheckpointError, match="worldgym world train-inverse-dynamics"):
            copy.check(codec, spec)


@dataclass(frozen=True)
class Deaf(FakeWorld):
    """Ignores the number x, and moves y the wrong way round."""

    def _paint(self, state, actions: Actions, step: int) -> Frames:  # type: ignore[no-untyped-def]
        return super()._paint(state, actions * np.float32([0.0, -1.0, 1.0]), step)


def test_numbers_that_a_world_ignores_are_named(inverse_dynamics: InverseDynamicsModel) -> None:
    tasks = [Task(f"t/{i}", "t", np.full((16, 24, 3), 90, np.uint8), "wave", 8) for i in range(2)]
    good = action_following(FakeWorld(), FakeCodec(), inverse_dynamics, tasks, ReplayOptions())
    assert [(r.name, r.state) for r in good] == [
        ("x", "follows"),
        ("y", "follows"),
        ("gripper", "follows"),
    ]
    assert all(r.gain == pytest.approx(1.0, abs=0.3) and r.spill < 0.3 for r in good)
    deaf = action_following(Deaf(), FakeCodec(), inverse_dynamics, tasks, ReplayOptions())
    assert [r.state for r in deaf] == ["dead", "dead", "follows"]
    assert deaf[1].correlation is not None and deaf[1].correlation < -0.9
    assert (
        action_following(
            FakeWorld(spec=replace(FAKE_SPEC, mode="absolute_pose")),
            FakeCodec(),
            inverse_dynamics,
            tasks,
            ReplayOptions(),
        )
        == []
    )


def test_rest_opens_the_gripper() -> None:
    np.testing.assert_array_equal(rest(FAKE_SPEC), [0, 0, -1])
    np.testing.assert_array_equal(rest(replace(FAKE_SPEC, gripper="+1_open")), [0, 0, 1])


def test_responses_by_hand() -> None:
    commanded = np.array([[-1.0, 2.0], [0.0, 2.0], [1.0, 2.0]], np.float32)
    found = responses(0.5 * commanded, commanded, ("a", "b"))
    assert found["a"].correlation == pytest.approx(1.0) and found["a"].slope == pytest.approx(0.5)
    assert found["a"].rms_error == pytest.approx(np.sqrt(1 / 6), rel=1e-5)
    assert (found["b"].correlation, found["b"].slope, found["b"].rms_error) == (None, None, 1.0)
    still = responses(np.zeros_like(commanded), commanded, ("a", "b"))["a"]
    assert (still.correlation, still.slope) == (0.0, 0.0)


def test_fewer_frames_than_components() -> None:
    statistics = LatentStatistics.of(torch.randn(4, 3, 2, 3), torch.randn(2, 3, 2, 3), 48)
    drift = statistics.drift(torch.randn(5, 3, 2, 3))
    assert all(np.isfinite(part).all() and part.shape == (5,) for part in vars(drift).values())


def test_stores_that_do_not_serve(tmp_path: Path) -> None:
    other = record(tmp_path / "other", replace(FAKE_SPEC, unit="furlong"), 1)
    with pytest.raises(SpecMismatch, match="furlong"):
        train_inverse_dynamics(
            FakeCodec(), FAKE_SPEC, InverseDynamicsTrainConfig(other.root, tmp_path / "g")
        )
    single = record(tmp_path / "single", episodes=1)
    with pytest.raises(InputError, match="two or more"):
        train_inverse_dynamics(
            FakeCodec(), FAKE_SPEC, InverseDynamicsTrainConfig(single.root, tmp_path / "g")
        )
