"""The codec protocol: uint8 frames <=> float latents of unit variance."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Codec(Protocol):
    """latent_shape: (C, h, w) of one frame.   frame_shape: (H, W, 3).   fingerprint: changes with
    the weights.

    latents: names what frames are encoded to. Codecs that differ in their decoders alone share it,
    and stored latents, worlds and inverse-dynamics models made with one of them serve with the
    others.

    Both directions take tensors from any device to where the weights lie, and leave results there.
    """

    @property
    def latent_shape(self) -> tuple[int, int, int]: ...

    @property
    def frame_shape(self) -> tuple[int, int, int]: ...

    @property
    def fingerprint(self) -> str: ...

    @property
    def latents(self) -> str: ...

    def encode(self, frames: Tensor) -> Tensor:
        """uint8 [B, H, W, 3] => float32 [B, C, h, w], about zero mean and unit variance per
        channel."""
        ...

    def decode(self, latents: Tensor) -> Tensor:
        """float [B, C, h, w] => uint8 [B, H, W, 3]."""
        ...
