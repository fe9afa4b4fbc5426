"""What the named recipes say they are."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from worldgym.actions.conventions import convention
from worldgym.train.recipes import RECIPES
from worldgym.world.network import DiT
from worldgym.world.world_config import WorldConfig


@pytest.mark.parametrize("name", [name for name in RECIPES if name.startswith("paper_")])
def test_a_paper_recipe_has_the_size_in_its_name_and_fits_the_published_actions(name: str) -> None:
    config = RECIPES[name].world(Path("out"), "cpu")
    with torch.device("meta"):
        millions = sum(parameter.numel() for parameter in DiT(config.network).parameters()) / 1e6
    assert abs(millions - int(name.removeprefix("paper_").removesuffix("m"))) < 0.6
    assert config.network.tokens == 256
    WorldConfig(
        convention("released_10"),
        config.network,
        config.sampler,
        config.schedule,
        {},
        "",
        config.conditioning,
    ).check()


def test_the_largest_is_the_published_network() -> None:
    network = RECIPES["paper_608m"].world(Path("out"), "cpu").network
    assert (network.width, network.pairs, network.heads, network.patch, network.action_size) == (
        1024,
        16,
        16,
        2,
        10,
    )
    assert (network.positions, network.activation, network.views) == ("rotary_pixel", "gelu", 1)
