"""What is carried on: the same everywhere, from the frame before, by the frame's action."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_worlds import latents_of, make_world

from worldgym.testing import check_world
from worldgym.world.carrier import Carrier
from worldgym.world.network import DiT
from worldgym.world.network_config import DiTConfig

CONFIG = DiTConfig(
    (2, 12, 12), width=16, pairs=1, heads=2, action_size=3, window=8, carrier_width=8
)


def shaken(module: torch.nn.Module, by: float = 0.2) -> torch.nn.Module:
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(by * torch.randn_like(parameter))
    return module


def clip(config: DiTConfig, frames: int) -> tuple[torch.Tensor, ...]:
    """x, level, actions, initial frame."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2, frames, *config.stacked_shape, generator=generator)
    return x, torch.full((2, frames), 900.0), torch.ones(2, frames, config.action_size), x[:, 0]


def test_a_picture_that_moved_is_carried_on_as_it_was() -> None:
    """One place to the right in, one place to the right out: of the same view, whose map of places
    is the same all over, and away from the edges."""
    carrier = shaken(Carrier(replace(CONFIG, carrier_blocks=1)))
    assert isinstance(carrier, Carrier)
    with torch.no_grad():
        carrier.places.zero_()
    x = torch.randn(1, 1, 2, 12, 12)
    by = torch.randn(1, 1, 4 * 8)
    moved = x.roll(1, -1)
    here, there = carrier(x, x[:, 0], by), carrier(moved, moved[:, 0], by)
    inside = slice(5, 7)  # four convolutions see four places to either side
    torch.testing.assert_close(
        there[..., inside, 6:8], here[..., inside, 5:7], atol=1e-5, rtol=1e-5
    )
    assert not torch.allclose(here, x, atol=0.01)


def test_views_are_carried_on_by_the_same_weights_and_not_mixed() -> None:
    carrier = shaken(Carrier(replace(CONFIG, cameras=2)))
    with torch.no_grad():
        carrier.places[1] = carrier.places[0]  # type: ignore[index]
    one, two = torch.randn(2, 1, 3, 2, 12, 12)
    by = torch.randn(1, 3, 4 * 4 * 8)
    both = carrier(torch.cat([one, two], 3), torch.cat([two, one], 3)[:, 0], by)
    swapped = carrier(torch.cat([two, one], 3), torch.cat([one, two], 3)[:, 0], by)
    torch.testing.assert_close(both[..., :12, :], swapped[..., 12:, :])
    own = carrier(
        torch.cat([one, two], 3), torch.cat([two, one], 3)[:, 0], by[:, :, None].repeat(1, 1, 2, 1)
    )
    torch.testing.assert_close(own, both)


def test_a_new_network_draws_the_previous_frame_again() -> None:
    """From pure noise, one step of v takes a frame to what was carried on, which no training has
    moved yet."""
    network = DiT(CONFIG)
    x, level, actions, start = clip(CONFIG, 4)
    drawn = x - network(x, torch.full_like(level, 1000.0), actions, start)
    torch.testing.assert_close(drawn[:, 1:], x[:, :-1])
    condition = network.condition(torch.full_like(level, 1000.0), actions)
    carried = torch.randn_like(x)
    given = x - network.denoise(x, condition, start, carried=carried)
    torch.testing.assert_close(given, carried)


def test_what_is_carried_on_can_be_given() -> None:
    network = shaken(DiT(CONFIG))
    assert isinstance(network, DiT)
    x, level, actions, start = clip(CONFIG, 4)
    condition = network.condition(level, actions)
    own = network.carry(torch.cat([x[:, :1], x[:, :-1]], 1), start, condition)
    plain = network(x, level, actions, start)
    assert torch.equal(plain, network.denoise(x, condition, start, carried=own))
    own = own.clone()
    own[:, 2] += 1.0
    other = network.denoise(x, condition, start, carried=own)
    changed = (plain - other).abs().amax((0, 2, 3, 4))
    assert changed[:2].max() == 0 and changed[2] > 0.01
    plainer = DiT(replace(CONFIG, carrier_width=0))
    assert plainer.carry(x, start, condition) is x


@pytest.mark.parametrize(("carrier_width", "direct_width"), [(0, 0), (8, 0), (0, 96)])
def test_products_are_counted(carrier_width: int, direct_width: int) -> None:
    """As torch counts them, attention's left out."""
    from torch.utils.flop_counter import FlopCounterMode

    parts = {"carrier_width": carrier_width, "direct_width": direct_width}
    config = replace(CONFIG, width=64, cameras=2, latent_shape=(24, 12, 12), **parts)
    network = DiT(config)
    x, level, actions, start = clip(config, 4)
    with FlopCounterMode(display=False) as counter:
        network(x[:1], level[:1], actions[:1], start[:1])
    counted = counter.get_total_flops() / 4
    rest = 2 * (config.views + 1) * config.tokens * 4 * 24 * 64 + 2 * 64 * (256 + 64)
    assert config.flops_per_frame == pytest.approx(counted - rest, rel=0.1)


@pytest.mark.parametrize("chunk", [1, 3])
@pytest.mark.parametrize(("order", "rule"), [("pyramid", "rolling"), ("parallel", "recompute")])
def test_cached_is_plain(chunk: int, order: str, rule: str) -> None:
    keep = 1 if rule == "rolling" else 4
    fast = make_world(carrier_width=8, order=order, rule=rule, keep=keep, steps=2)
    slow = fast.with_sampler(cached=False)
    found = latents_of(fast, 2, 12, chunk)
    assert np.abs(found - latents_of(slow, 2, 12, chunk)).max() < 1e-4
    other = make_world(order=order, rule=rule, keep=keep, steps=2)
    assert np.abs(found - latents_of(other, 2, 12, chunk)).max() > 0.01


def test_conforms_to_the_seam() -> None:
    """Rows do not depend on each other, states branch, and so on."""
    check_world(make_world(carrier_width=8))


def test_a_training_is_known_again_by_its_convolutions() -> None:
    """And one that began before there were any by what its config said then."""
    before = (
        "DiTConfig(latent_shape=(8, 12, 12), patch=2, width=256, pairs=4, heads=4, mlp_ratio=4, "
        "action_size=9, action_octaves=0, previous_frame=True, initial_frame=True, "
        "positions='learned', rotary_tables='exact', activation='relu2', window=32, embodiments=1)"
    )
    assert repr(DiTConfig()) == repr(DiTConfig(cameras=2)) == before
    carrying = [
        DiTConfig(carrier_width=8),
        DiTConfig(carrier_width=4),
        DiTConfig(carrier_width=8, carrier_blocks=2),
    ]
    assert len({before, *map(repr, carrying)}) == 4
