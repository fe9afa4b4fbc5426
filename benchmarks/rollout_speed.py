"""Frames a second of whole rollouts in the bundled world, decoding included: the engine against the plain sampler, in one run.

Plain is the slow twin at the same weights, steps and window: everything in the window is computed anew at every network call, by
the ordinary bfloat16 network in torch, on all cores (`cached=False`, `engine=network`). Nothing else about it is slowed. The
second column puts the same plain sampler on the engine's compiled passes: what is left between it and the engine is the cache
and the batch. Frames and actions are random numbers, which changes no time.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from machine import matmul_tflops, note
from torch import Tensor, nn

from worldgym.memory import keep_freed_memory
from worldgym.reference.demo import BUNDLE
from worldgym.timing import measured
from worldgym.world.cache import TemporalCache
from worldgym.world.model import DiffusionWorld, load_world
from worldgym.world.protocol import World
from worldgym.world.sampler import Network
from worldgym.world.split import on_all_cores

FRAMES = 40  # of a rollout, as in the reference tasks
CHUNKS = (1, 4, 8)


def roll(world: World, rows: int, chunk: int, frames: int = FRAMES) -> None:
    rng = np.random.default_rng(0)
    state = world.reset(rng.integers(0, 256, (rows, *world.frame_shape)).astype(np.uint8), range(rows))
    for _ in range(frames // chunk):
        state, _ = world.step(state, rng.uniform(-1, 1, (rows, chunk, world.spec.size)).astype(np.float32))


def rate(world: World, rows: int, chunk: int, repeats: int = 2) -> float:
    """Frames a second: best of so many rollouts, after a few frames to warm up."""
    roll(world, rows, chunk, 2 * chunk)
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        roll(world, rows, chunk)
        times.append(time.perf_counter() - started)
    return FRAMES * rows / min(times)


class Counted:
    """A network that counts the frames it is given."""

    def __init__(self, network: Network) -> None:
        self._network, self.frames = network, 0

    def condition(self, level: Tensor, actions: Tensor) -> Tensor:
        return self._network.condition(level, actions)

    def denoise(self, x: Tensor, condition: Tensor, start_frame: Tensor, cache: TemporalCache | None, sight: int) -> Tensor:
        self.frames += x.shape[0] * x.shape[1]
        return self._network.denoise(x, condition, start_frame, cache, sight)


def with_engine(world: DiffusionWorld, engine: Network, cached: bool = True) -> DiffusionWorld:
    made = DiffusionWorld(world.config, world.network, world.codec, world.name, engine=engine)
    return made if cached else made.with_sampler(cached=False)


def gflops(world: DiffusionWorld, chunk: int, cached: bool) -> float:
    """Of matrix products and convolutions for one new frame: the network's, counted in a rollout, and the decoder's."""
    counted = Counted(world.engine)
    roll(with_engine(world, counted, cached), 1, chunk)
    return (counted.frames / FRAMES * world.config.network.flops_per_frame + decoder_flops(world)) / 1e9


def decoder_flops(world: DiffusionWorld) -> float:
    """Of the convolutions in decoding one frame."""
    channels, size, _ = world.codec.latent_shape
    return float(sum(_convolutions(world.codec.decoder, torch.zeros(1, channels, size, size))))


def _convolutions(layers: nn.Module, latents: Tensor) -> Iterator[int]:
    found: list[int] = []
    hooks = [
        layer.register_forward_hook(lambda layer, inputs, out: found.append(2 * out[0].numel() * layer.weight[0].numel()))
        for layer in layers.modules()
        if isinstance(layer, nn.Conv2d)
    ]
    layers(latents)
    for hook in hooks:
        hook.remove()
    yield from found


def decode_share(world: DiffusionWorld, rows: int) -> float:
    """Part of the time that decoding takes, on one thread."""
    roll(world, rows, 1, 2)
    started = time.perf_counter()
    with measured() as parts:
        roll(world, rows, 1)
    return parts["decode"] / (time.perf_counter() - started)


@dataclass(frozen=True)
class Row:
    """Frames a second (None: not timed), and GFLOP a frame of the plain sampler and of the engine."""

    chunk: int
    batch: int
    plain: float | None
    ours: float | None
    engine: float
    gflops: tuple[float, float]

    def line(self) -> str:
        slow = [f"{value:.1f}" if value else "" for value in (self.plain, self.ours)]
        ratio = f"{self.engine / self.plain:.1f}" if self.plain else ""
        cells = [self.chunk, self.batch, *slow, f"{self.engine:.1f}", ratio, *(f"{value:.2f}" for value in self.gflops)]
        return f"| {' | '.join(map(str, cells))} |"


def table(world: DiffusionWorld, chunks: list[int], batches: list[int], plain_batches: list[int]) -> Iterator[Row]:
    fast, plain = on_all_cores(world), with_engine(world, world.network, False)
    plain_ours = on_all_cores(with_engine(world, world.engine, False))
    for chunk in chunks:
        work = (gflops(world, chunk, False), gflops(world, chunk, True))
        for rows in batches:
            timed = rows in plain_batches
            slow, ours = (rate(w, rows, chunk, 1) if timed else None for w in (plain, plain_ours))
            yield Row(chunk, rows, slow, ours, rate(fast, rows, chunk), work)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--plain-batches", type=int, nargs="+", default=[1, 8], help="of these the plain sampler is timed too")
    parser.add_argument("--chunks", type=int, nargs="+", default=list(CHUNKS))
    asked = parser.parse_args()
    keep_freed_memory()
    world, peak = load_world(BUNDLE / "world"), matmul_tflops(torch.get_num_threads())
    rows = list(table(world, asked.chunks, asked.batches, asked.plain_batches))
    first, most = rows[0], rows[len(asked.batches) - 1]
    share, decoding = most.engine * most.gflops[1] / 1e3 / peak, [decode_share(world, count) for count in (1, 16)]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    lines = [
        "| chunk | batch | plain, torch | plain, compiled passes | engine | engine / plain | GFLOP a frame, plain | engine |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        *(row.line() for row in rows),
        "",
        f"Frames a second. The engine's batch of {most.batch}, chunk {most.chunk}, reaches {100 * share:.0f} % of the {peak:.2f} "
        f"TFLOP/s of a large bfloat16 product in the same run. Decoding takes {100 * decoding[0]:.0f} % of one thread's time "
        f"with one trial, {100 * decoding[1]:.0f} % with 16. Memory: {memory:.2f} GiB at most.",
    ]
    if first.plain:
        times = [row.engine / first.plain for row in (first, most)]
        lines.append(
            f"Against the plain sampler with one trial, chunk {first.chunk}: {times[0]:.1f} times the frames with one trial, "
            f"{times[1]:.1f} times with {most.batch}."
        )
    rolling = on_all_cores(world.with_sampler(rule="rolling"))
    times = [rate(rolling, count, first.chunk) for count in (first.batch, most.batch)]
    lines.append(f"Under the rule `rolling`: {times[0]:.1f} frames a second with one trial, {times[1]:.1f} with {most.batch}.")
    note("Rollout speed: `python benchmarks/rollout_speed.py`", lines)


if __name__ == "__main__":
    main()
