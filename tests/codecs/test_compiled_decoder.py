"""The fused decoder gives the decoder's pictures."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from worldgym.codecs.compiled_decoder import TOGETHER, fused_decoder
from worldgym.codecs.conv import ConvCodec, ConvCodecConfig


@pytest.mark.parametrize("frames", [1, TOGETHER, TOGETHER + 1])
def test_the_same_pictures(frames: int) -> None:
    """To the rounding of bfloat16, in which both compute."""
    torch.manual_seed(0)
    codec = (
        ConvCodec(ConvCodecConfig(32, channels=4, width=32, blocks=2)).eval().requires_grad_(False)
    )
    for parameter in codec.decoder.parameters():
        parameter.add_(0.05 * torch.randn_like(parameter))
    fused = fused_decoder(codec.decoder, codec.latent_shape[1])
    if fused is None:
        pytest.skip("no C compiler here")
    latents = torch.randn(frames, *codec.latent_shape)
    expected, found = codec.decode(latents), fused(latents)
    assert (
        found.dtype == torch.uint8 and found.shape == (frames, *codec.frame_shape) == expected.shape
    )
    difference = (found.int() - expected.int()).abs().float()
    assert expected.float().std() > 10 and difference.mean() < 0.5 and difference.max() <= 4


def test_frames_do_not_know_their_neighbours() -> None:
    torch.manual_seed(0)
    codec = (
        ConvCodec(ConvCodecConfig(32, channels=4, width=32, blocks=1)).eval().requires_grad_(False)
    )
    fused = fused_decoder(codec.decoder, codec.latent_shape[1])
    if fused is None:
        pytest.skip("no C compiler here")
    latents = 3 * torch.randn(TOGETHER + 1, *codec.latent_shape)
    assert torch.equal(fused(latents), torch.cat([fused(frame) for frame in latents.split(1)]))


@pytest.mark.parametrize(
    "layers",
    [
        nn.Sequential(nn.Conv2d(4, 48, 5, padding=2), nn.PixelShuffle(4)),
        nn.Sequential(nn.Conv2d(4, 48, 3, padding=1), nn.ReLU(), nn.PixelShuffle(4)),
        nn.Sequential(
            nn.Conv2d(4, 24, 3, padding=1), nn.Conv2d(24, 48, 3, padding=1), nn.PixelShuffle(4)
        ),
        nn.Sequential(nn.Conv2d(4, 12, 3, padding=1), nn.PixelShuffle(4)),
    ],
)
def test_what_does_not_fit_is_left_to_torch(layers: nn.Sequential) -> None:
    assert fused_decoder(layers, 4) is None


def test_a_loaded_codec_decodes_as_it_was_saved(tmp_path: Path) -> None:
    torch.manual_seed(0)
    codec = ConvCodec(ConvCodecConfig(16, channels=4, width=32, blocks=1)).eval()
    codec.save(tmp_path / "codec", "test", {})
    latents = torch.randn(2, *codec.latent_shape)
    loaded = ConvCodec.load(tmp_path / "codec").decode(latents)
    assert (loaded.int() - codec.decode(latents).int()).abs().max() <= 4
