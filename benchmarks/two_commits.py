"""Frames per second of the bundled world in this checkout and in another, in turn: each in a
process of its own, which waits while the other computes.

    git worktree add ../before COMMIT && python benchmarks/two_commits.py ../before

Rollouts of chunk 1 in the bundled world's rule, decoder included, on all cores, best of `--rounds`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

from worldgym.io.bundled import BUNDLE
from worldgym.native.memory import keep_freed_memory
from worldgym.world.row_threads import on_all_cores

try:
    from worldgym.world.world_checkpoint import load_diffusion_world
except ModuleNotFoundError:  # a checkout from before 62b70d4
    from worldgym.world.load_world import (  # type: ignore[import-not-found,no-redef]
        load_world as load_diffusion_world,
    )

CASES = [(1, 1), (1, 16), (1, 32), (10, 1), (10, 16)]  # steps of the sampler, trials
CALLS = 400  # of the network for each trial, at most; 40 frames at most


def serve() -> None:
    """Lines "steps trials" in, [frames per second, frames per CPU second] out."""
    keep_freed_memory()
    world = load_diffusion_world(BUNDLE / "world")
    rng = np.random.default_rng(0)
    for line in sys.stdin:
        steps, rows = map(int, line.split())
        now = on_all_cores(world.with_sampler(steps=steps))
        first = rng.integers(0, 256, (rows, 1, *world.frame_shape)).astype(np.uint8)
        state = now.reset(first, range(rows))
        frames = max(8, min(40, CALLS // steps // max(rows // 4, 1)))
        for count in (3, frames):
            began = time.perf_counter(), time.process_time()
            for _ in range(count):
                actions = rng.uniform(-1, 1, (rows, 1, world.spec.size)).astype(np.float32)
                state, _ = now.step(state, actions)
        took = time.perf_counter() - began[0], time.process_time() - began[1]
        print(json.dumps([frames * rows / seconds for seconds in took]), flush=True)


def started(tree: Path) -> subprocess.Popen[str]:
    command = [sys.executable, str(Path(__file__).resolve()), "--serve"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    return subprocess.Popen(command, cwd=tree, env=environment, **pipes)  # type: ignore[call-overload,no-any-return]


def rate(process: subprocess.Popen[str], steps: int, rows: int) -> list[float]:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(f"{steps} {rows}\n")
    process.stdin.flush()
    found: list[float] = json.loads(process.stdout.readline())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path, nargs="?", help="folder of another checkout")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    if asked.serve:
        return serve()
    if asked.other is None or not (asked.other / "worldgym").is_dir():
        parser.error("OTHER is no checkout: it has no folder worldgym")
    both = [started(tree) for tree in (asked.other.resolve(), Path(__file__).parents[1])]
    print("| steps | trials | other | this | ratio | other, CPU | this, CPU | ratio |")
    print("|" + " --- |" * 8)
    for case in CASES:
        rounds = [[rate(process, *case) for process in both] for _ in range(asked.rounds)]
        other, this = ([max(x) for x in zip(*(r[i] for r in rounds), strict=True)] for i in (0, 1))
        pairs = [f"{a:.1f} | {b:.1f} | {b / a:.2f}" for a, b in zip(other, this, strict=True)]
        print(f"| {case[0]} | {case[1]} | {' | '.join(pairs)} |", flush=True)
    for process in both:
        process.communicate()
    print(f"\nFrames per second of {torch.get_num_threads()} threads, and per CPU second.")


if __name__ == "__main__":
    main()
