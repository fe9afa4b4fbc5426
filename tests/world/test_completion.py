"""A world of two views: the seam, the network, and a view of the initial frame that it draws
itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from worldgym.errors import CheckpointError
from worldgym.testing import FAKE_SPEC, check_world
from worldgym.world.model import DiffusionWorld
from worldgym.world.network import DiT
from worldgym.world.network_config import DiTConfig
from worldgym.world.row_threads import SplitWorld
from worldgym.world.sampler import SamplerConfig
from worldgym.world.world_config import WorldConfig

VIEWS = ("front", "wrist")


class Codec:
    latent_shape, frame_shape, fingerprint, latents = (3, 8, 8), (8, 8, 3), "tiny", "tiny"

    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        return frames.permute(0, 3, 1, 2).float() / 127.5 - 1.0

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        pixels = (latents.permute(0, 2, 3, 1) + 1.0) * 127.5
        return pixels.round().clamp(0, 255).to(torch.uint8)


def make_network(positions: str = "learned", cameras: int = 2) -> DiT:
    torch.manual_seed(0)
    made = DiT(
        DiTConfig(
            (3, 8, 8),
            width=32,
            pairs=2,
            heads=2,
            action_size=2 * FAKE_SPEC.size + 1,
            positions=positions,
            cameras=cameras,
        )
    )
    for parameter in made.parameters():
        parameter.data += 0.08 * torch.randn_like(parameter)
    return made.eval()


def make_world(positions: str = "learned") -> DiffusionWorld:
    network = make_network(positions)
    sampler = SamplerConfig(steps=3, window=8, keep=4)
    config = WorldConfig(FAKE_SPEC, network.config, sampler, "flow", {}, "tiny", views=VIEWS)
    return DiffusionWorld(config, network, Codec(), "tiny", torch.float32)


@pytest.mark.parametrize("positions", ["learned", "rotary"])
def test_two_views_pass_the_rules_of_worlds(positions: str) -> None:
    world = make_world(positions)
    assert world.views == VIEWS
    check_world(world)


def test_the_views_of_a_frame_meet_in_the_spatial_blocks() -> None:
    network = make_network()
    x, actions = torch.randn(1, 2, 3, 16, 8), torch.randn(1, 2, 7)
    level = torch.full((1, 2), 300.0)
    changed = x.clone()
    changed[:, 1, :, 8:] += 1.0  # the second view of the last frame
    before, after = (network(one, level, actions, x[:, 0]) for one in (x, changed))
    assert torch.equal(before[:, 0], after[:, 0])
    assert (before[:, 1, :, :8] - after[:, 1, :, :8]).abs().max() > 1e-3


def test_a_level_for_each_view_is_that_of_the_frame_where_they_agree() -> None:
    network = make_network("rotary")
    x, actions = torch.randn(2, 3, 3, 16, 8), torch.randn(2, 3, 7)
    level = 1000.0 * torch.rand(2, 3)
    whole = network(x, level, actions, x[:, 0])
    each = network(x, level[..., None].expand(2, 3, 2), actions, x[:, 0])
    torch.testing.assert_close(whole, each, atol=1e-5, rtol=1e-5)
    other = network(x, torch.stack([level, level / 2], -1), actions, x[:, 0])
    assert (other - each).abs().max() > 1e-3


def test_positions_begin_anew_in_each_view() -> None:
    """Without its token, a view is drawn the same wherever it lies."""
    network = make_network("rotary")
    assert network.view_token is not None
    network.view_token.data.zero_()
    x, actions = torch.randn(1, 2, 3, 16, 8), torch.randn(1, 2, 7)
    level = torch.full((1, 2), 300.0)
    turned = torch.cat([x[..., 8:, :], x[..., :8, :]], -2)
    one, two = (network(one, level, actions, one[:, 0]) for one in (x, turned))
    torch.testing.assert_close(one[..., :8, :], two[..., 8:, :], atol=1e-5, rtol=1e-5)


def test_a_missing_view_is_drawn_from_the_others_and_the_seed() -> None:
    world = make_world()
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (3, 2, 8, 8, 3)).astype(np.uint8)
    given = np.array([[True, False], [True, True], [True, False]])
    whole = world.complete(frames, given, [1, 2, 3])
    np.testing.assert_array_equal(whole[given], frames[given])
    assert not np.array_equal(whole[0, 1], whole[2, 1])
    black = np.where(given[..., None, None, None], frames, 0).astype(np.uint8)
    np.testing.assert_array_equal(world.complete(black, given, [1, 2, 3]), whole)  # never looked at
    for row in (0, 2):
        alone = world.complete(frames[row : row + 1], given[row : row + 1], [row + 1])
        assert np.abs(alone[0].astype(int) - whole[row]).max() <= 1
    other = world.complete(frames, given, [7, 2, 3])
    assert not np.array_equal(other[0, 1], whole[0, 1])
    split = SplitWorld(world, 2).complete(frames, given, [1, 2, 3])
    assert np.abs(split.astype(int) - whole).max() <= 1


def test_names_and_network_agree() -> None:
    world = make_world()
    config = WorldConfig.from_json(world.config.to_json())
    assert config == world.config
    with pytest.raises(CheckpointError, match="names the views front, but its network draws 2"):
        replace(config, views=("front",)).check()
