"""The compiled passes of kernels.c as functions of tensors. All work on the CPU, on the caller's thread."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from worldgym.native.library import library

DTYPES = (torch.float32, torch.bfloat16)
LANES = 16  # widths and head sizes are multiples of it
DEEP = 32  # numbers that enter and leave a product: multiples of it
_P, _N = ctypes.c_void_p, ctypes.c_int64
ARGUMENTS = {
    "residual_norm": [_P, _P, _P, _N, _N, _N, _N, _P, _N, _N, _N],
    "silu": [_P, _P, _N],
    "rotate": [_P, _P, _P, _N, _N, _N, _N, _N],
    "spatial_attention": [_P, _P, _N, _N, _N, _N],
    "temporal_attention": [_P, _P, _P, _P, _P, _P, _N, _N, _N, _N, _N, _N, _N],
    "has_products": [],
}  # of every function: addresses and numbers
PRODUCTS = {"arrange": [_P, _P, _N, _N], "product": [_P, _P, _P, _P, _N, _N, _N, _N]}  # where there is a matrix unit


@dataclass(frozen=True)
class Heads:
    """Sizes that attention needs: B batch, T frames in work, N tokens a frame, heads, E numbers a head."""

    batch: int
    frames: int
    tokens: int
    heads: int
    size: int


@dataclass(frozen=True)
class Ring:
    """keys, values: [B, N, heads, capacity, E].   slots: int64 [T], where the frames in work go.   seen: slots in use after that.

    bias: float32 [heads, T, seen up to a multiple of 16], added to the logits; -inf where a frame may not look.
    """

    keys: Tensor
    values: Tensor
    slots: Tensor
    seen: int
    bias: Tensor


@dataclass(frozen=True)
class Kernels:
    """For contiguous tensors of one dtype. Rows are tokens, frame by frame. Nothing is checked: callers own their shapes."""

    library: ctypes.CDLL
    products: bool

    def residual_norm(
        self, h: Tensor, y: Tensor | None, modulations: Tensor, columns: tuple[int, int, int], out: Tensor
    ) -> Tensor:
        """h [rows, D] += gate * y; => out = LayerNorm(h) (1 + scale) + shift.

        modulations: [frames, M], a row for so many rows of h; columns: where gate, shift and scale begin in it.
        """
        rows, width = h.shape
        added, (frames, stride) = None if y is None else y.data_ptr(), modulations.shape
        self.library.residual_norm(
            h.data_ptr(), added, modulations.data_ptr(), stride, *columns, out.data_ptr(), rows, rows // frames, width
        )
        return out

    def silu(self, x: Tensor) -> Tensor:
        """x sigmoid(x), in x's order in memory, which may be any without gaps."""
        out = torch.empty_like(x)
        self.library.silu(x.data_ptr(), out.data_ptr(), x.numel())
        return out

    def rotate(self, qkv: Tensor, angles: tuple[Tensor, Tensor], inner: int, heads: int) -> None:
        """Turns queries and keys of qkv [rows, 3 D] in place: row r by line (r // inner) % L of float32 cos and sin [L, E]."""
        cos, sin = angles
        self.library.rotate(
            qkv.data_ptr(), cos.data_ptr(), sin.data_ptr(), qkv.shape[0], inner, cos.shape[0], heads, cos.shape[1]
        )

    def spatial_attention(self, qkv: Tensor, sizes: Heads, out: Tensor) -> Tensor:
        """qkv [rows, 3 D] => out [rows, D]: every token sees all tokens of its frame."""
        frames = sizes.batch * sizes.frames
        self.library.spatial_attention(qkv.data_ptr(), out.data_ptr(), frames, sizes.tokens, sizes.heads, sizes.size)
        return out

    def temporal_attention(self, qkv: Tensor, ring: Ring, sizes: Heads, out: Tensor) -> Tensor:
        """qkv [rows, 3 D] => out [rows, D]: every token sees its place in the frames that the ring holds, its own included, whose
        keys and values are put there first.
        """
        s, capacity = sizes, ring.keys.shape[3]
        tensors = (qkv, ring.keys, ring.values, ring.bias, ring.slots, out)
        sizes_in_order = (s.batch, s.frames, s.tokens, s.heads, s.size, capacity, ring.seen)
        self.library.temporal_attention(*(tensor.data_ptr() for tensor in tensors), *sizes_in_order)
        return out

    def arrange(self, weight: Tensor) -> Tensor:
        """Weights [O, I] of a linear layer in the order that `product` reads. Only where there are `products`."""
        tiles = torch.empty_like(weight)
        self.library.arrange(weight.contiguous().data_ptr(), tiles.data_ptr(), *weight.shape)
        return tiles

    def product(self, x: Tensor, tiles: Tensor, bias: Tensor | None, squared: bool, out: Tensor) -> Tensor:
        """x [rows, I] => out = x W^T + b [rows, O], or its max(., 0)^2. Each row as if it were alone, to the last bit."""
        added = None if bias is None else bias.data_ptr()
        self.library.product(x.data_ptr(), tiles.data_ptr(), added, out.data_ptr(), x.shape[0], *tiles.shape[::-1], squared)
        return out


def kernels_for(tensor: Tensor) -> Kernels | None:
    """None where the compiled passes do not serve: another device or dtype, or no compiler."""
    if tensor.device.type != "cpu" or tensor.dtype not in DTYPES:
        return None
    return _kernels(tensor.dtype == torch.bfloat16)


@cache
def _kernels(bfloat16: bool) -> Kernels | None:
    found = library(bfloat16)
    if found is None:
        return None
    products = bool(found.has_products())
    for name, arguments in (ARGUMENTS | (PRODUCTS if products else {})).items():
        function = getattr(found, name)  # how ctypes names what a library holds
        function.argtypes, function.restype = arguments, ctypes.c_int if name == "has_products" else None
    return Kernels(found, products)
