"""Frames per second of whole rollouts in the bundled world, decoding included: the engine against
the plain sampler, in one run.

Plain, as published: the same weights, steps and window, everything in the window computed again at
every network call by the ordinary bfloat16 network in torch, on all cores or on one, whichever is
faster, and the window slides by a frame each frame once it is full (`PUBLISHED`, and the network
itself as the engine), as in arXiv 2506.00613's released code. Nothing else about it is slowed. All
are timed in turn, several times over, and the best of each counts: the machine's speed changes
within a minute. Frames and actions are random numbers, which changes no time.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from machine import matmul_tflops, note
from torch import Tensor, nn

from worldgym.codecs.conv import ConvCodec
from worldgym.io.bundled import BUNDLE
from worldgym.io.timing import measured
from worldgym.native.memory import keep_freed_memory
from worldgym.world.cache import TemporalCache
from worldgym.world.model import DiffusionWorld
from worldgym.world.row_threads import on_all_cores
from worldgym.world.sampler import Network
from worldgym.world.world_checkpoint import load_diffusion_world
from worldgym.world.world_protocol import World

FRAMES = 40  # of a rollout, as in the reference tasks
CHUNKS = (1, 4)


def roll(world: World[Any], rows: int, chunk: int, frames: int = FRAMES) -> None:
    rng = np.random.default_rng(0)
    state = world.reset(
        rng.integers(0, 256, (rows, len(world.views), *world.frame_shape)).astype(np.uint8),
        range(rows),
    )
    for _ in range(frames // chunk):
        state, _ = world.step(
            state, rng.uniform(-1, 1, (rows, chunk, world.spec.size)).astype(np.float32)
        )


@dataclass(frozen=True)
class Contender:
    """A world to be timed: rows of a batch, and on how many threads of torch."""

    world: World[Any]
    rows: int
    threads: int

    def rate(self, chunk: int, frames: int = FRAMES) -> float:
        """Frames per second."""
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        started = time.perf_counter()
        roll(self.world, self.rows, chunk, frames)
        took = time.perf_counter() - started
        torch.set_num_threads(before)
        return frames * self.rows / took


def rates(contenders: list[Contender], chunk: int, rounds: int) -> list[float]:
    """Frames per second of each: the best of so many rounds, in each of which all have their
    turn."""
    for contender in contenders:
        contender.rate(chunk, 2 * chunk)
    return [
        max(found)
        for found in zip(
            *([one.rate(chunk) for one in contenders] for _ in range(rounds)), strict=True
        )
    ]


class Counted:
    """A network that counts the frames it is given."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.frames = 0

    def condition(self, level: Tensor, actions: Tensor) -> Tensor:
        return self._network.condition(level, actions)

    def denoise(
        self,
        x: Tensor,
        condition: Tensor,
        initial_frame: Tensor,
        cache: TemporalCache | None,
        sight: int,
    ) -> Tensor:
        self.frames += x.shape[0] * x.shape[1]
        return self._network.denoise(x, condition, initial_frame, cache, sight)


def with_engine(world: DiffusionWorld, engine: Network, **changes: object) -> DiffusionWorld:
    """The same world with another way to compute its network, and other sampler settings."""
    return DiffusionWorld(
        world.config, world.network, world.codec, world.name, engine=engine
    ).with_sampler(**changes)


def gflops(world: DiffusionWorld, chunk: int, **changes: object) -> float:
    """Of matrix products and convolutions for one new frame: the network's, counted in a rollout,
    and the decoder's."""
    counted = Counted(world.engine)
    roll(with_engine(world, counted, **changes), 1, chunk)
    return (
        counted.frames / FRAMES * world.config.network.flops_per_frame + decoder_flops(world)
    ) / 1e9


def decoder_flops(world: DiffusionWorld) -> float:
    """Of the convolutions in decoding one frame."""
    channels, size, _ = world.codec.latent_shape
    assert isinstance(world.codec, ConvCodec)
    return float(sum(_convolutions(world.codec.decoder, torch.zeros(1, channels, size, size))))


def _convolutions(layers: nn.Module, latents: Tensor) -> Iterator[int]:
    found: list[int] = []
    hooks = [
        layer.register_forward_hook(
            lambda layer, inputs, out: found.append(2 * out[0].numel() * layer.weight[0].numel())
        )
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


# The rule too: a world under `rolling` without its cache computes all frames since the start again,
# which nobody published.
PUBLISHED = {"cached": False, "keep": 0, "rule": "recompute"}


@dataclass(frozen=True)
class Row:
    """Frames per second of the plain sampler as published with one trial, and of the engine under
    both rules with `batch` trials; GFLOP a frame of the three.
    """

    steps: int
    chunk: int
    batch: int
    published: float
    engine: float
    rolling: float
    gflops: tuple[float, ...]

    def line(self) -> str:
        times = [f"{value:.1f}" for value in (self.published, self.engine, self.rolling)]
        ratios = [f"{value / self.published:.1f}" for value in (self.engine, self.rolling)]
        work = [f"{value:.2f}" for value in self.gflops]
        settings = [str(number) for number in (self.steps, self.chunk, self.batch)]
        return f"| {' | '.join([*settings, *times, *ratios, *work])} |"


def table(world: DiffusionWorld, asked: argparse.Namespace) -> Iterator[Row]:
    cores = torch.get_num_threads()
    for steps in asked.steps:
        now = world.with_sampler(steps=steps)
        plain = with_engine(now, now.network, **PUBLISHED)
        engines = [now.with_sampler(rule=rule) for rule in ("recompute", "rolling")]
        for chunk in asked.chunks:
            slow = [Contender(plain, 1, threads) for threads in {1, cores}]
            fast = [
                Contender(on_all_cores(one), rows, cores)
                for rows in asked.batches
                for one in engines
            ]
            found = rates([*slow, *fast], chunk, asked.rounds)
            base = max(found[: len(slow)])
            times = found[len(slow) :]
            work = (
                gflops(now, chunk, **PUBLISHED),
                *(gflops(now, chunk, rule=rule) for rule in ("recompute", "rolling")),
            )
            for rows, engine, rolling in zip(asked.batches, times[::2], times[1::2], strict=True):
                yield Row(steps, chunk, rows, base, engine, rolling, work)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--steps",
        type=int,
        nargs="+",
        default=[1, 4, 10],
        help="network calls a frame: the bundled world's, its teacher's, published",
    )
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--chunks", type=int, nargs="+", default=list(CHUNKS))
    parser.add_argument("--rounds", type=int, default=2)
    asked = parser.parse_args()
    keep_freed_memory()
    world = load_diffusion_world(BUNDLE / "world")
    peak = matmul_tflops(torch.get_num_threads())
    rows = list(table(world, asked))
    most = rows[len(asked.batches) - 1]
    peak = max(peak, matmul_tflops(torch.get_num_threads()))
    share = most.rolling * most.gflops[2] / 1e3 / peak
    decoding = [decode_share(world, count) for count in (1, 16)]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    lines = [
        "| steps | chunk | batch | plain, one trial | engine | engine, rolling | engine / plain | "
        "rolling / plain "
        "| GFLOP a frame, plain | engine | rolling |",
        "|" + " --- |" * 11,
        *(row.line() for row in rows),
        "",
        "Frames per second. Both ratios are to the plain sampler as published with one trial, at "
        "the "
        "same steps and chunk; best of "
        f"{asked.rounds} rounds each.",
        "",
        f"The engine's batch of {most.batch} under `rolling`, chunk {most.chunk}, {most.steps} "
        f"steps, reaches "
        f"{100 * share:.0f} % of the {peak:.2f} TFLOP/s of a large bfloat16 product in the same "
        f"run. Decoding takes "
        f"{100 * decoding[0]:.0f} % of a thread's time with one trial, {100 * decoding[1]:.0f} % "
        f"with 16. Memory: "
        f"{memory:.2f} GiB at most.",
    ]
    note("Rollout speed: `python benchmarks/rollout_speed.py`", lines)


if __name__ == "__main__":
    main()
