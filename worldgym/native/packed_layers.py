"""Layers for inference on a CPU, with weights in the order in which oneDNN reads them.

torch puts them in that order at every call, or multiplies by MKL where they are float32: for the 36
rows of a frame that takes up to as long as the product itself. Measured on AMD's Zen 4, one thread,
milliseconds per frame of the bundled world: network of one trial at ten steps 98 => 71, at one step
14.5 => 11.8; decoder of one frame 7.1 => 5.5; a batch of 16, 7.7 => 6.8 and 4.5 => 4.3.

A convolution's order depends on the pictures and on torch's threads. Weights in a different order
than a call needs are reordered in that call, by slow code: 15 ms per layer where the convolution
takes 0.2. So they are packed for the pictures of an example; one and two threads then want the
same.
"""

from __future__ import annotations

import platform
from copy import deepcopy
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ROWS = 64  # for which the order of a product's weights is chosen: rows of one or two frames
WHOLE = 256  # inputs that oneDNN sums in one order for any number of rows, where it has AMX
Net = TypeVar("Net", bound=nn.Module)


def can_pack(weight: Tensor) -> bool:
    """Whether oneDNN supports such weights on this processor, and was measured to be faster."""
    if weight.device.type != "cpu" or platform.machine() not in ("x86_64", "AMD64"):
        return False
    if not torch.backends.mkldnn.is_available():
        return False
    half = weight.dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return weight.dtype == torch.float32 or bool(half)


class SquaredReLU(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x).square()


class PackedLinear(nn.Module):
    """What an `nn.Linear` computes, without gradients, and a `SquaredReLU` behind it. Holds a copy
    of its weights.

    A row's result does not depend on the rows beside it. With AMX, oneDNN sums more than 256 inputs
    of bfloat16 in an order that depends on the number of rows, so they are summed in pieces of 256,
    each rounded (root mean square of the error over 1024 inputs 0.28 instead of 0.17 % of the
    results' spread)."""

    def __init__(self, layer: nn.Linear, squared: bool = False) -> None:
        """squared: whether a `SquaredReLU` follows."""
        super().__init__()
        self.weight = layer.weight
        self.bias = layer.bias
        self._squared = squared
        weight = layer.weight.detach()
        amx = weight.dtype == torch.bfloat16 and torch.cpu._is_amx_tile_supported()
        self._inputs = WHOLE if amx else weight.shape[1]
        reorder = torch.ops.mkldnn._reorder_linear_weight
        self._packed = [reorder(part.contiguous(), ROWS) for part in weight.split(self._inputs, 1)]
        self._whole = len(self._packed) == 1
        self._behind = "relu" if squared and self._whole else "none"

    def forward(self, x: Tensor) -> Tensor:
        """x [..., I] => [..., O]."""
        product = torch.ops.mkldnn._linear_pointwise
        parts = (x,) if self._whole else x.split(self._inputs, -1)
        out: Tensor = product(parts[0], self._packed[0], self.bias, self._behind, [], "")
        for part, weight in zip(parts[1:], self._packed[1:], strict=True):
            out = product.binary(part, out, weight, None, "add")
        if not self._squared:
            return out
        return (out if self._whole else out.relu_()).square_()


class PackedConvolution(nn.Module):
    """What an `nn.Conv2d` with zeros around computes, without gradients: fast for pictures of the
    size that it was packed for, right for any."""

    def __init__(self, layer: nn.Conv2d, seen: torch.Size) -> None:
        """seen: shape of what it is given, [B, C, H, W]."""
        super().__init__()
        self.bias = layer.bias
        sizes = (layer.padding, layer.stride, layer.dilation)
        self._sizes = (*([*size] for size in sizes if not isinstance(size, str)), layer.groups)
        reorder = torch.ops.mkldnn._reorder_convolution_weight
        self._packed = reorder(layer.weight.detach(), *self._sizes, seen)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] => [B, O, H, W]."""
        pointwise = torch.ops.mkldnn._convolution_pointwise
        out: Tensor = pointwise(x, self._packed, self.bias, *self._sizes, "none", [], "")
        return out


def packed(network: Net, example: Tensor | None = None) -> Net:
    """A copy of the network with packed layers, which shares all other weights; itself where there
    is nothing to gain. Convolutions are packed for `example`, what the network is given; without
    one they are left as they are."""
    if not all(can_pack(weight) for weight in network.parameters()):
        return network
    seen = {} if example is None else _seen(network, example)
    copied = deepcopy(network, {id(weight): weight for weight in network.parameters()})
    for place, module in list(copied.named_modules()):
        layers = [*module.named_children(), ("", None)]
        for (name, layer), (after, behind) in pairwise(layers):
            if isinstance(layer, nn.Linear):
                squared = isinstance(module, nn.Sequential) and isinstance(behind, SquaredReLU)
                setattr(module, name, PackedLinear(layer, squared))
                if squared:
                    setattr(module, after, nn.Identity())
            elif shape := seen.get(f"{place}.{name}".lstrip(".")):
                assert isinstance(layer, nn.Conv2d)
                setattr(module, name, PackedConvolution(layer, shape))
    return copied


@torch.inference_mode()
def _seen(network: nn.Module, example: Tensor) -> dict[str, torch.Size]:
    """By the names of convolutions with zeros around: the shape of what each is given."""
    shapes: dict[str, torch.Size] = {}

    def noted(name: str, x: Tensor) -> None:
        shapes[name] = x.shape

    hooks = [
        layer.register_forward_pre_hook(lambda _, given, name=name: noted(name, *given))
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Conv2d) and _zeros_around(layer)
    ]
    network(example)
    for hook in hooks:
        hook.remove()
    return shapes


def _zeros_around(layer: nn.Conv2d) -> bool:
    return layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
