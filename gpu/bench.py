"""A lease of ten minutes on a GPU: every row that is asked of a card, the riskiest first, each
written down as soon as it is known.

    python gpu/bench.py OUT                       # on the card; call again to continue
    python gpu/bench.py OUT --report              # the rows so far, as Markdown
    python gpu/bench.py OUT --only equality compile

Needs torch, numpy and safetensors. OUT/rows.jsonl holds one line per row: what was asked, what was
found, or why it broke. A row that broke is not tried again unless its line is removed; a row that
needs more memory than the card has says so, and the others still run.

equality  frames of the card against those of the CPU, float32 and bfloat16, both rules
compile   seconds that the first step of a shape takes by the compiled network, and its programs
rollout   frames per second: ours, compiled, our eager network, the released sampler's way
          (everything anew)
decoder   frames per second of a decoder of Stable Diffusion 3's shape
train     clips per second of a training step, and the share of the matrix rate that is used
limits    rate of a large product, and of a copy, which shares are shares of"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from roofline import Sampling, parts
from sd_decoder import Decoder
from torch import Tensor

from worldgym.io.benchmark_rows import do_rows, read_rows
from worldgym.io.devices import resolve_device
from worldgym.train.optimizer import Optimizer, OptimizerConfig
from worldgym.types import ActionSpec
from worldgym.world.compiled_dit import CompiledDiT
from worldgym.world.model import DiffusionWorld
from worldgym.world.network import DiT
from worldgym.world.network_config import DiTConfig, published_network
from worldgym.world.noise import make_schedule
from worldgym.world.random_world import BlankCodec, full_state, random_network
from worldgym.world.sampler import SAMPLERS, SamplerConfig
from worldgym.world.world_config import WorldConfig

Way = Literal["ours", "compiled", "eager", "released"]
SPEC = ActionSpec(("x", "y", "z"), "delta_pose", "m", "none", "none", (-1.0,) * 3, (1.0,) * 3, 5.0)
WARM = 2  # chunks before those that are timed
SMALL = 2  # pairs of blocks of the network whose frames are compared with the CPU's
SECONDS = 3.0  # that each row is timed for, at least two chunks


@dataclass(frozen=True)
class Row:
    """kind: as in the list above.   way: how frames are drawn.   The rest: see `Sampling`."""

    kind: str
    way: Way = "ours"
    batch: int = 1
    chunk: int = 1
    cfg: float = 1.0
    steps: int = 10
    rule: str = "rolling"
    dtype: str = "bfloat16"


@dataclass(frozen=True)
class Bench:
    """network, sampler: of the world that is timed.   frames: of a clip in training."""

    device: str
    network: DiTConfig
    sampler: SamplerConfig
    schedule: str
    frames: int = 20

    def world(self, row: Row) -> DiffusionWorld:
        """Random weights, in the row's number format, on the device."""
        config = WorldConfig(SPEC, self.network, self.sampler, self.schedule, {}, "", "action")
        network = frozen_network(self.network, self.device, number_format(row))
        engine = network if row.way in ("eager", "released") else None
        codec = BlankCodec(self.network.latent_shape)
        world = DiffusionWorld(config, network, codec, "random", number_format(row), engine)
        released = {"cached": False, "rule": "recompute", "keep": 0}
        kept = released if row.way == "released" else {"rule": row.rule}
        world = world.with_sampler(steps=row.steps, cfg=row.cfg, **kept)
        if row.way != "compiled":
            return world
        # a CPU only tries the path: compiling takes minutes there
        return world.compiled("package" if torch.device(self.device).type == "cuda" else "eager")


def number_format(row: Row) -> torch.dtype:
    found: torch.dtype = getattr(torch, row.dtype)
    return found


@lru_cache(maxsize=1)
def frozen_network(config: DiTConfig, device: str, dtype: torch.dtype) -> DiT:
    """For inference; small ones have the same weights on every device."""
    place = "cpu" if config.pairs <= SMALL else device
    return random_network(config, place).to(device, dtype).eval().requires_grad_(False)


def planned() -> Iterator[Row]:
    """The riskiest first: what may break, then what matters most."""
    yield Row("limits")
    for dtype in ("float32", "bfloat16"):
        for rule in ("rolling", "recompute"):
            yield Row("equality", chunk=2, batch=2, steps=3, rule=rule, dtype=dtype)
    yield Row("equality", chunk=4, batch=2, cfg=3.0, steps=3, dtype="float32")
    for dtype in ("float32", "bfloat16"):
        yield Row("equality", way="compiled", chunk=2, batch=2, steps=3, dtype=dtype)
    yield Row("compile", way="compiled")
    yield Row("rollout")
    yield Row("rollout", way="compiled")
    yield Row("rollout", batch=32)
    yield Row("rollout", way="compiled", batch=32)
    yield Row("rollout", way="released")
    yield Row("rollout", way="eager")
    yield Row("decoder", batch=32)
    yield Row("train", batch=8)
    for steps in (10, 1):
        for cfg in (1.0, 3.0):
            for chunk in (1, 4, 8):
                for batch in (1, 8, 32, 64):
                    yield Row("rollout", batch=batch, chunk=chunk, cfg=cfg, steps=steps)
    for batch in (8, 32):
        yield Row("rollout", way="eager", batch=batch)
        yield Row("rollout", way="released", batch=batch)
    for batch in (1, 8):
        yield Row("decoder", batch=batch)
    for batch in (4, 16):
        yield Row("train", batch=batch)


def measured(bench: Bench, row: Row) -> dict[str, Any]:
    """What a row finds; what broke it reaches the caller."""
    kinds: dict[str, Callable[[Bench, Row], dict[str, Any]]] = {
        "limits": limits,
        "equality": equality,
        "compile": compile_time,
        "rollout": rollout,
        "decoder": decoder,
        "train": training,
    }
    return kinds[row.kind](bench, row)


def wait(device: str) -> None:
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def seconds(call: Callable[[], object], device: str, least: int = 2) -> float:
    """Of one call: the mean over SECONDS, at least so many calls."""
    wait(device)
    started, count = time.perf_counter(), 0
    while count < least or time.perf_counter() - started < SECONDS:
        call()
        count += 1
    wait(device)
    return (time.perf_counter() - started) / count


def limits(bench: Bench, row: Row) -> dict[str, Any]:
    """10^12 operations a second of a large product, 10^12 bytes a second of a large copy."""
    size = 8192 if bench.device != "cpu" else 512
    a = torch.randn(size, size, device=bench.device).to(number_format(row))
    long = torch.empty(size**2 * 4, device=bench.device, dtype=torch.uint8)
    product = seconds(lambda: a @ a, bench.device)
    copy = seconds(long.clone, bench.device)
    return {"tflops": 2 * size**3 / product / 1e12, "tbytes": 2 * long.numel() / copy / 1e12}


def drawn(world: DiffusionWorld, row: Row, chunks: int) -> Tensor:
    """Latents of some chunks, float32 on the host."""
    state = full_state(world, row.batch, row.chunk)
    actions = actions_of(world, row)
    for _ in range(chunks):
        state, _ = world.step(state, actions)
    return state.context.latents[:, -chunks * row.chunk :].float().cpu()


def actions_of(world: DiffusionWorld, row: Row) -> Any:
    shape = (row.batch, row.chunk, world.spec.size)
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


def equality(bench: Bench, row: Row) -> dict[str, Any]:
    """The card's latents against the CPU's plain network in float32; and rows of a batch against
    each of them alone. Bounds: docs/gpu.md."""
    network = replace(bench.network, pairs=min(bench.network.pairs, SMALL))
    small = replace(bench, network=network, sampler=replace(bench.sampler, window=6, keep=0))
    found = drawn(small.world(row), row, 2)
    reference = replace(row, way="eager", dtype="float32")
    wanted = drawn(replace(small, device="cpu").world(reference), row, 2)
    alone = drawn(small.world(row), replace(row, batch=1), 2)
    bound = 1e-3 if row.dtype == "float32" else 5e-2
    gap = float((found - wanted).norm() / wanted.norm())
    apart = float((found[:1] - alone).norm() / wanted[:1].norm())
    return {"gap": gap, "rows": apart, "bound": bound, "held": gap <= bound and apart <= bound}


def compile_time(bench: Bench, row: Row) -> dict[str, Any]:
    """Seconds of the first step of a new shape, which loads a program or compiles it, and of the
    same again; and how many programs there are."""
    world = bench.world(row)
    state, actions = full_state(world, row.batch, row.chunk), actions_of(world, row)
    times = []
    for _ in range(3):
        wait(bench.device)
        started = time.perf_counter()
        state, _ = world.step(state, actions)
        wait(bench.device)
        times.append(time.perf_counter() - started)
    assert isinstance(world.engine, CompiledDiT)
    first, second, third = times
    return {"first": first, "second": second, "third": third, "programs": world.engine.programs}


def rollout(bench: Bench, row: Row) -> dict[str, Any]:
    """Frames per second of all trials, shares of the limits, and memory."""
    world = bench.world(row)
    state, actions = full_state(world, row.batch, row.chunk), actions_of(world, row)

    def step() -> None:
        nonlocal state
        state, _ = world.step(state, actions)

    for _ in range(WARM if row.way != "released" else 1):
        step()
    forget_peak(bench.device)
    took = seconds(step, bench.device, 2 if row.way != "released" else 1)
    frames = row.batch * row.chunk / took
    sampling = Sampling(row.steps, row.cfg, row.chunk, row.batch, bench.sampler.window)
    counted = parts(bench.network, sampling, decoder=False)
    return {
        "frames_per_second": frames,
        "seconds_a_chunk": took,
        # of the cached sampler, whichever way is timed: so ways compare
        "tflops": sum(p.flops for p in counted) * row.chunk / took / 1e12,
        "tbytes": sum(p.bytes for p in counted) * row.chunk / took / 1e12,
        "memory_gb": peak(bench.device),
    }


def decoder(bench: Bench, row: Row) -> dict[str, Any]:
    """Frames per second of a decoder of Stable Diffusion 3's shape, random weights."""
    torch.manual_seed(0)
    channels, side = bench.network.latent_shape[0], bench.network.latent_shape[1]
    width = 512 if bench.device != "cpu" else 32
    net = Decoder(channels, width).to(bench.device, number_format(row))
    net = net.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    latents = torch.randn(row.batch, channels, side, side).to(bench.device, number_format(row))
    with torch.inference_mode():
        net(latents)
        forget_peak(bench.device)
        took = seconds(lambda: net(latents), bench.device)
    return {"frames_per_second": row.batch / took, "memory_gb": peak(bench.device)}


def training(bench: Bench, row: Row) -> dict[str, Any]:
    """Clips per second of forward, backward and optimiser step; model FLOPs counted three times the
    forward pass, recomputation left out."""
    frozen_network.cache_clear()  # makes room
    network = random_network(bench.network, bench.device, number_format(row))
    network.checkpointing = True
    optimizer = Optimizer(network, OptimizerConfig(steps=10**6, warmup=1), ("blocks.",))
    schedule = make_schedule(bench.schedule)
    shape = (row.batch, bench.frames, *bench.network.latent_shape)
    x = torch.randn(shape, device=bench.device).to(number_format(row))
    actions = torch.zeros(*shape[:2], bench.network.action_size, device=bench.device)
    level = schedule.sample_levels(shape[:2], torch.Generator().manual_seed(0)).to(bench.device)
    step = 0

    def update() -> None:
        nonlocal step
        drawn = network(schedule.add_noise(x, x, level), level, actions, x[:, 0])
        torch.autograd.backward((drawn - x).float().square().mean())
        optimizer.step(step)
        step += 1

    update()
    forget_peak(bench.device)
    took = seconds(update, bench.device)
    flops = 3.0 * row.batch * bench.frames * bench.network.flops_per_frame
    return {
        "clips_per_second": row.batch / took,
        "tflops": flops / took / 1e12,
        "memory_gb": peak(bench.device),
    }


def forget_peak(device: str) -> None:
    if torch.device(device).type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak(device: str) -> float | None:
    """10^9 bytes that were held at most; None on a CPU."""
    held = torch.device(device).type == "cuda"
    return torch.cuda.max_memory_allocated(device) / 1e9 if held else None


def run(bench: Bench, out: Path, rows: list[Row], minutes: float) -> None:
    """See `do_rows`."""
    do_rows(out, rows, lambda row: measured(bench, row), bench.device, minutes)


def report(out: Path) -> str:
    """Markdown of all rows, with shares of the limits where these are known."""
    rows = read_rows(out)
    limit = [r["found"] for r in rows if r["asked"]["kind"] == "limits" and "found" in r]
    best: dict[str, float] = limit[0] if limit else {}
    lines = ["| row | device | found |", "| --- | --- | --- |"]
    for row in rows:
        asked = ", ".join(f"{key} {value}" for key, value in row["asked"].items() if key != "kind")
        found = dict(row.get("found", {"broke": row.get("broke")}))
        for key in ("tflops", "tbytes"):
            if best.get(key) and key in found and row["asked"]["kind"] != "limits":
                found[f"share of {key}"] = found[key] / best[key]
        told = ", ".join(
            f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
            for key, value in found.items()
        )
        lines.append(f"| {row['asked']['kind']}: {asked} | {row['device']} | {told} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--scale", type=int, default=16, help="as of gpu/roofline.py")
    parser.add_argument("--minutes", type=float, default=9.0, help="no row begins later")
    parser.add_argument("--only", nargs="+", default=[], help="kinds of rows")
    parser.add_argument("--report", action="store_true", help="print the rows so far")
    asked = parser.parse_args()
    if not asked.report:
        device = resolve_device(asked.device)
        network = published_network(asked.scale)
        bench = Bench(device, network, SAMPLERS["paper"], "sigmoid_v")
        rows = [row for row in planned() if not asked.only or row.kind in asked.only]
        run(bench, asked.out, rows, asked.minutes)
    print(report(asked.out))


if __name__ == "__main__":
    main()
