"""What every training loop here needs once: optimiser, learning rate, moving average, and a state that resumes exactly.

Batches and noise are functions of (seed, step), so the state is tensors and a step number: no generator to save.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from worldgym.errors import CheckpointError, InputError
from worldgym.files import read_json, write_json
from worldgym.muon import Muon
from worldgym.ranks import ALONE, Ranks

DECAY_SHARE = 0.6  # of the run, at its end: the learning rate falls to zero along a half cosine


@dataclass(frozen=True)
class OptimizerConfig:
    """lr: AdamW's.   muon_lr: for matrices inside the network (0 = AdamW for everything).   ema: of the weights, per step."""

    steps: int
    lr: float = 1e-3
    muon_lr: float = 0.0
    weight_decay: float = 0.01
    warmup: int = 100
    ema: float = 0.999
    clip: float = 1.0


class Optimizer:
    """float32 master weights behind a model that may live in bf16, with AdamW, Muon for matrices, and an EMA.

    A model in bf16 throughout beats autocast on a CPU: no weight is cast twice and no activation returns to float32.
    """

    def __init__(self, model: nn.Module, config: OptimizerConfig, matrices: Iterable[str] = (), ranks: Ranks = ALONE) -> None:
        """matrices: prefixes of the parameter names that Muon takes if they are two-dimensional.

        ranks: the processes that train the same model, each with the gradients of its rows of a batch; all take every step.
        """
        self.config, self.model_parameters = config, dict(model.named_parameters())
        self.master = {name: p.detach().float().clone().requires_grad_() for name, p in self.model_parameters.items()}
        self.ema = {name: p.detach().clone() for name, p in self.master.items()}
        self.ranks, sizes = ranks, [p.numel() for p in self.master.values()]
        self.gradients = torch.zeros(sum(sizes), device=next(iter(self.master.values())).device)
        self._parts = dict(zip(self.master, self.gradients.split(sizes), strict=True))
        prefixes = tuple(matrices)
        chosen = [n for n, p in self.master.items() if config.muon_lr and p.ndim == 2 and n.startswith(prefixes)]
        rest = [self.master[name] for name in self.master if name not in set(chosen)]
        adam = torch.optim.AdamW(rest, config.lr, betas=(0.9, 0.99), weight_decay=config.weight_decay)
        self.optimizers: dict[str, torch.optim.Optimizer] = {"adam": adam}
        if chosen:
            self.optimizers["muon"] = Muon([self.master[n] for n in chosen], config.muon_lr, config.weight_decay, ranks)

    def step(self, step: int) -> float:
        """Takes the gradients of the model, moves the master weights, and returns the gradients' norm before clipping."""
        self._take_gradients()
        norm = float(torch.linalg.vector_norm(self.gradients))
        if norm > self.config.clip:
            self.gradients *= self.config.clip / norm
        for key, optimizer in self.optimizers.items():
            peak = self.config.lr if key == "adam" else self.config.muon_lr
            for group in optimizer.param_groups:
                group["lr"] = peak * rate(step, self.config.steps, self.config.warmup)
            optimizer.step()
        self._publish(step)
        return norm

    def _take_gradients(self) -> None:
        """Of the model, averaged over all processes in float32."""
        for name, parameter in self.model_parameters.items():
            if parameter.grad is None:
                self.master[name].grad = None
                self._parts[name].zero_()
            else:
                self.master[name].grad = self._parts[name].view_as(parameter).copy_(parameter.grad)
                parameter.grad = None
        self.ranks.average(self.gradients)

    @torch.no_grad()
    def _publish(self, step: int) -> None:
        decay = min(self.config.ema, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.ema.values()), list(self.master.values()), 1 - decay)
        for name, parameter in self.model_parameters.items():
            parameter.copy_(self.master[name])

    def tensors(self) -> dict[str, Tensor]:
        """Everything that a resumed run needs."""
        flat = {f"master/{name}": value.detach() for name, value in self.master.items()}
        flat |= {f"ema/{name}": value for name, value in self.ema.items()}
        for key, optimizer in self.optimizers.items():
            for index, state in optimizer.state_dict()["state"].items():
                flat |= {f"{key}/{index}/{name}": value for name, value in state.items()}
        return flat

    def load(self, tensors: dict[str, Tensor]) -> None:
        for kind, own in (("master", self.master), ("ema", self.ema)):
            for name, value in own.items():
                value.data.copy_(tensors[f"{kind}/{name}"])
        for key, optimizer in self.optimizers.items():
            state: dict[int, dict[str, Tensor]] = {}
            for name, value in tensors.items():
                kind, *rest = name.split("/")
                if kind == key:
                    state.setdefault(int(rest[0]), {})[rest[1]] = value
            optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
        with torch.no_grad():
            for name, parameter in self.model_parameters.items():
                parameter.copy_(self.master[name])


def hold_settings(out: Path, settings: Mapping[str, str], defaults: Mapping[str, str] | None = None) -> None:
    """OUT/run.json: what a run must be resumed with. InputError if OUT holds a run with other settings.

    defaults: of a run begun before a setting existed.
    """
    path = out / "run.json"
    if path.exists():
        found = dict(defaults or {}) | read_json(path, "a training run")
        if different := [key for key in settings if found.get(key) != settings[key]]:
            raise InputError(
                f"{out} holds a run with another {different[0]}: resume with the same settings or choose a new --out"
            )
    write_json(path, dict(settings))


class Clock:
    """Clips a second and the rate of matrix products, since it was made. flops: of a step."""

    def __init__(self, batch: int, flops: float) -> None:
        self.batch, self.flops, self.steps, self.started = batch, flops, 0, time.perf_counter()

    def tick(self) -> None:
        self.steps += 1

    def read(self) -> dict[str, float]:
        seconds = (time.perf_counter() - self.started) / self.steps
        return {"clips_per_second": self.batch / seconds, "matmul_tflops": self.flops / seconds / 1e12}


def rate(step: int, steps: int, warmup: int) -> float:
    """Share of the peak learning rate: linear warm-up, a plateau, then a half cosine down to zero."""
    decay = int(steps * DECAY_SHARE)
    up = min(1.0, (step + 1) / max(warmup, 1))
    left = max(0.0, min(1.0, (steps - step) / max(decay, 1)))
    return up * 0.5 * (1.0 - math.cos(math.pi * left))


class Background:
    """Runs one piece of work at a time beside the training, in order. What fails is raised by the next call, or at the end."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "save")
        self._running: Future[None] | None = None

    def __enter__(self) -> Background:
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
        running, self._running = self._running, None
        if running is not None:
            running.result()


def save_state(path: Path, step: int, tensors: dict[str, Tensor]) -> None:
    """Atomic: a run killed while writing resumes from the state before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    save_file({name: value.contiguous() for name, value in tensors.items()} | {"step": torch.tensor(step)}, temporary)
    os.replace(temporary, path)


def load_state(path: Path) -> tuple[int, dict[str, Tensor]] | None:
    """(step, tensors) of a run to resume, or None where there is none."""
    if not path.exists():
        return None
    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise CheckpointError(f"{path}: not a readable training state ({error}); delete it to start anew") from error
    return int(tensors.pop("step")), tensors
