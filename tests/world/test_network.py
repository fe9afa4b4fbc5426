"""What the network is shown."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from worldgym.world.grown_weights import grown
from worldgym.world.network import DiT
from worldgym.world.network_config import DiTConfig
from worldgym.world.patches import patchify, unpatchify


def network(checkpointing: bool = False, **changes: object) -> DiT:
    """Small, and none of its weights zero."""
    torch.manual_seed(0)
    found = DiT(
        DiTConfig((2, 4, 4), width=16, pairs=2, heads=2, action_size=3, window=8, **changes),
        checkpointing,
    )  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in found.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return found


def clip(frames: int) -> tuple[torch.Tensor, ...]:
    """x, level, actions, initial frame."""
    x = torch.randn(2, frames, 2, 4, 4, generator=torch.Generator().manual_seed(1))
    return x, torch.full((2, frames), 300.0), torch.ones(2, frames, 3), x[:, 0]


def test_checkpointing_gives_the_same_gradients() -> None:
    gradients = []
    for checkpointing in (False, True):
        model = network(checkpointing)
        model(*clip(5)).square().mean().backward()
        gradients.append(
            torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
        )
    assert gradients[0].abs().max() > 0
    torch.testing.assert_close(gradients[1], gradients[0], atol=1e-7, rtol=1e-5)


def test_a_frame_out_of_sight_is_not_seen() -> None:
    """Two pairs of blocks pass on what was seen: with sight 2 a frame is reached from two frames
    before it, not from three."""
    model = network(positions="rotary", previous_frame=False, initial_frame=False)
    x, level, actions, start = clip(6)
    other = x.clone()
    other[:, 1] += 1.0
    plain, moved = (model(latents, level, actions, start, None, 2) for latents in (x, other))
    changed = (plain - moved).abs().amax(dim=(0, 2, 3, 4)) > 1e-6
    assert changed.tolist() == [False, True, True, True, False, False]


@pytest.mark.parametrize("branches", [1, 3, 4])
@pytest.mark.parametrize("positions", ["rotary", "learned"])
def test_a_branch_sees_the_frames_before_it_and_itself(positions: str, branches: int) -> None:
    """Each is what it would be alone behind them; the frames in a row are what they would be
    without any."""
    model = network(positions=positions)
    x, level, actions, start = clip(4 + branches)
    row, beside = model(x, level, actions, start, branches=branches).split([4, branches], 1)
    torch.testing.assert_close(
        row, model(x[:, :4], level[:, :4], actions[:, :4], start), atol=1e-5, rtol=1e-5
    )
    for index in range(branches):
        place = 4 - branches + 1 + index
        alone = torch.cat([x[:, :place], x[:, 4 + index : 5 + index]], 1)
        expected = model(alone, level[:, : place + 1], actions[:, : place + 1], start)[:, -1]
        torch.testing.assert_close(beside[:, index], expected, atol=1e-5, rtol=1e-5)


def test_patches_come_back_as_frames() -> None:
    config = DiTConfig(latent_shape=(3, 4, 6), patch=2)
    x = torch.randn(2, 5, 3, 4, 6)
    patches = patchify(x, config.patch)
    assert patches.shape == (2, 5, 6, 12)
    assert torch.equal(unpatchify(patches, config.latent_shape, config.patch), x)
    assert torch.equal(patches[0, 0, 0], x[0, 0, :, :2, :2].permute(1, 2, 0).flatten())


@pytest.mark.parametrize("views", [(True, True), (False, False), (True, False), (False, True)])
def test_a_grown_network_draws_what_it_drew(views: tuple[bool, bool]) -> None:
    small = network(previous_frame=views[0], initial_frame=views[1])
    large = DiT(replace(small.config, latent_shape=(5, 4, 4)))
    large.load_state_dict(grown(small.state_dict(), small.config, large.config))
    x, level, actions = torch.randn(2, 3, 5, 4, 4), torch.rand(2, 3) * 1000, torch.randn(2, 3, 3)
    drawn = large(x, level, actions, x[:, 0])
    torch.testing.assert_close(drawn[:, :, :2], small(x[:, :, :2], level, actions, x[:, 0, :2]))
    assert (drawn[:, :, 2:] == 0).all()
    more = DiT(replace(small.config, action_size=7, action_octaves=2))
    start = DiT(replace(small.config, action_octaves=2))
    more.load_state_dict(grown(start.state_dict(), start.config, more.config))
    # new numbers before the last
    shown = torch.cat([actions[..., :-1], torch.randn(2, 3, 4), actions[..., -1:]], -1)
    torch.testing.assert_close(
        more(x[:, :, :2], level, shown, x[:, 0, :2]),
        start(x[:, :, :2], level, actions, x[:, 0, :2]),
    )
    two = DiT(replace(small.config, cameras=2))
    two.load_state_dict(grown(small.state_dict(), small.config, two.config))
    alike = x[:, :, :2].repeat(1, 1, 1, 2, 1)  # two views of one look
    drawn = two(alike, level, actions, alike[:, 0])
    torch.testing.assert_close(drawn[..., :4, :], drawn[..., 4:, :])
    torch.testing.assert_close(
        drawn[..., :4, :], small(x[:, :, :2], level, actions, x[:, 0, :2]), atol=1e-5, rtol=1e-5
    )
    carrying = network(carrier_width=4)
    two = DiT(replace(carrying.config, cameras=2))
    two.load_state_dict(grown(carrying.state_dict(), carrying.config, two.config))
    torch.testing.assert_close(
        two(alike, level, actions, alike[:, 0])[..., :4, :],
        carrying(x[:, :, :2], level, actions, x[:, 0, :2]),
        atol=1e-5,
        rtol=1e-5,
    )
    seeing = DiT(replace(small.config, previous_frame=True, initial_frame=True, direct_width=8))
    mine = seeing.state_dict() | grown(small.state_dict(), small.config, seeing.config)
    seeing.load_state_dict(mine)  # each kind of latents keeps its own columns
    given = (x[:, :, :2], level, actions, x[:, 0, :2])
    torch.testing.assert_close(seeing(*given), small(*given), atol=1e-5, rtol=1e-5)
    same = grown(small.state_dict(), small.config, small.config)
    assert all(torch.equal(same[name], value) for name, value in small.state_dict().items())
