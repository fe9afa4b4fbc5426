"""What the network is shown."""

from __future__ import annotations

import torch

from worldgym.world.dit import DiTConfig, octaves, patchify, unpatchify


def test_octaves_are_the_numbers_then_sines_then_cosines() -> None:
    actions = torch.tensor([[0.5, -2.0]])
    shown = octaves(actions, 2)
    angles = torch.tensor([0.5, 1.0, -2.0, -4.0])
    torch.testing.assert_close(shown[0], torch.cat([actions[0], angles.sin(), angles.cos()]))
    assert shown.shape[1] == DiTConfig(action_size=2, action_octaves=2).action_features
    assert torch.equal(octaves(actions, 0), actions)


def test_half_precision_numbers_turn_in_full_precision() -> None:
    """At the highest frequency the rounding of bfloat16 would blur the angle."""
    actions = torch.tensor([[2.53125]])  # exact in bfloat16
    torch.testing.assert_close(octaves(actions.bfloat16(), 4), octaves(actions, 4))


def test_patches_come_back_as_frames() -> None:
    config = DiTConfig(latent_shape=(3, 4, 6), patch=2)
    x = torch.randn(2, 5, 3, 4, 6)
    patches = patchify(x, config)
    assert patches.shape == (2, 5, 6, 12)
    assert torch.equal(unpatchify(patches, config), x)
    assert torch.equal(patches[0, 0, 0], x[0, 0, :, :2, :2].permute(1, 2, 0).flatten())
