"""What every training loop here needs once: optimiser, learning rate, moving average, and a state
that resumes exactly.

Batches and noise are functions of (seed, step), so the state is tensors and a step number: no
generator to save."""

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
from worldgym.io.files import read_json, write_json
from worldgym.train.processes import ALONE, Deal, Ranks

# iterations with which Muon makes a matrix orthogonal (https://kellerjordan.github.io/posts/muon/)
NEWTON_SCHULZ = 5
DECAY_SHARE = 0.6  # of the run, at its end: the learning rate falls to zero along a half cosine


@dataclass(frozen=True)
class OptimizerConfig:
    """lr: AdamW's.   muon_lr: for matrices inside the network (0 = AdamW for everything).   ema: of
    the weights, per step."""

    steps: int
    lr: float = 1e-3
    muon_lr: float = 0.0
    weight_decay: float = 0.01
    warmup: int = 100
    ema: float = 0.999
    clip: float = 1.0


class Optimizer:
    """float32 master weights behind a model that may live in bf16, with AdamW, Muon for matrices,
    and an EMA.

    A model in bf16 throughout beats autocast on a CPU: no weight is cast twice and no activation
    returns to float32. Processes that train together deal the weights out: master, moments and EMA
    of a weight are held and moved by one of them (ZeRO, arXiv 1910.02054, stage 1), which gets its
    gradients from the others and sends them the weight."""

    def __init__(
        self,
        model: nn.Module,
        config: OptimizerConfig,
        matrices: Iterable[str] = (),
        ranks: Ranks = ALONE,
    ) -> None:
        """matrices: prefixes of the parameter names that Muon takes if they are two-dimensional.

        ranks: the processes that train the same model, each with the gradients of its rows of a
        batch; all take every step."""
        self.config, self.ranks, self.model_parameters = (
            config,
            ranks,
            dict(model.named_parameters()),
        )
        names, prefixes = list(self.model_parameters), tuple(matrices)
        shapes = {name: p.shape for name, p in self.model_parameters.items()}
        chosen = [
            n for n in names if config.muon_lr and len(shapes[n]) == 2 and n.startswith(prefixes)
        ]
        self._names = {"adam": [name for name in names if name not in set(chosen)], "muon": chosen}
        costs = [
            orthogonal_work(shapes[name]) if name in set(chosen) else shapes[name].numel()
            for name in names
        ]
        deal = Deal.of([shapes[name].numel() for name in names], costs, ranks.count)
        self._owner, self._place = (
            dict(zip(names, deal.owners, strict=True)),
            dict(zip(names, deal.places, strict=True)),
        )
        own = {
            name: p for name, p in self.model_parameters.items() if self._owner[name] == ranks.rank
        }
        self.master = {name: p.detach().float().clone().requires_grad_() for name, p in own.items()}
        self.ema = {name: p.detach().clone() for name, p in self.master.items()}
        some = self.model_parameters[names[0]]
        self.letters = torch.zeros(ranks.count, deal.length, dtype=some.dtype, device=some.device)
        self.gradients = torch.zeros(sum(p.numel() for p in own.values()), device=some.device)
        self.optimizers = {key: self._optimizer(key) for key in self._names if self._own(key)}

    def step(self, step: int) -> float:
        """Takes the gradients of the model, moves the master weights, and returns the gradients'
        norm before clipping."""
        self._take_gradients()
        norm = math.sqrt(self.ranks.total(torch.linalg.vector_norm(self.gradients).square()))
        if norm > self.config.clip:
            self.gradients *= self.config.clip / norm
        for key, optimizer in self.optimizers.items():
            peak = self.config.lr if key == "adam" else self.config.muon_lr
            for group in optimizer.param_groups:
                group["lr"] = peak * rate(step, self.config.steps, self.config.warmup)
            optimizer.step()
        decay = min(self.config.ema, (1 + step) / (10 + step))
        if self.ema:
            torch._foreach_lerp_(
                list(self.ema.values()), [p.detach() for p in self.master.values()], 1 - decay
            )
        self._publish()
        return norm

    def tensors(self) -> dict[str, Tensor]:
        """Everything that a resumed run needs, whatever the number of its processes. All processes
        must ask for it."""
        flat = {f"master/{name}": value.detach() for name, value in self.master.items()}
        flat |= {f"ema/{name}": value for name, value in self.ema.items()}
        for key, optimizer in self.optimizers.items():
            own = self._own(key)
            for index, state in optimizer.state_dict()["state"].items():
                flat |= {
                    f"{key}/{self._names[key].index(own[index])}/{name}": value
                    for name, value in state.items()
                }
        return self.ranks.merge(flat)

    def load(self, tensors: dict[str, Tensor]) -> None:
        for kind, held in (("master", self.master), ("ema", self.ema)):
            for name, value in held.items():
                value.data.copy_(tensors[f"{kind}/{name}"])
        for key, optimizer in self.optimizers.items():
            own = self._own(key)
            state: dict[int, dict[str, Tensor]] = {}
            for name, value in tensors.items():
                kind, *rest = name.split("/")
                if kind == key and (weight := self._names[key][int(rest[0])]) in own:
                    state.setdefault(own.index(weight), {})[rest[1]] = value
            optimizer.load_state_dict(
                {"state": state, "param_groups": optimizer.state_dict()["param_groups"]}
            )
        self._publish()

    def _own(self, key: str) -> list[str]:
        """Names of the weights that this process moves with that optimiser, in its order."""
        return [name for name in self._names[key] if name in self.master]

    def _optimizer(self, key: str) -> torch.optim.Optimizer:
        weights, c = [self.master[name] for name in self._own(key)], self.config
        if key == "adam":
            return torch.optim.AdamW(weights, c.lr, betas=(0.9, 0.99), weight_decay=c.weight_decay)
        # arXiv 2502.16982: as long as AdamW's steps
        return torch.optim.Muon(
            weights,
            c.muon_lr,
            c.weight_decay,
            ns_steps=NEWTON_SCHULZ,
            adjust_lr_fn="match_rms_adamw",
        )

    def _take_gradients(self) -> None:
        """Of the own weights, averaged over all processes in float32. One without a gradient stays
        as it is."""
        for name, parameter in self.model_parameters.items():
            letter = self.letters[self._owner[name], self._place[name]]
            if parameter.grad is None:
                letter.zero_()
            else:
                letter.copy_(parameter.grad.flatten())
            if (weight := self.master.get(name)) is not None:
                weight.grad = (
                    None
                    if parameter.grad is None
                    else self.gradients[self._place[name]].view_as(parameter)
                )
            parameter.grad = None
        first, *others = self.ranks.exchange(self.letters)[:, : len(self.gradients)]
        self.gradients.copy_(first)
        for other in others:
            self.gradients += other
        self.gradients /= self.ranks.count

    @torch.no_grad()
    def _publish(self) -> None:
        """The weights go to the model, in every process."""
        letter = self.letters[self.ranks.rank]
        for name, weight in self.master.items():
            letter[self._place[name]] = weight.flatten()
        everyones = self.ranks.gather(letter)
        for name, parameter in self.model_parameters.items():
            parameter.copy_(everyones[self._owner[name], self._place[name]].view_as(parameter))


def averaged(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The moving averages in the state of an optimiser, by the names of the model's parameters."""
    return {
        name.removeprefix("ema/"): value
        for name, value in tensors.items()
        if name.startswith("ema/")
    }


def orthogonal_work(shape: torch.Size) -> int:
    """Multiplications of one of Muon's iterations on a matrix."""
    small, large = sorted(shape)
    return 2 * small**2 * large + small**3


def hold_settings(
    out: Path, settings: Mapping[str, str], defaults: Mapping[str, str] | None = None
) -> None:
    """OUT/run.json: what a run must be resumed with. InputError if OUT holds a run with other
    settings.

    defaults: of a run begun before a setting existed.
    """
    path = out / "run.json"
    if path.exists():
        found = dict(defaults or {}) | read_json(path, "a training run")
        if different := [key for key in settings if found.get(key) != settings[key]]:
            raise InputError(
                f"{out} holds a run with another {different[0]}: resume with the same settings or "
                f"choose a new --out"
            )
    write_json(path, dict(settings))


class Clock:
    """Clips per second and the rate of matrix products, since it was made. flops: of a step."""

    def __init__(self, batch: int, flops: float) -> None:
        self.batch, self.flops, self.steps, self.started = batch, flops, 0, time.perf_counter()

    def tick(self) -> None:
        self.steps += 1

    def read(self) -> dict[str, float]:
        seconds = (time.perf_counter() - self.started) / self.steps
        return {
            "clips_per_second": self.batch / seconds,
            "matmul_tflops": self.flops / seconds / 1e12,
        }


def rate(step: int, steps: int, warmup: int) -> float:
    """Share of the peak learning rate: linear warm-up, a plateau, then a half cosine down to
    zero."""
    decay = int(steps * DECAY_SHARE)
    up = min(1.0, (step + 1) / max(warmup, 1))
    left = max(0.0, min(1.0, (steps - step) / max(decay, 1)))
    return up * 0.5 * (1.0 - math.cos(math.pi * left))


class BackgroundSaver:
    """Runs one piece of work at a time beside the training, in order. What fails is raised by the
    next call, or at the end."""

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
        running, self._running = self._running, None
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
            f"{path}: not a readable training state ({error}); delete it to start anew"
        ) from error
    return int(tensors.pop("step")), tensors
