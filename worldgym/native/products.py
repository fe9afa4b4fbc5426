"""Linear layers for inference, with weights in the order in which they are read.

torch puts bfloat16 weights in that order at every call: at 36 rows, a frame, that takes as long as
the product."""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from worldgym.native.kernels import LANES, WIDE, Matrix, address, dtype_of

ACTIVATIONS = {"none": 0, "relu2": 1, "gelu": 2, "silu": 3}  # as in passes.h


class Arranged:
    """Weights [O, I], filled up with zeros to multiples of 32 (`wide`, `inputs`), and biases
    [period, O], of row r that of line r % period. `matrix` is what the compiled passes take, as
    long as this lives.
    """

    def __init__(
        self, library: ctypes.CDLL, weight: Tensor, bias: Tensor, activation: str = "none"
    ) -> None:
        self._dtype = dtype_of(library)
        self._features = weight.shape[1]
        weight = F.pad(
            weight.detach(), (0, -weight.shape[1] % WIDE, 0, -len(weight) % WIDE)
        ).contiguous()
        self._bias = F.pad(bias.detach().float(), (0, len(weight) - bias.shape[1])).contiguous()
        self._tiles, (self.wide, self.inputs) = torch.empty_like(weight), weight.shape
        tiles = address(self._tiles, self._dtype, self.wide, self.inputs)
        library.arrange(
            address(weight, self._dtype, self.wide, self.inputs), tiles, self.wide, self.inputs
        )
        biases = address(self._bias, torch.float32, len(bias), self.wide)
        self.matrix = Matrix(
            tiles, biases, self.inputs, self.wide, len(bias), ACTIVATIONS[activation]
        )


class Product(Arranged):
    """x [rows, I] => x W^T + b [rows, O], activated. Holds a copy of the weights of some layers,
    side by side."""

    def __init__(
        self,
        library: ctypes.CDLL,
        *layers: nn.Linear,
        activation: str = "none",
        added: Tensor | None = None,
    ) -> None:
        """added [period, O]: to row r its line r % period."""
        self._library = library
        biases: list[Tensor] = [
            layer.weight.new_zeros(len(layer.weight)) if layer.bias is None else layer.bias
            for layer in layers
        ]
        bias = torch.cat(biases).float()[None] + (0.0 if added is None else added.float())
        super().__init__(
            library, torch.cat([layer.weight.detach() for layer in layers]), bias, activation
        )

    def __call__(self, x: Tensor, threads: int) -> Tensor:
        """x [rows, I] => [rows, wide]. Each number as if it were computed alone, to the last
        bit."""
        out = x.new_empty(len(x), self.wide)
        padded = self.pad(x)
        into = address(out, self._dtype, len(x), self.wide)
        self._library.multiply_by(self.address(padded, len(x)), self.matrix, into, len(x), threads)
        return out

    def pad(self, x: Tensor) -> Tensor:
        """x [rows, I] with zeros to `inputs`, and behind it the rows that a product may read.
        ValueError for another width."""
        if x.ndim != 2 or x.shape[1] != self._features:
            raise ValueError(
                f"this product takes [rows, {self._features}], not {list(x.shape)}: give it what "
                f"its layers take"
            )
        return F.pad(x, (0, self.inputs - x.shape[1], 0, LANES))

    def address(self, padded: Tensor, rows: int) -> int:
        """Where what `pad` made of so many rows begins, for C."""
        return address(padded, self._dtype, rows + LANES, self.inputs)
