"""The device of PyTorch, as named by an option: auto, cpu, cuda, cuda:N or mps. Only this module
interprets such a word; loaders pass it here."""

from __future__ import annotations

import math
import re

import torch

from worldgym.errors import InputError

CPU = "cpu"
NAMED = "auto, cpu, cuda, cuda:N or mps"
CONTEXT = 2**29  # bytes that a process takes on a GPU beside its tensors, about
CUDA = re.compile(r"cuda(?::(\d{1,3}))?")


def resolve_device(asked: str) -> str:
    """The device that a word stands for: "cpu", "cuda", "cuda:1", "mps". InputError where the word
    is another, or this machine has no such device.

    "auto" is a CUDA GPU if there is one, else the CPU. Never mps: it has not been measured whether
    it is faster, and it has no float64."""
    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else CPU
    if asked == CPU:
        return CPU
    if asked == "mps":
        if not torch.backends.mps.is_available():
            raise InputError(
                "device mps: PyTorch sees no Apple GPU on this machine; choose cpu or auto"
            )
        return asked
    named = CUDA.fullmatch(asked)
    if named is None:
        raise InputError(f'there is no device "{asked}": it is one of {NAMED}')
    return _on_cuda(asked, int(named[1] or 0))


def device_name(device: torch.device | str) -> str:
    """In words for a log: "cpu", "cuda: NAME OF THE CARD", "mps". Its number is left out: cards of
    one kind give the same numbers."""
    kind = torch.device(device)
    card = f": {torch.cuda.get_device_name(kind)}" if kind.type == "cuda" else ""
    return f"{kind.type}{card}"


def gpu_share() -> float | None:
    """Share of its GPU's memory that this process has taken at most, a tenth more, in hundredths;
    None where it has used no CUDA GPU."""
    if not torch.cuda.is_available() or not (peak := torch.cuda.max_memory_reserved()):
        return None
    _, total = torch.cuda.mem_get_info()
    return min(math.ceil(110 * (peak + CONTEXT) / total) / 100, 1.0)


def _on_cuda(asked: str, number: int) -> str:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count == 0:
        without = " (it was built without CUDA)" if torch.version.cuda is None else ""
        raise InputError(
            f"device {asked}: PyTorch sees no CUDA GPU on this machine{without}; choose cpu or auto"
        )
    if number >= count:
        known = ", ".join(f"cuda:{i}" for i in range(count))
        raise InputError(f"device {asked}: this machine has {known} only; choose one of them")
    return asked
