"""How many trials to advance together by default: as many as fit into free memory, up to the number
where more was not faster."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch

from worldgym.io.run_log import LOG_NAME, read_log
from worldgym.world.model import DiffusionWorld
from worldgym.world.world_protocol import World

MOST_ON_CPU = 32  # measured: docs/performance.md
MOST_ON_GPU = 64  # on paper 32 are 5 to 20 % from the limit already: docs/gpu.md
SHARE = 0.7  # of the free memory; the rest is for policy, judge and what is not counted
# numbers of [tokens, width] that a block holds at once, beside those of its wide layer
HELD = 12
PIXEL = 256  # bytes per pixel of a frame between decoder and host, counted generously


def chosen_batch(asked: int | None, world: World[Any], out: Path, chunk: int = 1) -> int:
    """asked, or for None: that of the run in `out`, which continues with it; or else what fits.

    chunk: actions of the longest call of a policy."""
    if asked is not None:
        return asked
    if (out / LOG_NAME).exists():
        before = read_log(out / LOG_NAME)[0].config.get("batch")
        if isinstance(before, int):
            return before
    found = fitting_batch(world, chunk)
    print(f"{out}: batches of at most {found} trials (--batch auto)", file=sys.stderr)
    return found


def fitting_batch(world: World[Any], chunk: int = 1) -> int:
    """For worlds of ours by the free memory of their device; 32 for others."""
    if not isinstance(world, DiffusionWorld):
        return MOST_ON_CPU
    device = next(world.network.parameters()).device
    most = MOST_ON_CPU if device.type == "cpu" else MOST_ON_GPU
    return max(1, min(most, int(SHARE * free_memory(device) / bytes_a_trial(world, chunk))))


def bytes_a_trial(world: DiffusionWorld, chunk: int = 1) -> int:
    """What a trial of a batch takes at most, counted from the sizes: keys and values (twice, where
    a branch is copied), the widest call, and the frames of a chunk in the decoder."""
    c, s = world.config.network, world.config.sampler
    chunk = min(chunk, s.longest_chunk)
    size = world.dtype.itemsize * (1 if s.cfg == 1.0 else 2)
    capacity = s.window - 1 + 2 * chunk if s.rule == "rolling" else s.window
    ring = 2 * 2 * c.pairs * c.tokens * capacity * c.width
    # a new window is stored in one call
    widest = s.window * c.tokens * c.width * (c.mlp_ratio + HELD)
    height, width, _ = world.frame_shape
    return size * (ring + widest) + PIXEL * chunk * len(world.views) * height * width


def free_memory(device: torch.device) -> int:
    """Bytes. On a CPU those that the system would give without swapping; where it does not say,
    4 GiB."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 4 * 2**30
    told = [line.split() for line in lines if line.startswith("MemAvailable:")]
    return int(told[0][1]) * 1024 if told else 4 * 2**30
