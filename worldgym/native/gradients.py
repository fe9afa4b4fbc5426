"""Steps of a network in training as functions that torch can differentiate, over compiled passes:
bfloat16, one thread, on a processor with a matrix unit.

R = F N rows, F frames of N tokens; D width; I and O numbers in and out of a linear layer, multiples
of 32."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional as F

from worldgym.native.kernels import LANES, address, address_of_rows, kernels_for
from worldgym.native.library import Functions, declare

_P = ctypes.c_void_p
_N = ctypes.c_int64
_I = ctypes.c_int


class Modulators(ctypes.Structure):
    """`modulators` of gradients.c."""

    _fields_ = [(name, _P) for name in ("gate", "shift", "scale")] + [
        (name, _N) for name in ("gate_stride", "stride")
    ]


class Layout(ctypes.Structure):
    """`layout` of gradients.c."""

    _fields_ = [(name, _N) for name in ("frames", "tokens", "width")]


class MlpGradients(ctypes.Structure):
    """`mlp_gradients` of gradients.c."""

    _fields_ = [(name, _P) for name in ("up", "up_bias", "down", "down_bias")]


class Sequences(ctypes.Structure):
    """`sequences` of attention.c."""

    _fields_ = [(name, _N) for name in ("groups", "length", "inner", "heads", "size")]


_BY, _OF, _TO, _IN = (
    ctypes.POINTER(kind) for kind in (Modulators, Layout, MlpGradients, Sequences)
)
_HALF, _FULL = torch.bfloat16, torch.float32  # of the tensors, in the order of the arguments
TENSORS: Mapping[str, tuple[torch.dtype, ...]] = {
    "arrange_now": (_HALF,) * 2,
    "mlp_forward": (_HALF, _HALF, _FULL, _HALF, _FULL, _HALF, _HALF),
    "linear_backward": (_HALF,) * 5 + (_FULL,) * 2,
    "mlp_backward": (_HALF,) * 3 + (_FULL,) + (_HALF,) * 5,
    "norm_forward": (_HALF,) * 4,
    "norm_backward": (_HALF,) * 7,
    "attention_forward": (_HALF, _FULL, _HALF),
    "attention_backward": (_HALF, _FULL, _HALF, _HALF, _FULL),
}
FUNCTIONS: Functions = {
    "arrange_now": ([_P, _P, _N, _N, _I], None),
    "mlp_forward": ([_P] * 7 + [_N] * 3, None),
    "linear_backward": ([_P] * 7 + [_N] * 3, None),
    "mlp_backward": ([_P] * 9 + [_TO] + [_N] * 3, None),
    "norm_forward": ([_P, _P, _BY, _P, _P, _OF], None),
    "norm_backward": ([_P, _P, _BY] + [_P] * 5 + [_OF], None),
    "attention_forward": ([_P, _P, _P, _IN], None),
    "attention_backward": ([_P] * 5 + [_IN], None),
}


@cache
def gradients() -> ctypes.CDLL | None:
    """The library, where it serves training: see `kernels_for`."""
    found = kernels_for(torch.zeros(1, dtype=torch.bfloat16))
    if found is None or not found.chunk_rows():
        return None
    declare(found, FUNCTIONS)
    return found


def apply(step: type[Function], *arguments: object) -> Any:
    """`Function.apply`, which torch ships without types."""
    function: Any = step.apply
    return function(*arguments)


def _call(name: str, *arguments: object) -> Any:
    """Tensors, or None in place of one, are passed by their address. ValueError for one of another
    dtype, or in pieces."""
    dtypes = iter(TENSORS.get(name, ()))
    passed = list[object]()
    for x in arguments:
        if isinstance(x, Tensor):
            passed.append(address(x, next(dtypes), *x.shape))
        else:
            passed.append(x)
            if x is None:
                next(dtypes)
    return getattr(gradients(), name)(*passed)


def _room(like: Tensor, numbers: int) -> Tensor:
    """[rows that the passes work on together, numbers], unset."""
    return like.new_empty(_call("chunk_rows"), numbers)


def _readable(x: Tensor) -> Tensor:
    """x [R, I] in a row, readable to a multiple of 16 rows."""
    return F.pad(x, (0, 0, 0, -len(x) % LANES)) if len(x) % LANES else x.contiguous()


def _tiles(weight: Tensor, turned: bool) -> Tensor:
    """W [O, I] as the matrix unit reads it, for x W^T (`turned`), or for the gradients of x, d
    W."""
    (high, wide), tiles = weight.shape, weight.new_empty(weight.shape)
    _call(
        "arrange_now",
        weight.contiguous(),
        tiles,
        *((high, wide) if turned else (wide, high)),
        turned,
    )
    return tiles


class Linear(Function):
    """x [R, I], W [O, I], b [O] or None => x W^T + b [R, O]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        x = x.contiguous()
        ctx.save_for_backward(x, weight)
        ctx.biased = bias is not None
        return F.linear(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        (high, wide), rows, d_out = weight.shape, len(grads[0]), _readable(grads[0])
        d_x = x.new_empty(rows, wide) if ctx.needs_input_grad[0] else None
        d_weight, d_bias = (
            x.new_empty(shape, dtype=torch.float32) for shape in ((high, wide), (high,))
        )
        room = _room(x, high + wide)
        _call(
            "linear_backward",
            d_out,
            x,
            _tiles(weight, False),
            room,
            d_x,
            d_weight,
            d_bias,
            rows,
            high,
            wide,
        )
        return d_x, d_weight.bfloat16(), d_bias.bfloat16() if ctx.biased else None


class Mlp(Function):
    """x [R, D], U [H, D], u [H], V [D, H], v [D] => squared ReLU of (x U^T + u), V^T + v [R, D].
    Keeps x alone."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, up: Tensor, up_bias: Tensor, down: Tensor, down_bias: Tensor
    ) -> Tensor:
        x, out, wide = _readable(x), x.new_empty(x.shape), len(up)
        tiles = _tiles(up, True)
        biases = up_bias.float()
        ctx.save_for_backward(x, up, down, tiles, biases)
        hidden = _room(x, wide)
        sizes = len(out), x.shape[1], wide
        _call(
            "mlp_forward",
            x,
            tiles,
            biases,
            _tiles(down, True),
            down_bias.float(),
            hidden,
            out,
            *sizes,
        )
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, ...]:
        x, up, down, tiles, biases = ctx.saved_tensors
        (wide, width), rows, d_out = up.shape, len(grads[0]), _readable(grads[0])
        shapes = (wide, width), (wide,), (width, wide), (width,)
        to = [x.new_empty(shape, dtype=torch.float32) for shape in shapes]
        hidden, room = _room(x, wide), _room(x, wide + width)
        d_x = x.new_empty(rows, width)
        pointers = MlpGradients(*(address(t, _FULL, *t.shape) for t in to))
        back = _tiles(up, False), _tiles(down, False)
        _call(
            "mlp_backward",
            d_out,
            x,
            tiles,
            biases,
            *back,
            hidden,
            room,
            d_x,
            pointers,
            rows,
            width,
            wide,
        )
        return d_x, *(t.bfloat16() for t in to)


class Norm(Function):
    """h [F, N, D] => LayerNorm(h) (1 + scale) + shift, without affine, eps 1e-6. shift, scale [F,
    D]."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
        return _norm(ctx, h.contiguous(), None, None, shift, scale)[1]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, ...]:
        d_h, _, d_by = _norm_backward(ctx, None, grads[0])
        return d_h, d_by[:, 1], d_by[:, 2]


class GatedNorm(Function):
    """h, y [F, N, D], gate, shift, scale [F, D] => h + gate y, and `Norm` of that."""

    @staticmethod
    def forward(
        ctx: Any, h: Tensor, y: Tensor, gate: Tensor, shift: Tensor, scale: Tensor
    ) -> tuple[Tensor, Tensor]:
        return _norm(ctx, h.contiguous(), y.contiguous(), gate, shift, scale)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, ...]:
        d_h, d_y, d_by = _norm_backward(ctx, *grads)
        return d_h, d_y, d_by[:, 0], d_by[:, 1], d_by[:, 2]


def _modulators(gate: Tensor | None, shift: Tensor, scale: Tensor) -> Modulators:
    return Modulators(
        None if gate is None else address_of_rows(gate, _HALF),
        address_of_rows(shift, _HALF),
        address_of_rows(scale, _HALF),
        0 if gate is None else gate.stride(0),
        shift.stride(0),
    )


def _norm(
    ctx: Any, h: Tensor, y: Tensor | None, gate: Tensor | None, shift: Tensor, scale: Tensor
) -> tuple[Tensor, Tensor]:
    kept = h if gate is None else torch.empty_like(h)
    out = torch.empty_like(h)
    _call("norm_forward", h, y, _modulators(gate, shift, scale), kept, out, Layout(*h.shape))
    ctx.save_for_backward(kept, y, gate, shift, scale)
    return kept, out


def _norm_backward(ctx: Any, d_kept: Tensor | None, d_out: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """=> gradients of h, y and [F, 3, D] those of gate, shift, scale; where there is no gate,
    nothing in y's and the gate's."""
    kept, y, gate, shift, scale = ctx.saved_tensors
    (frames, _, width), d_h = kept.shape, torch.empty_like(kept)
    d_y = d_h if y is None else torch.empty_like(y)
    d_by = kept.new_empty(frames, 3, width)
    added = None if d_kept is None else d_kept.contiguous()
    by = _modulators(gate, shift, scale)
    _call(
        "norm_backward", kept, y, by, added, d_out.contiguous(), d_h, d_y, d_by, Layout(*kept.shape)
    )
    return d_h, d_y, d_by


class Attend(Function):
    """qkv [R, 3, heads, size], bias float32 => attention of each group of `length` rows, `inner`
    apart [R, heads, size].

    inner 1: within a frame of `length` tokens; inner N: at one place in `length` frames of N
    tokens. bias [heads, length, length] is added to the logits, -inf where a row may not look;
    None: nothing is."""

    @staticmethod
    def forward(ctx: Any, qkv: Tensor, bias: Tensor | None, length: int, inner: int) -> Tensor:
        qkv, (rows, _, heads, size) = qkv.contiguous(), qkv.shape
        of = Sequences(rows // length, length, inner, heads, size)
        added = (
            qkv.new_zeros(heads, length, length, dtype=torch.float32)
            if bias is None
            else bias.float()
        )
        added = F.pad(added, (0, -length % LANES), value=float("-inf")).contiguous()
        out = qkv.new_empty(rows, heads, size)
        _call("attention_forward", qkv, added, out, of)
        ctx.save_for_backward(qkv, added)
        ctx.of = of
        ctx.biased = bias is not None
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        qkv, added = ctx.saved_tensors
        d_qkv = torch.empty_like(qkv)
        d_bias = torch.zeros_like(added)
        _call("attention_backward", qkv, added, grads[0].contiguous(), d_qkv, d_bias, ctx.of)
        return d_qkv, d_bias[..., : ctx.of.length].bfloat16() if ctx.biased else None, None, None
