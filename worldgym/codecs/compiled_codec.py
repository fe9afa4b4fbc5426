"""A codec whose decoder is compiled, for 1, 2, 4, 8 and 16 frames at a time."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from worldgym.codecs.codec_protocol import Codec
from worldgym.native.compiled_module import (
    Backend,
    CompiledModule,
    batch_bucket,
    laid_out,
)

TOGETHER = 16  # frames of a program at most


@runtime_checkable
class Compilable(Codec, Protocol):
    """A codec that gives its decoder away."""

    def decoder_module(self) -> nn.Module:
        """Of the same weights, or copies: float32 latents [B, C, h, w], on its device => uint8 [B,
        H, W, 3], as `decode`, up to rounding; a function of tensors of fixed sizes."""
        ...


class CompiledCodec:
    """Implements `Codec`."""

    def __init__(self, codec: Compilable, backend: Backend = "package") -> None:
        self.codec = codec
        module = codec.decoder_module()
        self._device = next(module.parameters()).device
        self._drawn = CompiledModule(module, "decoder", backend)

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        return self.codec.latent_shape

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        return self.codec.frame_shape

    @property
    def fingerprint(self) -> str:
        return self.codec.fingerprint

    @property
    def latents(self) -> str:
        return self.codec.latents

    @property
    def programs(self) -> int:
        """Compiled or loaded so far."""
        return self._drawn.programs

    def encode(self, frames: Tensor) -> Tensor:
        return self.codec.encode(frames)

    @torch.inference_mode()
    def decode(self, latents: Tensor) -> Tensor:
        """float [B, C, h, w] => uint8 [B, H, W, 3]. Rows lie in the same parts whatever their
        neighbours are."""
        latents = latents.to(self._device, torch.float32)
        return torch.cat([self._part(part) for part in latents.split(TOGETHER)])

    def _part(self, latents: Tensor) -> Tensor:
        rows = len(latents)
        missing = batch_bucket(rows) - rows
        if missing:
            latents = torch.cat([latents, latents.new_zeros(missing, *latents.shape[1:])])
        return self._drawn(laid_out(latents))[:rows]


def compiled_codec(codec: Codec, backend: Backend = "package") -> Codec:
    """With its decoder compiled; itself where it does not give it away."""
    return CompiledCodec(codec, backend) if isinstance(codec, Compilable) else codec
