"""Eager or compiled: what draws the frames of a world of ours, decided once before the first one.

Compiling takes minutes, once on a machine; what it gains is measured here, on the sizes that are
asked for, before anything is left to it. On a CPU nothing is tried: whole steps gained nothing
there (docs/performance.md)."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch

from worldgym.errors import InputError
from worldgym.native.compiled_module import NotKept
from worldgym.world.model import DiffusionWorld

Engine = Literal["auto", "eager", "compiled"]
COMPILED = "compiled torch"  # begins what a log says of the engine
WARM, TIMED = 2, 4  # steps
# assumed where nothing is kept from an earlier start; not measured on a GPU yet
COMPILE_SECONDS = 90.0  # a program
FASTER = 1.5
BOUND = 0.05  # relative distance of the latents of both: of two roundings to bfloat16 at most


@dataclass(frozen=True)
class Work:
    """What is to be drawn: frames of all trials and views, rows of a batch, lengths of chunks."""

    frames: int
    rows: int
    chunks: tuple[int, ...]


def known_engine(asked: str) -> Engine:
    """InputError for another word."""
    for engine in get_args(Engine):
        if engine == asked:
            found: Engine = engine
            return found
    raise InputError(f'there is no engine "{asked}": it is auto, eager or compiled')


def engine_told(told: object) -> Engine:
    """Of a run that has begun, by what its log says; "auto" where it says nothing."""
    if not isinstance(told, str):
        return "auto"
    return "compiled" if told.startswith(COMPILED) else "eager"


def on_engine(world: DiffusionWorld, asked: Engine, work: Work | None = None) -> DiffusionWorld:
    """The world as it draws from now on. "auto" is compiled on a CUDA GPU where that is measured to
    be faster, or assumed to be repaid by the work; which, and why, is told on standard error.

    work: None = unknown, and then auto is eager."""
    if asked == "compiled":
        return world.compiled()
    if asked == "eager" or work is None or not world.device.startswith("cuda"):
        return world
    return _measured(world, work)


def _measured(world: DiffusionWorld, work: Work) -> DiffusionWorld:
    eager = _timed(world, work)
    try:
        compiled, fault = _tried(world.compiled("kept"), eager, work)
    except NotKept:
        programs = len(work.chunks) * 2  # network and decoder
        seconds = COMPILE_SECONDS * programs
        repaid = seconds / (eager.seconds * (1 - 1 / FASTER))
        told = (
            f"{eager.seconds:.2g} s a frame eager (measured); assumed: {seconds:.0f} s to compile, "
            f"then {FASTER:g} times as fast, repaid by {repaid:.0f} frames of {work.frames} planned"
        )
        if repaid > work.frames:
            _say("eager", told)
            return world
        _say("compiled", told)
        compiled, fault = _tried(world.compiled(), eager, work)
    return world if fault else compiled


@dataclass(frozen=True)
class Timed:
    """seconds: a frame of a trial, the mean over the lengths of chunks.   latents: float32, of the
    last step of the first length."""

    seconds: float
    latents: torch.Tensor


def _tried(world: DiffusionWorld, eager: Timed, work: Work) -> tuple[DiffusionWorld, bool]:
    """The compiled world, and whether it must not be used: it is slower, or draws something else.
    Both are told."""
    try:
        found = _timed(world, work)
    except InputError as error:
        _say("eager", str(error))
        return world, True
    gap = float((found.latents - eager.latents).norm() / eager.latents.norm())
    told = (
        f"{eager.seconds:.2g} s a frame eager, {found.seconds:.2g} compiled (measured), "
        f"latents {gap:.1g} apart"
    )
    fault = found.seconds >= eager.seconds or not gap <= BOUND
    _say("eager" if fault else "compiled", told)
    return world, fault


def _timed(world: DiffusionWorld, work: Work) -> Timed:
    """Some steps of each length behind black frames."""
    seconds = []
    latents = []
    shape = (work.rows, len(world.views), *world.frame_shape)
    for chunk in work.chunks:
        state = world.reset(np.zeros(shape, np.uint8), range(work.rows))
        actions = np.zeros((work.rows, chunk, world.spec.size), np.float32)
        started = 0.0
        for number in range(WARM + TIMED):
            if number == WARM:
                started = time.perf_counter()
            state, _ = world.step(state, actions)  # its frames lie on the host: it has ended
        seconds.append((time.perf_counter() - started) / (TIMED * chunk * work.rows))
        latents.append(state.context.latents[:, -chunk:].float().cpu())
    return Timed(float(np.mean(seconds)), latents[0])


def _say(engine: str, told: str) -> None:
    print(f"engine: {engine}; {told}", file=sys.stderr)


def lengths(chunks: Sequence[int], longest: int) -> tuple[int, ...]:
    """Lengths that the chunks of policies are drawn in, where no chunk is longer than that."""
    whole = {min(chunk, longest) for chunk in chunks}
    return tuple(sorted(whole | {chunk % longest for chunk in chunks if chunk % longest}))
