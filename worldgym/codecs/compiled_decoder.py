"""The convolutional codec's decoder once more, for rollouts on a CPU: the same pictures, a few
frames in one call of C.

Everything is bfloat16 with channels last; SiLU, residuals, position maps and pixel shuffles are
part of writing what a convolution gives (native/decoder.c). Frames are decoded a few at a time:
what lies between two convolutions then stays in the second-level cache (2 MiB a core where this was
measured).
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from worldgym.codecs.conv_layers import PositionMap, ResidualBlock
from worldgym.native import kernels as native
from worldgym.native.kernels import SLACK, WIDE, address, kernels_for
from worldgym.native.products import Arranged

TOGETHER = 4  # frames


@dataclass(frozen=True)
class Step:
    """A convolution at side x side places, and what becomes of its result: a pixel shuffle by
    `shuffle`, a map [O, side, side] is added, or what was kept last (`adds`); it is kept (`keeps`),
    and SiLU is taken of what the next one sees (`bends`)."""

    layer: nn.Conv2d
    side: int
    shuffle: int = 1
    map: Tensor | None = None
    adds: bool = False
    keeps: bool = True
    bends: bool = False


class FusedDecoder:
    """latents float [B, C, h, w] => uint8 [B, H, W, 3], as the decoder's layers give it, whose
    weights are copied."""

    def __init__(self, steps: list[Step], library: ctypes.CDLL) -> None:
        """The last step shuffles pixels of three channels."""
        self._library = library
        self._steps = steps
        self._arranged = [_arranged(step, library) for step in steps]
        last = len(steps) - 1
        self._layers = (native.Convolution * len(steps))(
            *(
                # The last one's pixels are put in order here: with 48 channels, they are no whole
                # vectors.
                native.Convolution(
                    arranged.matrix,
                    s.side,
                    s.layer.kernel_size[0],
                    1 if i == last else s.shuffle,
                    s.adds,
                    s.keeps,
                    s.bends,
                )
                for i, (s, arranged) in enumerate(zip(steps, self._arranged, strict=True))
            )
        )
        self._kept = max(a.wide * s.side**2 for a, s in zip(self._arranged, steps, strict=True))

    def __call__(self, latents: Tensor) -> Tensor:
        return torch.cat([self._few(part) for part in latents.split(TOGETHER)])

    def _few(self, latents: Tensor) -> Tensor:
        frames = len(latents)
        first = self._steps[0]
        if tuple(latents.shape[1:]) != (first.layer.in_channels, first.side, first.side):
            taken = [first.layer.in_channels, first.side, first.side]
            raise ValueError(
                f"this decoder takes latents [B, {', '.join(map(str, taken))}], not "
                f"{list(latents.shape)}"
            )
        channels = first.layer.in_channels
        side = first.side
        x = latents.new_zeros(frames * (side + 2) ** 2 + SLACK, WIDE, dtype=torch.bfloat16)
        inner = x[:-SLACK].view(frames, side + 2, side + 2, WIDE)[:, 1:-1, 1:-1, :channels]
        inner.copy_(latents.permute(0, 2, 3, 1))
        room = self._library.border_room(self._layers, len(self._steps), frames)
        kept = x.new_empty(frames * self._kept)
        one = x.new_empty(room)
        other = x.new_empty(room)
        addresses = [
            address(tensor, torch.bfloat16, *tensor.shape) for tensor in (x, kept, one, other)
        ]
        self._library.decode(native.Decoding(self._layers, *addresses, len(self._steps), frames))
        return self._pixels(kept, frames)

    def _pixels(self, kept: Tensor, frames: int) -> Tensor:
        """What the last convolution gave, (dy, dx, channel) at each place, in [-1, 1] => uint8 [B,
        H, W, 3]."""
        side = self._steps[-1].side
        factor = self._steps[-1].shuffle
        wide = self._arranged[-1].wide
        places = kept[: frames * side**2 * wide].view(frames, side, side, wide)[
            ..., : factor**2 * 3
        ]
        pixels = places.float().add_(1.0).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)
        return (
            pixels.view(frames, side, side, factor, factor, 3)
            .transpose(2, 3)
            .reshape(frames, side * factor, side * factor, 3)
        )


def fused_decoder(layers: nn.Sequential, size: int) -> FusedDecoder | None:
    """None where the compiled passes do not serve, or do not know these layers. size: rows and
    columns of the latents."""
    weight = next(layers.parameters())
    library = kernels_for(weight.new_empty(0, dtype=torch.bfloat16))
    steps = _steps(layers, size)
    return (
        None
        if library is None or steps is None or not _fits(steps)
        else FusedDecoder(steps, library)
    )


def _fits(steps: list[Step]) -> bool:
    """Whether channels come in whole vectors, the latents' and the pixels' excepted."""
    known = (
        all(step.layer.kernel_size in ((1, 1), (3, 3)) for step in steps)
        and steps[0].layer.in_channels <= WIDE
    )
    between = all(
        a.layer.out_channels == b.layer.in_channels * a.shuffle**2 for a, b in pairwise(steps)
    )
    whole = all(step.layer.in_channels % WIDE == 0 for step in steps[1:])
    return (
        known and between and whole and steps[-1].layer.out_channels == 3 * steps[-1].shuffle ** 2
    )


def _steps(layers: nn.Sequential, side: int) -> list[Step] | None:
    """The layers as steps at side x side places and more; None if there are others among them."""
    steps: list[Step] = []
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            steps.append(Step(layer, side))
        elif not steps:
            return None
        elif isinstance(layer, ResidualBlock):
            steps[-1] = replace(steps[-1], bends=True)
            steps += [
                Step(layer.conv1, side, keeps=False, bends=True),
                Step(layer.conv2, side, adds=True),
            ]
        elif isinstance(layer, PositionMap):
            added = F.pixel_unshuffle(layer.map.detach(), steps[-1].shuffle)
            steps[-1] = replace(steps[-1], map=added)
        elif isinstance(layer, nn.PixelShuffle):
            steps[-1] = replace(steps[-1], shuffle=layer.upscale_factor)
            side *= layer.upscale_factor
        elif isinstance(layer, nn.SiLU):
            steps[-1] = replace(steps[-1], bends=True)
        else:
            return None
    return steps


def _arranged(step: Step, library: ctypes.CDLL) -> Arranged:
    """Inputs in the order (place of the kernel, channel); outputs (c, dy, dx) in the order (dy, dx,
    c)."""
    weight = F.pad(
        step.layer.weight.detach().bfloat16(), (0, 0, 0, 0, 0, -step.layer.in_channels % WIDE)
    )
    bias = (
        torch.zeros(1, len(weight))
        if step.layer.bias is None
        else step.layer.bias.detach().float()[None]
    )
    if step.map is not None:
        bias = bias + step.map.float().flatten(1).T
    order = torch.arange(len(weight)).view(-1, step.shuffle**2).T.flatten()
    return Arranged(library, weight[order].permute(0, 2, 3, 1).flatten(1), bias[:, order])
