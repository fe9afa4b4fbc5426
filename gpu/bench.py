"""A lease of ten minutes on a GPU: every row that is asked of a card, the riskiest first, each
written down as soon as it is known.

    python gpu/bench.py OUT                       # on the card; call it again to go on
    python gpu/bench.py OUT --report              # the rows so far, as Markdown
    python gpu/bench.py OUT --only equality compile

Needs torch, numpy and safetensors. OUT/rows.jsonl holds a line a row: what was asked, what was
found, or why it broke. A row that broke is not tried again unless its line is removed; a row that
needs more memory than the card has says so, and the others go on.

equality  frames of the card against those of the CPU, float32 and bfloat16, both rules
compile   seconds that the first call of a shape takes, and graphs and breaks of torch.compile
rollout   frames per second: ours, our eager network, the released sampler's way (everything anew)
decoder   frames per second of a decoder of Stable Diffusion 3's shape
train     clips per second of a training step, and the share of the matrix rate that is used
limits    rate of a large product, and of a copy, which shares are shares of"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from roofline import Sampling, parts
from torch import Tensor, nn

from worldgym.io.devices import device_name, resolve_device
from worldgym.train.optimizer import Optimizer, OptimizerConfig
from worldgym.types import ActionSpec
from worldgym.world.compiled_dit import CompiledDiT
from worldgym.world.context import Context
from worldgym.world.model import DiffusionWorld
from worldgym.world.network import DiT
from worldgym.world.network_config import DiTConfig, published_network
from worldgym.world.noise import make_schedule
from worldgym.world.sampler import SAMPLERS, SamplerConfig
from worldgym.world.world_config import WorldConfig
from worldgym.world.world_state import WorldState

Way = Literal["ours", "eager", "released"]
ROWS_NAME = "rows.jsonl"
SPEC = ActionSpec(("x", "y", "z"), "delta_pose", "m", "none", "none", (-1.0,) * 3, (1.0,) * 3, 5.0)
WARM = 2  # chunks before those that are timed
SMALL = 2  # pairs of blocks of the network whose frames are compared with the CPU's
SECONDS = 3.0  # a row is timed for, at least two chunks


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
        engine = None if row.way == "ours" else network
        world = DiffusionWorld(
            config, network, Blank(self.network.latent_shape), "random", number_format(row), engine
        )
        released = {"cached": False, "rule": "recompute", "keep": 0}
        kept = released if row.way == "released" else {"rule": row.rule}
        return world.with_sampler(steps=row.steps, cfg=row.cfg, **kept)


@dataclass(frozen=True)
class Blank:
    """A codec that takes no time."""

    latent_shape: tuple[int, int, int]
    frame_shape: tuple[int, int, int] = (1, 1, 3)
    fingerprint: str = ""
    latents: str = ""

    def encode(self, frames: Tensor) -> Tensor:
        return torch.zeros(len(frames), *self.latent_shape, device=frames.device)

    def decode(self, latents: Tensor) -> Tensor:
        return torch.zeros(len(latents), *self.frame_shape, dtype=torch.uint8)


def number_format(row: Row) -> torch.dtype:
    found: torch.dtype = getattr(torch, row.dtype)
    return found


@lru_cache(maxsize=1)
def frozen_network(config: DiTConfig, device: str, dtype: torch.dtype) -> DiT:
    """For inference; small ones have the same weights on every device."""
    place = "cpu" if config.pairs <= SMALL else device
    return random_network(config, place).to(device, dtype).eval().requires_grad_(False)


def random_network(config: DiTConfig, device: str) -> DiT:
    """A network that does something: new ones begin as identity."""
    torch.manual_seed(0)
    with torch.no_grad(), torch.device(device):
        network = DiT(config)
        for parameter in network.parameters():
            if not parameter.any():
                parameter.normal_(std=0.02)
    return network


def planned() -> Iterator[Row]:
    """The riskiest first: what may break, then what matters most."""
    yield Row("limits")
    for dtype in ("float32", "bfloat16"):
        for rule in ("rolling", "recompute"):
            yield Row("equality", chunk=2, batch=2, steps=3, rule=rule, dtype=dtype)
    yield Row("equality", chunk=4, batch=2, cfg=3.0, steps=3, dtype="float32")
    yield Row("compile")
    yield Row("rollout")
    yield Row("rollout", batch=32)
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
    """What a row finds; what broke it goes on to the caller."""
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


def full_state(world: DiffusionWorld, rows: int, chunk: int) -> WorldState:
    """A state whose window is full once a chunk is added; the same numbers on every device."""
    c = world.config
    length = c.sampler.window - chunk
    generator = torch.Generator().manual_seed(1)
    latents = torch.randn(rows, length, *c.network.latent_shape, generator=generator)
    like = next(world.network.parameters())
    latents = latents.to(like)
    actions = torch.zeros(rows, length, c.network.action_size, device=like.device)
    moved = np.zeros((rows, c.scaling.sums, c.spec.size), np.float32)
    context = Context(latents, actions, latents[:, 0])
    return WorldState(context, None, 0, tuple(range(rows)), length, moved)


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
    """Seconds of the first step of a new shape, and of the same again; and what dynamo says."""
    from torch._dynamo.utils import counters

    counters.clear()
    world = bench.world(row)
    # a CPU only tries the path: inductor takes minutes there and gains nothing
    backend = "inductor" if next(world.network.parameters()).is_cuda else "eager"
    world = world.with_engine(CompiledDiT(world.network, backend))
    state, actions = full_state(world, row.batch, row.chunk), actions_of(world, row)
    times = []
    for _ in range(3):
        wait(bench.device)
        started = time.perf_counter()
        state, _ = world.step(state, actions)
        wait(bench.device)
        times.append(time.perf_counter() - started)
    told = {"graphs": counters["stats"]["unique_graphs"], "breaks": len(counters["graph_break"])}
    return {"first": times[0], "second": times[1], "third": times[2], **told}


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


class Decoder(nn.Module):
    """Convolutions and norms as in Stable Diffusion's decoder, without its attention: 2 % of the
    work. latents [B, C, h, w] => [B, 3, 8 h, 8 w]."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        widths = (width, width, width // 2, width // 4)
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1)]
        layers += [Residual(width, width), Residual(width, width)]
        before = width
        for level, now in enumerate(widths):
            layers += [Residual(before if i == 0 else now, now) for i in range(3)]
            before = now
            if level < 3:
                layers += [nn.Upsample(scale_factor=2.0), nn.Conv2d(now, now, 3, padding=1)]
        layers += [nn.GroupNorm(8, before), nn.SiLU(), nn.Conv2d(before, 3, 3, padding=1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, latents: Tensor) -> Tensor:
        found: Tensor = self.layers(latents)
        return found


class Residual(nn.Module):
    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.GroupNorm(8, into), nn.SiLU(), nn.Conv2d(into, out, 3, padding=1)
        )
        self.second = nn.Sequential(
            nn.GroupNorm(8, out), nn.SiLU(), nn.Conv2d(out, out, 3, padding=1)
        )
        self.beside = nn.Conv2d(into, out, 1) if into != out else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.second(self.first(x)) + self.beside(x)
        return found


def training(bench: Bench, row: Row) -> dict[str, Any]:
    """Clips per second of forward, backward and optimiser step; model FLOPs counted three times the
    forward pass, recomputation left out."""
    frozen_network.cache_clear()  # makes room
    network = random_network(bench.network, bench.device).to(number_format(row))
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


def read_rows(out: Path) -> list[dict[str, Any]]:
    """A torn last line, of a lease that ended in it, is left out."""
    path = out / ROWS_NAME
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def run(bench: Bench, out: Path, rows: list[Row], minutes: float) -> None:
    """Does what OUT lacks, until the minutes are over; a row that has begun is finished."""
    out.mkdir(parents=True, exist_ok=True)
    found = read_rows(out)
    whole = "".join(json.dumps(line) + "\n" for line in found)
    (out / ROWS_NAME).write_text(whole, encoding="utf-8")
    done = [line["asked"] for line in found]
    ends = time.monotonic() + 60.0 * minutes
    for row in dict.fromkeys(rows):
        if asdict(row) in done or time.monotonic() > ends:
            continue
        started = time.perf_counter()
        line: dict[str, Any] = {"asked": asdict(row), "device": device_name(bench.device)}
        try:
            line["found"] = measured(bench, row)
        except Exception as error:  # a row that breaks must not end the lease
            line["broke"] = " ".join(f"{type(error).__name__}: {error}".split())[:500]
        line["seconds"] = round(time.perf_counter() - started, 2)
        with (out / ROWS_NAME).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(json.dumps(line), file=sys.stderr, flush=True)
        gc.collect()
        if torch.device(bench.device).type == "cuda":
            torch.cuda.empty_cache()


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
