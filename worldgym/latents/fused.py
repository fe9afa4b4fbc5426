"""The convolutional codec's decoder once more, for rollouts on a CPU: the same pictures in less time.

Weights lie in the order of the processor's matrix unit, everything is bfloat16 with channels last, and pixels are shuffled in
whole rows. Frames are decoded a few at a time: what lies between two convolutions then stays in the second-level cache (2 MiB a
core where this was measured; four frames need 1.8).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import zip_longest

import torch
from torch import Tensor, nn

from worldgym.errors import CheckpointError
from worldgym.latents.layers import PositionMap, ResidualBlock
from worldgym.native.kernels import Kernels, kernels_for
from worldgym.native.products import Convolution, packs

TOGETHER = 4  # frames
Step = Callable[[Tensor], Tensor]


class FusedDecoder:
    """latents float [B, C, h, w] => uint8 [B, H, W, 3], as the decoder's layers give it, whose weights are copied."""

    def __init__(self, layers: nn.Sequential, size: int, kernels: Kernels) -> None:
        """size: rows and columns of the latents."""
        self._steps: list[Step] = []
        for layer, following in zip_longest(layers, list(layers)[1:]):
            factor = following.upscale_factor if isinstance(following, nn.PixelShuffle) else 1
            self._steps.append(_step(layer, factor, size, kernels))
            size *= layer.upscale_factor if isinstance(layer, nn.PixelShuffle) else 1

    def __call__(self, latents: Tensor) -> Tensor:
        return torch.cat([self._few(part) for part in latents.split(TOGETHER)])

    def _few(self, latents: Tensor) -> Tensor:
        x = latents.to(torch.bfloat16, memory_format=torch.channels_last)
        for step in self._steps:
            x = step(x)
        pixels = x.permute(0, 2, 3, 1).float()
        return pixels.add_(1.0).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)


def fused_decoder(layers: nn.Sequential, size: int) -> FusedDecoder | None:
    """None where it would not be faster, or the compiled passes do not serve; see `FusedDecoder`."""
    weight = next(layers.parameters()).detach().to(torch.bfloat16)
    kernels = kernels_for(weight)
    return None if kernels is None or not packs(weight) else FusedDecoder(layers, size, kernels)


def _step(layer: nn.Module, shuffle: int, size: int, kernels: Kernels) -> Step:
    """One layer as a function of x [B, C, h, w], bfloat16, channels last. shuffle: factor of the pixel shuffle behind it."""
    if isinstance(layer, nn.Conv2d):
        return _convolution(layer, size, shuffle)
    if isinstance(layer, ResidualBlock):
        first, second = _convolution(layer.conv1, size), _convolution(layer.conv2, size)
        return lambda x: second(kernels.silu(first(kernels.silu(x)))).add_(x)
    if isinstance(layer, PositionMap):
        added = layer.map.detach().to(torch.bfloat16)[None].contiguous(memory_format=torch.channels_last)
        return lambda x: x.add_(added)
    if isinstance(layer, nn.PixelShuffle):
        return partial(_shuffled, factor=layer.upscale_factor)
    if isinstance(layer, nn.SiLU):
        return kernels.silu
    raise CheckpointError(f"the decoder has a layer {type(layer).__name__}, which is not known here")


def _convolution(layer: nn.Conv2d, size: int, shuffle: int = 1) -> Convolution:
    """With output channels (c, dy, dx) put in the order (dy, dx, c), in which a pixel shuffle moves whole rows."""
    assert layer.bias is not None
    weight, bias = (
        part.detach().to(torch.bfloat16).unflatten(0, (-1, shuffle**2)).transpose(0, 1).flatten(0, 1)
        for part in (layer.weight, layer.bias)
    )
    return Convolution(weight, bias, layer.kernel_size[0] // 2, size)


def _shuffled(x: Tensor, factor: int) -> Tensor:
    """[B, (dy, dx, c), h, w] => [B, c, h dy, w dx], channels last."""
    b, channels, h, w = x.shape
    places = x.permute(0, 2, 3, 1).view(b, h, w, factor, factor, channels // factor**2)
    return places.transpose(2, 3).reshape(b, factor * h, factor * w, -1).permute(0, 3, 1, 2)
