"""Which number format a processor multiplies fast.

bfloat16 halves memory and doubles speed where the hardware multiplies it. Where it does not, torch
and our own passes convert every number: on a server with AVX2 alone the bundled world draws 1 frame
per second with the compiled passes, 4 to 5 with torch in bfloat16, and far more in float32
(dev/LOG.md, 2026-11-29).
"""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path

import torch


@cache
def has_wide_vectors() -> bool:
    """Whether this processor has the vectors that our compiled passes are written for: AVX-512, or
    ARM's instructions for bfloat16."""
    if platform.machine() in ("x86_64", "AMD64"):
        return torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    return any("bf16" in line.split() for line in lines if line.startswith("Features"))


def fast_dtype(device: str = "cpu") -> torch.dtype:
    """bfloat16 on a CUDA GPU and on a processor with wide vectors; float32 elsewhere."""
    kind = torch.device(device).type
    fast = kind == "cuda" or (kind == "cpu" and has_wide_vectors())
    return torch.bfloat16 if fast else torch.float32


def mixed_precision(device: str) -> torch.autocast:
    """bfloat16 where it is fast; else a context that changes nothing."""
    kind = torch.device(device).type
    return torch.autocast(kind, torch.bfloat16, enabled=fast_dtype(kind) == torch.bfloat16)
