"""Frames drawn directly from the initial one: each by itself, shown to the tokens, let through."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_worlds import latents_of, make_world

from worldgym.errors import CheckpointError
from worldgym.testing import check_world
from worldgym.world.completion import draw_missing
from worldgym.world.direct import Direct
from worldgym.world.network import DiT
from worldgym.world.network_config import DiTConfig
from worldgym.world.noise import make_schedule

CONFIG = DiTConfig(
    (2, 8, 8), width=16, pairs=1, heads=2, action_size=3, cameras=2, window=8, direct_width=8
)


def shaken(module: torch.nn.Module) -> torch.nn.Module:
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return module


def drawing() -> Direct:
    direct = shaken(Direct(CONFIG))
    assert isinstance(direct, Direct)
    return direct


def test_a_new_one_draws_the_initial_frame_again() -> None:
    direct = Direct(CONFIG)
    direct.initialize()
    start = torch.randn(2, *CONFIG.stacked_shape)
    drawn = direct(start, direct.told(torch.randn(2, 3, 3)))
    torch.testing.assert_close(drawn, start[:, None].expand_as(drawn))


@torch.no_grad()
def test_a_frame_depends_on_its_own_numbers_and_its_own_row_alone() -> None:
    direct = drawing()
    start, shown = torch.randn(3, *CONFIG.stacked_shape), torch.randn(3, 4, 3)
    drawn = direct(start, direct.told(shown))
    other = shown.clone()
    other[1, 2] += 1.0
    changed = (direct(start, direct.told(other)) - drawn).abs().amax((2, 3, 4))
    assert changed[1, 2] > 0.01
    changed[1, 2] = 0
    assert changed.max() < 1e-3
    alone = direct(start[1:2], direct.told(shown[1:2, 3:]))
    torch.testing.assert_close(alone[0, 0], drawn[1, 3], atol=1e-3, rtol=1e-3)


@torch.no_grad()
def test_all_of_the_initial_frame_can_reach_every_view() -> None:
    direct = drawing()
    start, told = torch.randn(1, *CONFIG.stacked_shape), direct.told(torch.randn(1, 1, 3))
    other = start.clone()
    other[..., :8, :] += 1.0  # the main view
    changed = (direct(other, told) - direct(start, told)).abs()
    assert changed[..., 8:, :].max() > 0.01


def test_a_new_network_lets_nothing_of_it_through() -> None:
    torch.manual_seed(0)
    network = DiT(CONFIG)
    assert network.direct is not None
    with torch.no_grad():
        network.direct.leave.bias.add_(1.0)
    x, level = torch.randn(2, 3, *CONFIG.stacked_shape), torch.full((2, 3), 900.0)
    assert network(x, level, torch.randn(2, 3, 3), x[:, 0]).abs().max() == 0


def test_tokens_see_it_and_let_it_through_and_it_is_not_taught_by_them() -> None:
    network = shaken(DiT(CONFIG))
    assert isinstance(network, DiT) and network.direct is not None
    x, level = torch.randn(2, 3, *CONFIG.stacked_shape), torch.full((2, 3), 900.0)
    actions = torch.randn(2, 3, 3)
    network(x, level, actions, x[:, 0]).square().mean().backward()
    taught = {n for n, p in network.direct.named_parameters() if p.grad is not None}
    assert taught == {"let_through.weight", "let_through.bias"}
    drawn = network(x, level, actions, x[:, 0])
    with torch.no_grad():
        network.direct.leave.bias.add_(0.5)
    changed = (network(x, level, actions, x[:, 0]) - drawn).abs().amax((0, 2, 3, 4))
    assert (changed > 0.01).all()


def test_views_with_levels_of_their_own_are_drawn_by_the_same_numbers() -> None:
    network = shaken(DiT(CONFIG))
    assert isinstance(network, DiT)
    x, actions = torch.randn(2, 3, *CONFIG.stacked_shape), torch.randn(2, 3, 3)
    one = network(x, torch.full((2, 3), 900.0), actions, x[:, 0])
    each = network(x, torch.full((2, 3, 2), 900.0), actions, x[:, 0])
    torch.testing.assert_close(one, each, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_missing_view_is_completed() -> None:
    network = shaken(DiT(CONFIG))
    assert isinstance(network, DiT)
    latents, noise = torch.randn(2, 2, 2, 2, 8, 8)
    given = torch.tensor([[True, False], [True, True]])
    schedule = make_schedule("flow")
    drawn = draw_missing(network, schedule, 2, latents, given, noise, torch.zeros(2, 1, 3))
    assert torch.equal(drawn[1], latents[1]) and torch.equal(drawn[0, 0], latents[0, 0])
    assert drawn.isfinite().all() and not torch.equal(drawn[0, 1], latents[0, 1])


@pytest.mark.parametrize("chunk", [1, 3])
@pytest.mark.parametrize("rule", ["rolling", "recompute"])
def test_cached_is_plain(chunk: int, rule: str) -> None:
    keep = 1 if rule == "rolling" else 4
    fast = make_world(carrier_width=8, direct_width=8, rule=rule, keep=keep, steps=2)
    found = latents_of(fast, 2, 12, chunk)
    slow = latents_of(fast.with_sampler(cached=False), 2, 12, chunk)
    assert np.abs(found - slow).max() < 1e-4
    other = make_world(carrier_width=8, rule=rule, keep=keep, steps=2)
    assert np.abs(found - latents_of(other, 2, 12, chunk)).max() > 0.01


def test_conforms_to_the_seam() -> None:
    check_world(make_world(direct_width=8))


def test_latents_that_cannot_be_halved_and_several_robots_are_refused() -> None:
    with pytest.raises(CheckpointError, match="latents of 6 x 8 cannot be halved 2 times"):
        DiT(replace(CONFIG, latent_shape=(2, 6, 8)))
    with pytest.raises(CheckpointError, match="for one robot alone"):
        DiT(replace(CONFIG, embodiments=2))


def test_a_training_is_known_again_by_it() -> None:
    before = repr(DiTConfig())
    assert "direct" not in before and "direct" not in repr(DiTConfig(carrier_width=8))
    assert len({before, repr(DiTConfig(direct_width=8)), repr(DiTConfig(direct_width=4))}) == 3
