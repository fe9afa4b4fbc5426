"""Frames a second of rollouts in the bundled world: cached against plain sampler, same weights and steps, in one run."""

from __future__ import annotations

import numpy as np
from machine import note, seconds

from worldgym.memory import keep_freed_memory
from worldgym.reference.demo import BUNDLE
from worldgym.world.model import DiffusionWorld, load_world

FRAMES = 16


def roll(world: DiffusionWorld, rows: int, chunk: int) -> None:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (rows, *world.frame_shape)).astype(np.uint8)
    state = world.reset(frames, range(rows))
    for _ in range(FRAMES // chunk):
        state, _ = world.step(state, rng.uniform(-1, 1, (rows, chunk, world.spec.size)).astype(np.float32))


def main() -> None:
    keep_freed_memory()
    cached = load_world(BUNDLE / "world")
    plain = cached.with_sampler(cached=False)
    lines = ["| chunk | batch | plain frames/s | cached frames/s | ratio |", "| --- | --- | --- | --- | --- |"]
    for chunk, rows in ((1, 1), (1, 8), (1, 20), (4, 1), (4, 20), (8, 20)):
        slow = FRAMES * rows / seconds(lambda c=chunk, r=rows: roll(plain, r, c), 1)
        fast = FRAMES * rows / seconds(lambda c=chunk, r=rows: roll(cached, r, c), 2)
        lines.append(f"| {chunk} | {rows} | {slow:.2f} | {fast:.1f} | {fast / slow:.1f} |")
    single = FRAMES / seconds(lambda: roll(plain, 1, 1), 1)
    batched = FRAMES * 20 / seconds(lambda: roll(cached, 20, 1), 2)
    lines += ["", f"Batched cached against single plain, chunk 1: {batched / single:.1f} times the frames a second."]
    note("Rollout speed: `python benchmarks/rollout_speed.py`", lines)


if __name__ == "__main__":
    main()
