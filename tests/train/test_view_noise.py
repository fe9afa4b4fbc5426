"""Views that were not recorded are noise and cost nothing; the others have levels of their own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_networks import tiny_codec, tiny_world

from worldgym.episodes.store import EpisodeStore
from worldgym.evaluation.rollout import roll_out
from worldgym.testing import FakePolicy
from worldgym.train.codec_and_world import train_codec_and_world
from worldgym.train.optimizer import OptimizerConfig
from worldgym.train.recipes import RECIPES, Recipe
from worldgym.train.training_requests import TrainRequest
from worldgym.train.view_noise import completion_loss, draw_levels, view_noise
from worldgym.train.world_batches import Batch
from worldgym.train.world_train_config import WorldTrainConfig
from worldgym.types import Task, Trial
from worldgym.world.network import DiT
from worldgym.world.network_config import DiTConfig
from worldgym.world.noise import make_schedule
from worldgym.world.open_loop_replay import replay
from worldgym.world.world_checkpoint import load_diffusion_world

SCHEDULE = make_schedule("flow")


def test_absent_views_are_noise_without_weight() -> None:
    generator = torch.Generator().manual_seed(0)
    x, eps = (torch.randn(4, 5, 3, 16, 8, generator=generator) for _ in range(2))
    present = torch.tensor([[True, True], [True, False], [True, True], [True, False]])
    draws = draw_levels(SCHEDULE, (4, 5), 2, generator)
    shown = view_noise(SCHEDULE, x, x[:, 0], eps, present, draws)
    missing = slice(1, None, 2)
    assert torch.equal(shown.noisy[missing, :, :, 8:], eps[missing, :, :, 8:])
    assert (shown.level[missing, :, 1] == 1000.0).all()
    assert (shown.weight[missing, :, :, 8:] == 0.0).all()
    assert (shown.weight[:, :, :, :8] > 0.0).any()
    assert (shown.start[missing, :, 8:] == 0.0).all()
    assert torch.equal(shown.start[:, :, :8], x[:, 0, :, :8])
    again = x.clone()
    again[missing, :, :, 8:] = 99.0  # whatever stands in place of what was not recorded
    other = view_noise(SCHEDULE, again, again[:, 0], eps, present, draws)
    assert torch.equal(other.noisy, shown.noisy) and torch.equal(other.start, shown.start)


def test_levels_are_shared_in_some_frames_and_the_main_view_is_never_dropped() -> None:
    draws = draw_levels(SCHEDULE, (64, 32), 3, torch.Generator().manual_seed(1))
    shared = (draws.level[..., 0] == draws.level[..., 1]).float().mean()
    assert 0.4 < shared < 0.6 and not draws.dropped[:, 0].any()
    assert 0.2 < draws.dropped[:, 1:].float().mean() < 0.4


def test_completing_an_initial_frame_teaches_nothing_of_carrying_frames_on() -> None:
    """No frame is before it."""
    generator = torch.Generator().manual_seed(0)
    network = DiT(DiTConfig((2, 4, 4), cameras=2, action_size=3, carrier_width=4))
    torch.nn.init.normal_(network.final_linear.weight)
    x = torch.randn(4, 1, 2, 8, 4, generator=generator)
    seen = torch.ones(4, 1, dtype=torch.bool)
    there = torch.ones(4, 2, dtype=torch.bool)
    batch = Batch(x, x[:, 0], torch.zeros(4, 1, 3), seen, slice(0, 4), there)
    config = WorldTrainConfig(Path("run"), network.config, OptimizerConfig(1), batch=4)
    completion_loss(network, SCHEDULE, batch, config, generator).backward()
    assert network.final_linear.weight.grad is not None
    assert network.final_linear.weight.grad.abs().max() > 0
    carrier = network.carrier
    assert carrier is not None and carrier.leave.weight.grad is None


@pytest.mark.parametrize("carrier_width", [0, 4])
@pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorboard")
def test_a_world_of_two_views_from_a_store_to_a_rollout(
    episode_store: EpisodeStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    carrier_width: int,
) -> None:
    """The second episode was recorded without the wrist camera."""
    views = ("front", "wrist")
    plain = episode_store
    store = EpisodeStore.create(tmp_path / "two", plain.spec, plain.fps, views=views)
    for i, info in enumerate(plain):
        episode = plain[info.name]
        wrist = episode.frames[:, :, ::-1] * np.uint8(i != 1)
        both = np.concatenate([episode.frames, wrist], axis=1)
        absent = ("wrist",) if i == 1 else ()
        store.write(info.name, replace(episode, frames=both, views=views, absent=absent))

    def recipe(out: Path, device: str) -> WorldTrainConfig:
        tiny = tiny_world(out, device)
        return replace(tiny, network=replace(tiny.network, carrier_width=carrier_width))

    monkeypatch.setitem(RECIPES, "tiny", Recipe(tiny_codec, recipe))
    request = TrainRequest((str(store.root),), (store.root,), tmp_path / "out", "tiny")
    world = load_diffusion_world(train_codec_and_world(request))
    assert world.views == views and world.config.network.cameras == 2
    store = EpisodeStore(store.root)
    result = replay(world, [store["square-0"], store["square-1"]])
    assert result.frames.shape == (2, 9, 2, 32, 32, 3)
    assert np.isfinite(result.psnr[0]).all() and np.isnan(result.psnr[1, :, 1]).all()
    task = Task("t/1", "t", store["square-0"].main[0], "push", 3)
    (rollout,) = roll_out(world, FakePolicy(spec=world.spec), [Trial(task, 0, 1)])
    assert rollout.flags == ("wrist view generated",) and rollout.views == views
    np.testing.assert_array_equal(rollout.main[0], task.frame)
    assert rollout.frames[0, 1].max() > 0
