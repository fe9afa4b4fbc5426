"""One world drawn by every engine: rows differ in the engine alone.

    python benchmarks/engines.py OUT                        # what OUT lacks; call again to continue
    python benchmarks/engines.py OUT --rows eager package   # of these engines alone
    python benchmarks/engines.py OUT --report               # appends the table to RESULTS.md

plain     the published sampler: the whole window again at every network call
eager     keys and values kept, operation by operation
compiled  machine code for the batch's size, compiled now: into an empty folder
package   the same, kept by an earlier start (by this one, where there is none)

Sizes: the bundled world, and a network of 109 M parameters and random weights at 128 x 128 pixels,
without a codec. Frames per second of all trials together on all cores, behind a full window, the
median of some chunks. Ratios hold within one run on one machine."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from machine import note

from worldgym.io.benchmark_rows import do_rows, read_rows
from worldgym.io.bundled import BUNDLE
from worldgym.io.devices import resolve_device
from worldgym.native.memory import keep_freed_memory
from worldgym.testing import FAKE_SPEC
from worldgym.world.model import DiffusionWorld
from worldgym.world.network_config import published_network
from worldgym.world.random_world import BlankCodec, full_state, random_network
from worldgym.world.row_threads import SplitWorld, on_all_cores
from worldgym.world.sampler import SamplerConfig
from worldgym.world.world_checkpoint import load_diffusion_world
from worldgym.world.world_config import WorldConfig

ENGINES = ("plain", "eager", "compiled", "package")
SIZES = ("bundled", "109m")
PLAIN = {"cached": False, "keep": 0, "rule": "recompute"}
SECONDS = 4.0  # a row is timed for, at least LEAST chunks of one frame
LEAST = 3
SLOW = 8  # trials of the plain sampler, at most: they are minutes


@dataclass(frozen=True)
class EngineRow:
    engine: str
    size: str
    steps: int
    batch: int


def planned() -> Iterator[EngineRow]:
    for size in SIZES:
        for steps in (1, 10):
            for batch in (1, 8, 32):
                for engine in ENGINES:
                    if engine != "plain" or batch <= SLOW:
                        yield EngineRow(engine, size, steps, batch)


@cache
def world_of(size: str, device: str) -> DiffusionWorld:
    if size == "bundled":
        return load_diffusion_world(BUNDLE / "world", device=device)
    network = replace(published_network(9), latent_shape=(16, 16, 16))
    sampler = SamplerConfig(window=20, keep=8, rule="rolling")
    config = WorldConfig(FAKE_SPEC, network, sampler, "sigmoid_v", {}, "", "action")
    codec = BlankCodec(network.latent_shape)
    dtype = torch.bfloat16
    return DiffusionWorld(config, random_network(network, device, dtype), codec, "random", dtype)


def drawn_by(row: EngineRow, world: DiffusionWorld) -> DiffusionWorld:
    world = world.with_sampler(steps=row.steps)
    if row.engine == "plain":
        return world.with_sampler(**PLAIN)
    return world if row.engine == "eager" else world.compiled()


@contextmanager
def kept_nowhere() -> Iterator[None]:
    """Programs are compiled, and forgotten afterwards."""
    before = os.environ.get("XDG_CACHE_HOME")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        try:
            yield
        finally:
            os.environ.pop("XDG_CACHE_HOME")
            if before is not None:
                os.environ["XDG_CACHE_HOME"] = before


def measured(row: EngineRow, device: str) -> dict[str, Any]:
    """first: seconds of the first chunk, in which programs are compiled or loaded."""
    world = drawn_by(row, world_of(row.size, device))
    if row.engine == "package":
        once(row, world)  # kept from now on
        world = drawn_by(row, world_of(row.size, device))
    if row.engine != "compiled":
        return once(row, world)
    with kept_nowhere():
        return once(row, world)


def once(row: EngineRow, world: DiffusionWorld) -> dict[str, Any]:
    # what divides rows leaves one trial on one core, and the baseline may use all (performance.md)
    alone = row.engine == "plain" and row.batch == 1
    spread = world if alone else on_all_cores(world)
    threads = torch.get_num_threads() if isinstance(spread, SplitWorld) else 1
    parts = np.array_split(np.arange(row.batch), min(threads, row.batch))
    states = tuple(full_state(world, len(part), 1) for part in parts)
    state: Any = states if isinstance(spread, SplitWorld) else states[0]
    actions = np.zeros((row.batch, 1, world.spec.size), np.float32)
    times: list[float] = []
    while len(times) < 1 + LEAST or sum(times[1:]) < SECONDS:
        started = time.perf_counter()
        state, _ = spread.step(state, actions)
        times.append(time.perf_counter() - started)
    return {"frames_per_second": row.batch / median(times[1:]), "first": times[0]}


def table(rows: list[dict[str, Any]]) -> list[str]:
    """A line for each size, steps and batch."""
    lines = [
        "| size | steps | trials | plain | eager | compiled | package | compiled / eager | "
        "eager / plain of one trial | first chunk: compiled, s | package, s |",
        "|" + " --- |" * 11,
    ]
    found = {EngineRow(**row["asked"]): row.get("found", {}) for row in rows}
    for size, steps, batch in dict.fromkeys((r.size, r.steps, r.batch) for r in found):
        each = {e: found.get(EngineRow(e, size, steps, batch), {}) for e in ENGINES}
        rate = {engine: told.get("frames_per_second") for engine, told in each.items()}
        alone = found.get(EngineRow("plain", size, steps, 1), {}).get("frames_per_second")
        fast = rate["package"] or rate["compiled"]
        numbers = [
            *(rate[engine] for engine in ENGINES),
            fast / rate["eager"] if fast and rate["eager"] else None,
            rate["eager"] / alone if alone and rate["eager"] else None,
            each["compiled"].get("first"),
            each["package"].get("first"),
        ]
        cells = ["" if number is None else f"{number:.3g}" for number in numbers]
        lines.append(f"| {' | '.join([size, str(steps), str(batch), *cells])} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--rows", nargs="+", default=list(ENGINES), choices=ENGINES)
    parser.add_argument("--sizes", nargs="+", default=list(SIZES), choices=SIZES)
    parser.add_argument("--steps", nargs="+", type=int, default=[1, 10])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8, 32])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--minutes", type=float, default=60.0, help="no row begins later")
    parser.add_argument("--report", action="store_true")
    asked = parser.parse_args()
    if asked.report:
        title = "Engines: `python benchmarks/engines.py OUT`"
        return note(title, [*table(read_rows(asked.out)), "", "Frames per second."])
    keep_freed_memory()
    device = resolve_device(asked.device)
    rows = [
        row
        for row in planned()
        if row.engine in asked.rows
        and row.size in asked.sizes
        and row.steps in asked.steps
        and row.batch in asked.batches
    ]
    do_rows(asked.out, rows, lambda row: measured(row, device), device, asked.minutes)


if __name__ == "__main__":
    main()
