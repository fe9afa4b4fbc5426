"""The rules of a codec, and a fake that follows them. torch is imported where a codec is used, not
before.

Axes legend: B batch, C channels, H height, W width; h and w the same of latents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from worldgym.testing.rules import Shape, check_form, require

if TYPE_CHECKING:
    from torch import Tensor

    from worldgym.codecs.codec_protocol import Codec


def check_codec(codec: Codec, frames: Tensor | None = None, atol: float = 1e-4) -> None:
    """Shapes, types and finite numbers both ways; a batch equals its rows one by one; inputs stay
    as they were.

    frames: uint8 [B, H, W, 3] to try it on, random otherwise.   atol: rounding allowed between
    batched and single latents."""
    import torch

    who = f"codec {codec.fingerprint!r}"
    require(bool(codec.fingerprint), who, "fingerprint is empty, so codecs could not be told apart")
    require(bool(codec.latents), who, "latents is empty, so stored latents could not be told apart")
    if frames is None:
        frames = torch.randint(
            0,
            256,
            (3, *codec.frame_shape),
            dtype=torch.uint8,
            generator=torch.Generator().manual_seed(0),
        )
    given = frames.clone()
    latents = codec.encode(given)
    check_form(who, "encode", latents, (len(frames), *codec.latent_shape), torch.float32)
    usable = bool(torch.isfinite(latents).all()) and not latents.requires_grad
    require(usable, who, "encode returned numbers that are not finite, or carry gradients")
    require(torch.equal(given, frames), who, "encode changed the frames it was given")
    kept = latents.clone()
    decoded = codec.decode(latents)
    check_form(who, "decode", decoded, (len(frames), *codec.frame_shape), torch.uint8)
    require(torch.equal(kept, latents), who, "decode changed the latents it was given")
    for b in range(len(frames)):
        gap = float((codec.encode(frames[b : b + 1])[0] - latents[b]).abs().max())
        require(gap <= atol, who, f"latents of row {b} differ by {gap:.2g} from the same row alone")
        levels = int((codec.decode(latents[b : b + 1])[0].int() - decoded[b].int()).abs().max())
        require(
            levels <= 1,
            who,
            f"decoded row {b} differs by {levels} grey levels from the same row alone",
        )


@dataclass(frozen=True)
class FakeCodec:
    """Latents are the means of 8x8 blocks, [B, 3, H/8, W/8]; decoding repeats them. Exact on frames
    of flat 8x8 blocks."""

    frame_shape: Shape = (16, 24, 3)
    fingerprint: str = "fake-codec"
    latents: str = "fake-latents"

    @property
    def latent_shape(self) -> Shape:
        return 3, self.frame_shape[0] // 8, self.frame_shape[1] // 8

    def encode(self, frames: Tensor) -> Tensor:
        B, (C, h, w) = len(frames), self.latent_shape
        return (
            frames.permute(0, 3, 1, 2).float().reshape(B, C, h, 8, w, 8).mean((3, 5)) - 127.5
        ) / 64.0

    def decode(self, latents: Tensor) -> Tensor:
        pixels = (latents.float() * 64.0 + 127.5).round().clamp(0, 255).byte()
        return (
            pixels.repeat_interleave(8, 2).repeat_interleave(8, 3).permute(0, 2, 3, 1).contiguous()
        )
