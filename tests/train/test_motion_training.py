"""A camera that looks down and moves sideways: where it went is learned from pictures alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from shifting_latents import interrupted

from worldgym.actions.embodiment import Embodiment
from worldgym.testing import FAKE_SPEC
from worldgym.train import motion_training
from worldgym.train.distributed import ProcessGroup
from worldgym.train.latent_shards import LatentEpisodes, join
from worldgym.train.motion_training import QUIET, Pictures, difference, motion_loss, train_motion
from worldgym.train.optimizer import OptimizerConfig
from worldgym.train.world_batches import Tables
from worldgym.train.world_train_config import WorldTrainConfig
from worldgym.world.moved_picture import SCALE, MovedPicture
from worldgym.world.network_config import DiTConfig

ALONE = ProcessGroup(0, 1)
SIDE = 8
STEP = 0.12  # of half a picture's width, by an action of 1


class Codec:
    """Latents are the picture at an eighth of its size: 32 pixels => [3, 8, 8]."""

    latent_shape, frame_shape, fingerprint, latents = (3, SIDE, SIDE), (32, 32, 3), "none", "none"

    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        raise AssertionError("training must not encode")

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        pixels = torch.nn.functional.interpolate(latents, (32, 32), mode="bilinear")
        return (127.5 * (pixels + 1)).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def seen(at: float, scene: np.ndarray) -> np.ndarray:
    """[3, SIDE, SIDE]: waves of three colours, by a camera that is `at` so far to the right."""
    x = (np.arange(SIDE) + 0.5) / SIDE * 2 - 1
    phase = (
        scene[:, None, None] + 2.0 * (x[None, None] + at) * np.array([0.8, 1.0, 1.3])[:, None, None]
    )
    return 0.8 * np.sin(phase + 0.5 * x[None, :, None])


def episodes(count: int = 8, steps: int = 9, seed: int = 0) -> list[LatentEpisodes]:
    rng = np.random.default_rng(seed)
    actions = [rng.uniform(-1, 1, (steps, FAKE_SPEC.size)).astype(np.float32) for _ in range(count)]
    frames = []
    for a in actions:
        scene = rng.uniform(-1, 1, 3)
        places = np.concatenate([[0.0], np.cumsum(a[:, 0])])
        frames += [seen(STEP * place, scene) for place in places]
    return [join(np.stack(frames).astype(np.float16), actions, Embodiment("fake", FAKE_SPEC))]


def config(out: Path, **changes: object) -> WorldTrainConfig:
    size = 2 * FAKE_SPEC.size + 1
    network = DiTConfig(
        (3, SIDE, SIDE), width=32, action_size=size, direct_width=8, sums_from=FAKE_SPEC.size
    )
    return replace(WorldTrainConfig(out, network, OptimizerConfig(4)), **changes)  # type: ignore[arg-type]


def new_picture(wanted: WorldTrainConfig) -> MovedPicture:
    torch.manual_seed(0)
    picture = MovedPicture(wanted.network)
    picture.initialize()
    return picture


def settings(steps: int) -> OptimizerConfig:
    return OptimizerConfig(steps, lr=3e-3, warmup=10, ema=0.9, decay=1.0)


def test_where_a_camera_went_is_learned_from_pictures(tmp_path: Path) -> None:
    wanted = config(tmp_path)
    picture = new_picture(wanted)
    train_motion(picture, settings(300), Tables.of(episodes(), wanted), wanted, Codec(), ALONE)
    held_out = episodes(seed=1)[0]
    by = picture.homographies(torch.from_numpy(held_out.shown))
    moved = 10 * held_out.shown[:, FAKE_SPEC.size] * STEP  # sums are shown at a tenth
    right = by[:, 2].detach().numpy()
    assert np.corrcoef(right, moved)[0, 1] > 0.9
    assert np.abs(right - moved).mean() < 0.5 * np.abs(moved).mean()
    drawn = picture.pictures(torch.from_numpy(held_out.latents[:4]).float())
    assert drawn.shape == (4, 3, SCALE * SIDE, SCALE * SIDE)
    recorded = Codec().decode(torch.from_numpy(held_out.latents[:4]).float())
    truth = recorded.permute(0, 3, 1, 2).float() / 127.5 - 1
    assert (drawn - truth).square().mean() < 0.3 * truth.square().mean()
    assert not list(tmp_path.glob("pictures*"))


def test_what_stands_still_while_the_picture_moves_does_not_drag_it() -> None:
    """Of a place that looked the same two frames before, nothing counts; of the others, however far
    the moved picture is off."""
    found, there = torch.zeros(3, 3, 8, 8), torch.ones(3, 3, 8, 8)
    then = there.clone()
    then[1:, :, :, 4:] = 0.5
    found[2, :, :, 4:] = -3.0
    still, half, far = difference(found, there, then)
    assert still == 0 and half == pytest.approx(2 * 0.25 / (0.25 + QUIET))
    assert far == pytest.approx(4 * float(half))
    assert difference(there, there, then).abs().max() == 0


def test_two_processes_take_the_step_of_one(tmp_path: Path) -> None:
    wanted = config(tmp_path)
    tables, picture = Tables.of(episodes(), wanted), new_picture(wanted)
    pictures = Pictures.of(tables, wanted, Codec())
    whole, *halves = (
        motion_loss(picture, tables, pictures, 100, wanted, group)(50).item()
        for group in (ALONE, ProcessGroup(0, 2), ProcessGroup(1, 2))
    )
    assert sum(halves) / 2 == pytest.approx(whole, rel=1e-5) and halves[0] != halves[1]


def test_stopped_and_resumed_is_uninterrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = Tables.of(episodes(), config(tmp_path))
    whole = config(tmp_path / "whole", save_every=4)
    expected = new_picture(whole)
    train_motion(expected, settings(12), tables, whole, Codec(), ALONE)
    broken = config(tmp_path / "broken", save_every=4)
    kept = motion_training.motion_loss
    monkeypatch.setattr(motion_training, "motion_loss", interrupted(kept, 9))
    with pytest.raises(KeyboardInterrupt):
        train_motion(new_picture(broken), settings(12), tables, broken, Codec(), ALONE)
    monkeypatch.setattr(motion_training, "motion_loss", kept)
    resumed = new_picture(broken)
    train_motion(resumed, settings(12), tables, broken, Codec(), ALONE)
    again = new_picture(broken)  # finished: no picture is decoded once more
    monkeypatch.setattr(Codec, "decode", Codec.encode)
    train_motion(again, settings(12), tables, broken, Codec(), ALONE)
    for name, value in expected.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
        assert torch.equal(value, again.state_dict()[name]), name


def test_pictures_are_those_of_episodes_spread_over_the_stores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(motion_training, "FRAMES", 30)
    wanted = config(tmp_path)
    data = episodes(8)
    tables = Tables.of(data, wanted)
    pictures = Pictures.of(tables, wanted, Codec())
    assert list(pictures.lengths) == [10] * 3 and len(pictures.pixels) == 30
    for row, episode in enumerate((0, 2, 5)):
        first = data[0].first[episode]
        latents = torch.from_numpy(data[0].latents[first : first + 1]).float()
        truth = Codec().decode(latents).permute(0, 3, 1, 2)
        assert np.array_equal(pictures.pixels[10 * row], truth[0].numpy()[None])
        shown = torch.from_numpy(data[0].shown[first : first + 10])
        assert torch.equal(pictures.shown[10 * row : 10 * row + 10], shown)
        assert pictures.rows[row] == first
    monkeypatch.setattr(motion_training, "EPISODES", 2)
    assert len(Pictures.of(tables, wanted, Codec()).first) == 2  # not those of the file before
