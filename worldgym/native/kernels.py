"""The compiled passes as functions of tensors, and the structures that they take. All work on the
CPU.

C believes the addresses and sizes that it is given, so every tensor goes to it through `address`,
which checks them."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import torch
from torch import Tensor

from worldgym.native.library import Functions, declare, library

DTYPES = (torch.float32, torch.bfloat16)
LANES = 16  # head sizes are multiples of it
SLACK = 64  # rows behind the last frame that convolutions may read
WIDE = 32  # numbers that enter and leave a product: multiples of it
# float32 numbers of an array that a pass keeps on the stack: 1 MiB, of 8 that threads usually have
ON_STACK = 2**18
_P = ctypes.c_void_p
_N = ctypes.c_int64


def _fields(**kinds: Any) -> list[tuple[str, Any]]:
    return list(kinds.items())


class Matrix(ctypes.Structure):
    """`matrix` of passes.h. Its numbers belong to the `Product` that made it; so for the others and
    their tensors."""

    _fields_ = _fields(tiles=_P, bias=_P, inputs=_N, wide=_N, period=_N, activation=_N)


class Turn(ctypes.Structure):
    """`turn` of passes.h: float32 [lines, head size] of cosines and sines; row r turns by line
    r // inner % lines. No lines: nothing turns.
    """

    _fields_ = _fields(cos=_P, sin=_P, inner=_N, lines=_N)


class BlockPointers(ctypes.Structure):
    """`block` of stack.c."""

    _fields_ = _fields(qkv=Matrix, out=Matrix, up=Matrix, down=Matrix)


class NetworkPointers(ctypes.Structure):
    """`network` of stack.c."""

    _fields_ = _fields(
        first=Matrix,
        last=Matrix,
        blocks=ctypes.POINTER(BlockPointers),
        space=Turn,
        depth=_N,
        tokens=_N,
        heads=_N,
        size=_N,
        hidden=_N,
    )


class Modulation(ctypes.Structure):
    """`modulation` of passes.h."""

    _fields_ = _fields(numbers=_P, stride=_N)


class Ring(ctypes.Structure):
    """`ring` of passes.h: keys, values [batch, tokens, heads, capacity, size], int64 slots [frames
    in work], and float32 bias [heads, frames, seen up to a multiple of 16], -inf where a frame may
    not look.
    """

    _fields_ = _fields(keys=_P, values=_P, slots=_P, bias=_P, capacity=_N, seen=_N)


class Call(ctypes.Structure):
    """`call` of stack.c."""

    _fields_ = _fields(
        x=_P,
        out=_P,
        room=_P,
        by=Modulation,
        ring=Ring,
        time=Turn,
        batch=_N,
        frames=_N,
        ring_step=_N,
        bias_step=_N,
        threads=_N,
    )


class Convolution(ctypes.Structure):
    """`convolution` of decoder.c."""

    _fields_ = _fields(w=Matrix, side=_N, kernel=_N, shuffle=_N, adds=_N, keeps=_N, bends=_N)


class Decoding(ctypes.Structure):
    """`decoding` of decoder.c."""

    _fields_ = _fields(
        layers=ctypes.POINTER(Convolution), x=_P, kept=_P, one=_P, other=_P, depth=_N, frames=_N
    )


FUNCTIONS: Functions = {
    "ready": ([], ctypes.c_int),
    "number_bytes": ([], _N),
    "chunk_rows": ([], ctypes.c_int),
    "arrange": ([_P, _P, _N, _N], None),
    "multiply_by": ([_P, ctypes.POINTER(Matrix), _P, _N, _N], None),
    "room_for": ([ctypes.POINTER(NetworkPointers), ctypes.POINTER(Call)], _N),
    "denoise": ([ctypes.POINTER(NetworkPointers), ctypes.POINTER(Call)], None),
    "border_room": ([ctypes.POINTER(Convolution), _N, _N], _N),
    "decode": ([ctypes.POINTER(Decoding)], None),
}


def kernels_for(tensor: Tensor) -> ctypes.CDLL | None:
    """The library for tensors like this one; None where the compiled passes do not serve: another
    device or dtype, no compiler.

    Its functions check nothing: give them what `address` returns, and sizes that follow from the
    same tensors."""
    if tensor.device.type != "cpu" or tensor.dtype not in DTYPES:
        return None
    return _kernels(tensor.dtype == torch.bfloat16)


@cache
def _kernels(bfloat16: bool) -> ctypes.CDLL | None:
    found = library(bfloat16)
    if found is None:
        return None
    declare(found, FUNCTIONS)
    return found if found.ready() else None


def dtype_of(library: ctypes.CDLL) -> torch.dtype:
    """The one that this library computes in."""
    return torch.float32 if library.number_bytes() == 4 else torch.bfloat16


def address(x: Tensor, dtype: torch.dtype, *shape: int) -> int:
    """Where the numbers of a tensor begin. ValueError unless it lies in one piece on the CPU and
    has this dtype and shape."""
    if (
        x.dtype != dtype
        or tuple(x.shape) != shape
        or x.device.type != "cpu"
        or not x.is_contiguous()
    ):
        pieces = "" if x.is_contiguous() else "not in one piece, "
        raise ValueError(
            f"the compiled passes take {dtype} {list(shape)} in one piece on the CPU here, not "
            f"{pieces}{x.dtype} {list(x.shape)} "
            f"on {x.device}: convert the tensor, or use the network itself"
        )
    return x.data_ptr()


def address_of_rows(x: Tensor, dtype: torch.dtype) -> int:
    """The same of [rows, numbers] of which each row lies in one piece."""
    if x.ndim != 2 or x.stride(1) != 1:
        raise ValueError(
            f"the compiled passes take rows of numbers here, not {list(x.shape)} in strides of "
            f"{list(x.stride())}"
        )
    address(x[0], dtype, x.shape[1])
    return x.data_ptr()
