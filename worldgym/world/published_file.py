"""The weights of a published .pt file, checked before anything is made of them. Nothing in the file
is run, and what torch says of a bad one (advice to run its code among it) is not passed on.

    {"ema": weights, "model": weights, "optimizer": ..., "step": ...}   or the weights alone; "ema"
    is preferred"""

from __future__ import annotations

import lzma
import pickle
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from worldgym.errors import CheckpointError, InputError
from worldgym.io.files import not_fetched
from worldgym.io.progress import progress
from worldgym.io.text import on_one_line

FORMATS = (torch.float32, torch.bfloat16, torch.float16)
NOT_ALLOWED = re.compile(r"GLOBAL ([\w.]+) was not an allowed global")
PIECE = 2**24  # bytes read at once to check them
# what zipfile and torch raise over altered bytes, besides their own errors
BROKEN = (
    RuntimeError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    MemoryError,
    OSError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
    ArithmeticError,
)


def read_weights(file: Path) -> tuple[dict[str, Tensor], str]:
    """=> (weights by name, mapped from the file, "ema", "model" or "bare"). CheckpointError for
    bytes that were altered, and for what is no dense tensor of finite numbers."""
    if not file.is_file():
        raise InputError(f"{file}: no such file; give the .pt file of a published checkpoint")
    try:
        _check_bytes(file)
        with warnings.catch_warnings():  # torch's advice
            warnings.simplefilter("ignore")
            found = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except (pickle.UnpicklingError, zipfile.BadZipFile, *BROKEN) as error:
        raise CheckpointError(not_fetched(file) or f"{file}: {_reason(error)}") from error
    branch = next(
        (name for name in ("ema", "model") if isinstance(found, dict) and name in found), "bare"
    )
    weights = found if branch == "bare" else found[branch]
    if (
        not isinstance(weights, Mapping)
        or not weights
        or not all(isinstance(name, str) for name in weights)
    ):
        raise CheckpointError(
            f"{file}: holds no weights by name; give a file with a state dict, or with one under "
            f"ema or model"
        )
    for name, value in progress(weights.items(), len(weights), "checking weights", "tensor"):
        if fault := _fault(value):
            raise CheckpointError(
                f"{file}: {on_one_line(name)} {fault}; download it again or give another file"
            )
    return dict(weights), branch


def _check_bytes(file: Path) -> None:
    """Against the CRC-32 of every record, which torch writes and does not read. A file that was
    saved without them has zeros there, and passes. BadZipFile names the record."""
    with zipfile.ZipFile(file) as archive:
        told = [record for record in archive.infolist() if record.CRC]
        for record in progress(told, len(told), f"checking {file.name}", "record"):
            with archive.open(record) as data:
                while data.read(PIECE):
                    pass


def _reason(error: Exception) -> str:
    if isinstance(error, zipfile.BadZipFile):
        said = str(error)
        if said.startswith("Bad CRC-32 for file"):
            return f"altered since it was saved ({said}); download it again"
        return "no file that torch.save wrote (since PyTorch 1.6), or cut short; download it again"
    if not isinstance(error, pickle.UnpicklingError):
        return "altered since it was saved, or not as torch.save writes files; download it again"
    named = NOT_ALLOWED.search(str(error))
    what = f"asks for {named[1]}, which" if named else "holds something that"
    return (
        f"{what} is no plain tensor, and nothing in the file is run; give a file with a state dict"
    )


def _fault(value: Any) -> str:
    """What is wrong with a weight; "" if nothing."""
    if not isinstance(value, Tensor):
        return "is no tensor"
    if value.layout != torch.strided or value.is_quantized or value.is_nested:
        return "is sparse, nested or quantized, and only dense tensors are read"
    if value.dtype not in FORMATS:
        kind = str(value.dtype).removeprefix("torch.")
        return f"holds {kind}, and only float32, bfloat16 and float16 are read"
    if value.is_meta or value.nelement() * value.element_size() > value.untyped_storage().nbytes():
        return f"has fewer numbers in the file than its shape {list(value.shape)} says"
    return "" if bool(value.isfinite().all()) else "holds numbers that are not finite"
