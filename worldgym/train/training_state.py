"""What a training run keeps on disk to continue from, and the settings it must be resumed with."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from worldgym.errors import CheckpointError, InputError
from worldgym.io.devices import CPU
from worldgym.io.files import read_json, write_json

DEVICE = "device"  # in run.json: the kind on which the run began or last continued


def hold_settings(
    out: Path, settings: Mapping[str, str], device: str = CPU, other_device: bool = False
) -> None:
    """OUT/run.json: what a run must be resumed with. InputError if OUT holds a run with other
    settings, or of another kind of device, which rounds otherwise.

    settings: "" stands for one that the run is without, as runs from before there was such a one.
    other_device: it may continue there, with a message on standard error."""
    path = out / "run.json"
    kind = torch.device(device).type
    if path.exists():
        found = read_json(path, "a training run")
        _check_device(out, found.get(DEVICE, kind), kind, other_device)
        if different := [key for key in settings if found.get(key, "") != settings[key]]:
            raise InputError(
                f"{out} holds a run with another {different[0]}: resume with the same settings or "
                f"choose a new --out"
            )
    write_json(path, {**settings, DEVICE: kind})


def _check_device(out: Path, began: str, now: str, allowed: bool) -> None:
    if began == now:
        return
    if not allowed:
        raise InputError(
            f"{out} holds a training that began on {began}, and on {now} numbers round otherwise: "
            f"give --device {began}, choose a new --out, or give --other-device to continue here"
        )
    print(f"{out}: began on {began}, and continues on {now}", file=sys.stderr)


class BackgroundSaver:
    """Runs one piece of work at a time in the background, in order. An error is raised by the next
    call, or at the end."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "save")
        self._running: Future[None] | None = None

    def __enter__(self) -> BackgroundSaver:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._pool.shutdown(wait=True)
        if kind is None:
            self._settle()

    def save(self, path: Path, step: int, tensors: dict[str, Tensor]) -> None:
        """`save_state` of the tensors as they are now. Waits for the state before."""
        self._settle()
        copies = {name: value.detach().to("cpu", copy=True) for name, value in tensors.items()}
        self._running = self._pool.submit(save_state, path, step, copies)

    def _settle(self) -> None:
        running = self._running
        self._running = None
        if running is not None:
            running.result()


def save_state(path: Path, step: int, tensors: dict[str, Tensor]) -> None:
    """Atomic: a run killed while writing resumes from the state before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    save_file(
        {name: value.contiguous() for name, value in tensors.items()}
        | {"step": torch.tensor(step)},
        temporary,
    )
    os.replace(temporary, path)


def load_state(path: Path) -> tuple[int, dict[str, Tensor]] | None:
    """(step, tensors) of a run to resume, or None where there is none."""
    if not path.exists():
        return None
    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise CheckpointError(
            f"{path}: not a readable training state ({error}); delete it to start again"
        ) from error
    return int(tensors.pop("step")), tensors
