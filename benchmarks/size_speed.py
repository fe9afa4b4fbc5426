"""Seconds a frame of worlds of the published sizes, random weights, behind a full window: the
engine against the plain sampler.

The published settings (256 x 256 pixels, 20 frames of window, rotary positions), the autoencoder
left out. Plain: everything in the window computed again at every network call, the window sliding
(`keep=0`), by the network as defined, in torch. Engine: keys and values kept under the rule
`rolling`, by the fastest network at hand. Weights and latents are random numbers, which changes no
time; what is timed is one chunk of the plain sampler and the better of two of the engine, after one
that fills its cache."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import matmul_tflops, note

from worldgym.native.memory import keep_freed_memory
from worldgym.testing import FAKE_SPEC
from worldgym.train.recipes import RECIPES
from worldgym.train.world_train_config import WorldTrainConfig
from worldgym.types import Actions
from worldgym.world.model import DiffusionWorld
from worldgym.world.random_world import BlankCodec, full_state, random_network
from worldgym.world.row_threads import on_all_cores
from worldgym.world.sampler import frame_spans, level_plan
from worldgym.world.world_config import WorldConfig
from worldgym.world.world_protocol import World


def random_world(config: WorldTrainConfig, steps: int, device: str) -> DiffusionWorld:
    network = random_network(config.network, device, torch.bfloat16)
    settings = WorldConfig(
        FAKE_SPEC, config.network, config.sampler, config.schedule, {}, "", config.conditioning
    )
    codec = BlankCodec(config.network.latent_shape)
    return DiffusionWorld(settings, network, codec, "random").with_sampler(steps=steps)


def seconds_a_chunk(
    world: World[Any], state: Any, actions: Actions, warm: int, timed: int
) -> float:
    """Best of `timed` chunks in a row, after `warm` others."""
    times = []
    for _ in range(warm + timed):
        started = time.perf_counter()
        state, _ = world.step(state, actions)
        times.append(time.perf_counter() - started)
    return min(times[warm:])


@dataclass(frozen=True)
class Speed:
    """Seconds a frame, of all rows together (plain: None where not timed), and TFLOP a frame of
    one."""

    chunk: int
    batch: int
    plain: float | None
    engine: float
    tflops: tuple[float, float]

    def cells(self) -> list[str]:
        slow = (
            [f"{self.plain:.3g}", f"{self.engine:.3g}", f"{self.plain / self.engine:.1f}"]
            if self.plain
            else None
        )
        work = [f"{value:.2f}" for value in self.tflops]
        return [str(self.chunk), str(self.batch), *(slow or ["", f"{self.engine:.3g}", ""]), *work]


def speeds(
    world: DiffusionWorld, chunks: list[int], batches: list[int], plain_batches: list[int]
) -> Iterator[Speed]:
    sampler = world.config.sampler
    call = world.config.network.flops_per_frame / 1e12
    slow = DiffusionWorld(
        world.config, world.network, world.codec, world.name, engine=world.network
    )
    slow = slow.with_sampler(cached=False, keep=0)
    fast = world.with_sampler(rule="rolling")
    for chunk in chunks:
        calls = sampler.steps + chunk - 1
        drawn = sum(
            behind - first
            for first, behind in frame_spans(
                level_plan(world.schedule, sampler.steps, chunk, sampler.order)
            )
        )
        # kept once more, when finished
        work = (calls * sampler.window / chunk * call, (drawn / chunk + 1) * call)
        for rows in batches:
            state = full_state(world, rows, chunk)
            actions = np.zeros((rows, chunk, world.spec.size), np.float32)
            plain = (
                seconds_a_chunk(slow, state, actions, 0, 1) / chunk / rows
                if rows in plain_batches
                else None
            )
            spread = on_all_cores(fast)
            parts = np.array_split(np.arange(rows), min(torch.get_num_threads(), rows))
            each = tuple(full_state(world, len(part), chunk) for part in parts)
            begin = state if spread is fast else each
            yield Speed(
                chunk,
                rows,
                plain,
                seconds_a_chunk(spread, begin, actions, 1, 2) / chunk / rows,
                work,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--sizes", nargs="+", default=["paper_109m", "paper_608m"], help="names of recipes"
    )
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--chunks", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--plain-batches", type=int, nargs="+", default=[1])
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args()
    keep_freed_memory()
    peak = matmul_tflops(torch.get_num_threads(), device=asked.device)
    rows = []
    for size in asked.sizes:
        world = random_world(
            RECIPES[size].world(Path("unused"), asked.device), asked.steps, asked.device
        )
        for speed in speeds(world, asked.chunks, asked.batches, asked.plain_batches):
            share = 100 * speed.tflops[1] / speed.engine / peak
            rows.append(f"| {size} | {' | '.join(speed.cells())} | {share:.0f} % |")
    lines = [
        "| size | chunk | batch | plain, s a frame | engine, s a frame | ratio | TFLOP a frame, "
        "plain | engine | of the rate |",
        "|" + " --- |" * 9,
        *rows,
        "",
        f"{asked.device}, {asked.steps} steps, a full window; a frame of one trial, autoencoder "
        f"left out. Timed: one chunk of "
        "the plain sampler, the better of two of the engine. Attention's own products are not "
        "counted. The rate: "
        f"{peak:.2f} TFLOP/s, that of a large bfloat16 product in the same run.",
    ]
    note("Speed by size: `python benchmarks/size_speed.py`", lines)


if __name__ == "__main__":
    main()
