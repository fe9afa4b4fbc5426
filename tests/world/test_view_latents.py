"""Views lie below each other, and come apart again."""

from __future__ import annotations

import torch

from worldgym.world.patches import patchify
from worldgym.world.view_latents import apart, stacked


def test_there_and_back_and_one_after_the_other_as_tokens() -> None:
    x = torch.randn(2, 3, 2, 4, 6, 8)  # B T V C h w
    below = stacked(x)
    assert below.shape == (2, 3, 4, 12, 8) and torch.equal(apart(below, 2), x)
    tokens = patchify(below, 2)
    assert torch.equal(tokens[:, :, :12], patchify(x[:, :, 0], 2))
    assert torch.equal(tokens[:, :, 12:], patchify(x[:, :, 1], 2))
    one = torch.randn(2, 3, 4, 6, 8)
    assert torch.equal(stacked(one[:, :, None]), one)
