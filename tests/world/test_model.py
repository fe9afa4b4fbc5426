"""Worlds leave what they are given alone, and survive what would not fit. In processes of their
own: the worst case ends one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

MAKES = """
import numpy as np
import torch
from worldgym.types import ActionSpec
from worldgym.world.network import DiT
from worldgym.world.network_config import DiTConfig
from worldgym.world.model import DiffusionWorld, WorldConfig
from worldgym.world.sampler import SamplerConfig

SPEC = ActionSpec(("x", "y"), "delta_pose", "1 m", "none", "none", (-1.0, -1.0), (1.0, 1.0), 10.0)

class Codec:
    def __init__(self, side):
        self.latent_shape, self.frame_shape = (3, side, side), (side, side, 3)
        self.fingerprint = self.latents = "tiny"

    def encode(self, frames):
        return frames.permute(0, 3, 1, 2).float() / 127.5 - 1.0

    def decode(self, latents):
        return ((latents.permute(0, 2, 3, 1) + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8)

def network(side=8, **sizes):
    torch.manual_seed(0)
    made = DiT(DiTConfig((3, side, side), action_size=5, action_octaves=2, **sizes))
    for parameter in made.parameters():
        parameter.data += 0.08 * torch.randn_like(parameter)
    return made

def world(made, dtype):
    side = made.config.latent_shape[1]
    sampler = SamplerConfig(steps=2, window=8, keep=4)
    config = WorldConfig(SPEC, made.config, sampler, "flow", {}, "tiny")
    return DiffusionWorld(config, made, Codec(side), "tiny", dtype)

def drawn(world, steps):
    side = world.frame_shape[0]
    frames = np.random.default_rng(0).integers(0, 256, (2, 1, side, side, 3), np.uint8)
    state, pieces = world.reset(frames, [1, 2]), []
    for _ in range(steps):
        state, new = world.step(state, np.ones((2, 1, 2), np.float32))
        pieces.append(new)
    return np.concatenate(pieces, 1)
"""

TWO_WORLDS = """
made = network(width=64, pairs=2, heads=2)
first = world(made, torch.float32)
alone = drawn(first, 6)
second = world(made, torch.bfloat16)
drawn(second, 6)
assert (drawn(first, 6) == alone).all(), "the second world changed the first"
unchanged = made.training and {x.dtype for x in made.parameters()} == {torch.float32}
assert unchanged, "the caller's network was changed"
assert all(x.requires_grad for x in made.parameters())
third = world(first.network, torch.float32)
assert third.network is first.network and (drawn(third, 6) == alone).all()
print(first.computes)
"""

MANY_TOKENS = """
# 2304 tokens x heads of 512 numbers: 9 MiB
made = network(96, width=1024, pairs=1, heads=2, mlp_ratio=1)
assert drawn(world(made, torch.float32), 1).shape == (2, 1, 96, 96, 3)
print("drawn")
"""


def said(program: str, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", MAKES + program],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_two_worlds_of_one_network() -> None:
    assert said(TWO_WORLDS) == "torch, float32, cpu"


@pytest.mark.slow
def test_many_tokens_with_wide_heads() -> None:
    assert said(MANY_TOKENS) == "drawn"
