"""What every figure is measured beside: the machine's own rate of matrix products, and one line for
RESULTS.md."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import torch

RESULTS = Path(__file__).parent / "RESULTS.md"


def seconds(call: Callable[[], object], repeats: int = 3) -> float:
    """Best of several, after one warm-up: the least disturbed run of a noisy machine."""
    call()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return min(times)


def matmul_tflops(
    threads: int, dtype: torch.dtype = torch.bfloat16, size: int = 2048, device: str = "cpu"
) -> float:
    """Rate of a large square product, on a CPU on `threads` threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    a, b = torch.randn(size, size).to(device, dtype), torch.randn(size, size).to(device, dtype)
    # the last waits for a GPU
    rate = 2 * size**3 / seconds(lambda: (a @ b)[0, 0].item(), 10) / 1e12
    torch.set_num_threads(before)
    return rate


def note(title: str, lines: list[str]) -> None:
    """Prints the result and appends it to RESULTS.md with date, machine and commit."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    where = (
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {torch.get_num_threads()} threads, "
        f"commit {commit or 'unknown'}"
    )
    where += (
        f", load average {os.getloadavg()[1]:.0f}"  # of five minutes: how much else was running
    )
    text = "\n".join([f"\n## {title}", "", where, "", *lines, ""])
    print(text)
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(text)
