"""The compiled decoder draws what the decoder draws, in few sizes."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_worlds import TinyCodec

from worldgym.codecs.codec_protocol import Codec
from worldgym.codecs.compiled_codec import CompiledCodec, compiled_codec
from worldgym.codecs.conv import ConvCodec, ConvCodecConfig
from worldgym.codecs.kl import KLCodec
from worldgym.native.processor import fast_dtype
from worldgym.testing import check_codec

LEVELS = 4 if fast_dtype() == torch.bfloat16 else 1  # of 255: how far two roundings may differ


def conv(tmp_path: Path) -> ConvCodec:
    torch.manual_seed(0)
    codec = ConvCodec(ConvCodecConfig(size=32, channels=4, width=16, blocks=1)).eval()
    with torch.no_grad():
        for parameter in codec.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    codec.save(tmp_path / "codec", "", {})
    return ConvCodec.load(tmp_path / "codec")


def kl() -> KLCodec:
    diffusers = pytest.importorskip("diffusers", reason="the extra [kl] is not installed")
    torch.manual_seed(0)
    tiny = diffusers.AutoencoderKL(
        block_out_channels=(8, 16),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
    )
    return KLCodec(tiny, 16, "tiny")


def gap(one: Codec, other: Codec, frames: int) -> int:
    z = torch.randn(frames, *one.latent_shape, generator=torch.Generator().manual_seed(1))
    drawn = [codec.decode(z).numpy().astype(np.int64) for codec in (one, other)]
    assert drawn[0].shape == drawn[1].shape == (frames, *one.frame_shape)
    return int(np.abs(drawn[0] - drawn[1]).max())


@pytest.mark.parametrize("kind", ["conv", "kl"])
def test_draws_the_same_in_few_sizes(kind: str, tmp_path: Path) -> None:
    codec = conv(tmp_path) if kind == "conv" else kl()
    fast = compiled_codec(codec, "eager")
    assert isinstance(fast, CompiledCodec)
    for frames in (1, 3, 4, 16, 19, 35):
        assert gap(fast, codec, frames) <= LEVELS
    assert fast.programs == 3  # of 1, 4 and 16 frames
    assert fast.fingerprint == codec.fingerprint and fast.latents == codec.latents


def test_keeps_to_the_seam(tmp_path: Path) -> None:
    check_codec(compiled_codec(conv(tmp_path), "eager"), atol=0.1)


def test_a_codec_that_keeps_its_decoder_stays_as_it_is() -> None:
    codec = TinyCodec()
    assert compiled_codec(codec, "eager") is codec


@pytest.mark.skipif(not shutil.which("g++"), reason="no C++ compiler")
@pytest.mark.slow
def test_machine_code_draws_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    codec = conv(tmp_path)
    assert gap(compiled_codec(codec), codec, 3) <= LEVELS
    assert gap(compiled_codec(codec, "kept"), codec, 3) <= LEVELS
