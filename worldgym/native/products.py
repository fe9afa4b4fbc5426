"""Linear layers and convolutions for inference, with weights in the order in which the processor's matrix unit reads them.

torch puts bfloat16 weights in that order at every call: at 36 rows, a frame, that takes as long as the product. Where there is
no matrix unit, or another dtype, torch's ordinary operations serve.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from worldgym.native.kernels import DEEP, Kernels


class Product:
    """x [rows, I] => x W^T + b [rows, O], or its max(., 0)^2. Holds a copy of the weights of some layers, side by side."""

    def __init__(self, kernels: Kernels, *layers: nn.Linear, squared: bool = False) -> None:
        weight = torch.cat([layer.weight.detach() for layer in layers])
        biases = [layer.bias.detach() for layer in layers if layer.bias is not None]
        self.wide = len(weight)
        self._kernels, self._squared, self._bias = kernels, squared, torch.cat(biases) if biases else None
        self._arranged = kernels.products and weight.dtype == torch.bfloat16 and not any(size % DEEP for size in weight.shape)
        self._weight = kernels.arrange(weight) if self._arranged else weight

    def __call__(self, x: Tensor, out: Tensor) -> Tensor:
        """out: [rows, O], where the result goes."""
        if self._arranged:
            return self._kernels.product(x, self._weight, self._bias, self._squared, out)
        y = F.linear(x, self._weight, self._bias)
        return out.copy_(F.relu(y).square_() if self._squared else y)


def packs(weight: Tensor) -> bool:
    """Whether torch can keep this weight of a convolution in the processor's order: bfloat16, and oneDNN computes in it here."""
    wanted = weight.device.type == "cpu" and weight.dtype == torch.bfloat16 and torch.backends.mkldnn.is_available()
    return wanted and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


class Convolution:
    """x [B, C, h, w], channels last in memory => [B, O, h, w] likewise. Stride 1."""

    def __init__(self, weight: Tensor, bias: Tensor, padding: int, size: int) -> None:
        """weight [O, C, k, k], bias [O]: as in torch.   size: rows and columns that it will mostly see."""
        self._bias, self._padding, self._packed = bias, padding, packs(weight)
        self._weight = weight.contiguous(memory_format=torch.channels_last)
        self._form = ([padding, padding], [1, 1], [1, 1], 1)
        if self._packed:
            shape = [1, weight.shape[1], size, size]
            self._weight = torch.ops.mkldnn._reorder_convolution_weight(self._weight, *self._form, shape)

    def __call__(self, x: Tensor) -> Tensor:
        if not self._packed:
            return F.conv2d(x, self._weight, self._bias, padding=self._padding)
        out: Tensor = torch.ops.mkldnn._convolution_pointwise(x, self._weight, self._bias, *self._form, "none", [], "")
        return out
