"""Which number format a processor multiplies fast.

bfloat16 halves memory and doubles speed where there are instructions that multiply it. Where there
are none, every number is converted: the bundled world, one trial at one step, takes 113 ms per
frame with AVX2 in bfloat16 and 87 in float32, and with AVX-512 alone 69 and 41 (dev/LOG.md,
2026-11-29).
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import torch

PROCESSOR = Path("/proc/cpuinfo")
FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # Intel's and AMD's two, and ARM's


@cache
def multiplies_bfloat16() -> bool:
    """Whether this processor has instructions for products of bfloat16 numbers."""
    return any(FLAGS & set(line.split()) for line in _told())


def fast_dtype(device: str = "cpu") -> torch.dtype:
    """bfloat16 on a CUDA GPU and on a processor that multiplies it; float32 elsewhere."""
    kind = torch.device(device).type
    fast = kind == "cuda" or (kind == "cpu" and multiplies_bfloat16())
    return torch.bfloat16 if fast else torch.float32


def mixed_precision(device: str) -> torch.autocast:
    """bfloat16 where it is fast; else a context that changes nothing."""
    kind = torch.device(device).type
    return torch.autocast(kind, torch.bfloat16, enabled=fast_dtype(kind) == torch.bfloat16)


@cache
def instructions() -> str:
    """Digest of the instructions that this processor has, where the system says."""
    told = _told()
    return (
        hashlib.sha256(" ".join(sorted(told[0].split())).encode()).hexdigest()[:16] if told else ""
    )


def _told() -> list[str]:
    """The instructions of each core, a line each; none where the system does not say."""
    try:
        lines = PROCESSOR.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    return [line for line in lines if line.startswith(("flags", "Features"))]
