"""The fake codec passes its check, and the check catches each fault it is there for."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from worldgym.codecs.codec_protocol import Codec
from worldgym.testing import FakeCodec, check_codec


def test_the_fake_fits_the_seam_and_passes() -> None:
    codec: Codec = FakeCodec()
    check_codec(codec, atol=0.0)


def test_the_codec_is_exact_on_flat_blocks() -> None:
    blocks = torch.randint(
        0, 256, (2, 2, 3, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    frames = blocks.repeat_interleave(8, 1).repeat_interleave(8, 2)
    assert torch.equal(FakeCodec().decode(FakeCodec().encode(frames)), frames)


class LearningCodec(FakeCodec):
    """Leaves its gradients on."""

    def encode(self, frames: Tensor) -> Tensor:
        return super().encode(frames).requires_grad_()


class NormalisingCodec(FakeCodec):
    """Normalises by the batch it happens to see."""

    def encode(self, frames: Tensor) -> Tensor:
        latents = super().encode(frames)
        return latents - latents.mean()


class ChannelsFirstCodec(FakeCodec):
    def decode(self, latents: Tensor) -> Tensor:
        return super().decode(latents).permute(0, 3, 1, 2)


class HalfCodec(FakeCodec):
    def encode(self, frames: Tensor) -> Tensor:
        return super().encode(frames).half()


class InPlaceCodec(FakeCodec):
    def decode(self, latents: Tensor) -> Tensor:
        return super().decode(latents.mul_(0.5))


@pytest.mark.parametrize(
    ("codec", "complaint"),
    [
        (LearningCodec(), "not finite, or carry gradients"),
        (NormalisingCodec(), r"latents of row \d differ by .* from the same row alone"),
        (
            ChannelsFirstCodec(),
            r"decode returned torch.uint8 \(3, 3, 16, 24\), not torch.uint8 \(3, 16, 24, 3\)",
        ),
        (HalfCodec(), "encode returned torch.float16"),
        (InPlaceCodec(), "decode changed the latents"),
        (FakeCodec(fingerprint=""), "fingerprint is empty"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_faulty_codec_is_caught(codec: FakeCodec, complaint: str) -> None:
    with pytest.raises(AssertionError, match=f"^codec .*{complaint}"):
        check_codec(codec)
