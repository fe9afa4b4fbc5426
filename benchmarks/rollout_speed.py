"""Frames a second of whole rollouts in the bundled world, decoding included: the engine against two plain samplers, in one run.

Both plain samplers have the same weights, steps and window, and compute everything in the window anew at every network call, by
the ordinary bfloat16 network in torch, on all cores (`cached=False`, `engine=network`). "As published": the window slides by a
frame each frame once it is full (`keep=0`), as in arXiv 2506.00613's released code. "Twin": it restarts with 8 frames, as the
engine's does, and gives the engine's frames. Nothing else about them is slowed. Frames and actions are random numbers, which
changes no time.
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


def with_engine(world: DiffusionWorld, engine: Network, **changes: object) -> DiffusionWorld:
    """The same world with another way to compute its network, and other sampler settings."""
    return DiffusionWorld(world.config, world.network, world.codec, world.name, engine=engine).with_sampler(**changes)


def gflops(world: DiffusionWorld, chunk: int, **changes: object) -> float:
    """Of matrix products and convolutions for one new frame: the network's, counted in a rollout, and the decoder's."""
    counted = Counted(world.engine)
    roll(with_engine(world, counted, **changes), 1, chunk)
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


PUBLISHED, TWIN = {"cached": False, "keep": 0}, {"cached": False}


@dataclass(frozen=True)
class Row:
    """Frames a second of the plain sampler as published, of the engine's plain twin (None: not timed) and of the engine; GFLOP a
    frame of the first and the last.
    """

    steps: int
    chunk: int
    batch: int
    published: float | None
    twin: float | None
    engine: float
    gflops: tuple[float, float]

    def line(self) -> str:
        slow = [f"{value:.1f}" if value else "" for value in (self.published, self.twin)]
        ratios = [f"{self.engine / value:.1f}" if value else "" for value in (self.published, self.twin)]
        work = [f"{value:.2f}" for value in self.gflops]
        return f"| {' | '.join(map(str, [self.steps, self.chunk, self.batch, *slow, f'{self.engine:.1f}', *ratios, *work]))} |"


def table(world: DiffusionWorld, asked: argparse.Namespace) -> Iterator[Row]:
    for steps in asked.steps:
        now = world.with_sampler(steps=steps)
        fast, plain = on_all_cores(now), [with_engine(now, now.network, **changes) for changes in (PUBLISHED, TWIN)]
        for chunk in asked.chunks:
            work = (gflops(now, chunk, **PUBLISHED), gflops(now, chunk))
            for rows in asked.batches:
                timed = rows in asked.plain_batches
                published, twin = (rate(slow, rows, chunk, 1) if timed else None for slow in plain)
                yield Row(steps, chunk, rows, published, twin, rate(fast, rows, chunk), work)


def ratios(rows: list[Row]) -> Iterator[str]:
    """Against the plain sampler as published with one trial, at the same steps and chunk: which ratio is which, in words."""
    single = {(row.steps, row.chunk): row.published for row in rows if row.batch == 1}
    for row in rows:
        base = single.get((row.steps, row.chunk))
        if base and row.chunk == rows[0].chunk:
            many = "one trial" if row.batch == 1 else f"{row.batch} trials"
            yield (
                f"{row.steps} steps, chunk {row.chunk}: the engine with {many} draws {row.engine / base:.1f} times the frames of "
                "the plain sampler as published with one."
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--steps", type=int, nargs="+", default=[4, 10], help="network calls a frame: the bundled world's, published"
    )
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--plain-batches", type=int, nargs="+", default=[1, 8], help="of these the plain samplers are timed too")
    parser.add_argument("--chunks", type=int, nargs="+", default=list(CHUNKS))
    asked = parser.parse_args()
    keep_freed_memory()
    world, peak = load_world(BUNDLE / "world"), matmul_tflops(torch.get_num_threads())
    rows = list(table(world, asked))
    most = rows[len(asked.batches) - 1]
    share, decoding = most.engine * most.gflops[1] / 1e3 / peak, [decode_share(world, count) for count in (1, 16)]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    rolling = on_all_cores(world.with_sampler(rule="rolling", steps=asked.steps[0]))
    times = [rate(rolling, count, most.chunk) for count in (1, most.batch)]
    lines = [
        "| steps | chunk | batch | plain, as published | plain twin | engine | engine / published | engine / twin "
        "| GFLOP a frame, published | engine |",
        "|" + " --- |" * 10,
        *(row.line() for row in rows),
        "",
        f"Frames a second. Both ratios of a line are at its batch. {' '.join(ratios(rows))}",
        "",
        f"The engine's batch of {most.batch}, chunk {most.chunk}, {most.steps} steps, reaches {100 * share:.0f} % of the "
        f"{peak:.2f} TFLOP/s of a large bfloat16 product in the same run. Decoding takes {100 * decoding[0]:.0f} % of a thread's "
        f"time with one trial, {100 * decoding[1]:.0f} % with 16. Memory: {memory:.2f} GiB at most.",
        f"Under the rule `rolling`: {times[0]:.1f} frames a second with one trial, {times[1]:.1f} with {most.batch}.",
    ]
    note("Rollout speed: `python benchmarks/rollout_speed.py`", lines)


if __name__ == "__main__":
    main()
