"""The one training loop: steps, progress, checkpoints and resumption.

A recipe gives it a model, a loss that is a function of the step, and what to do at a checkpoint.
Batches and noise depend on (seed, step) alone, so a stopped and resumed run equals an uninterrupted
one bit by bit."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from worldgym.io.progress import progress
from worldgym.native.processor import mixed_precision
from worldgym.train.distributed import SINGLE_PROCESS, ProcessGroup
from worldgym.train.optimizer import Optimizer, OptimizerConfig, averaged
from worldgym.train.training_state import BackgroundSaver, load_state

REPORT_EVERY = 50  # steps
FINAL = 100  # steps over which the final loss is averaged
BUFFERS = "buffers/"


@dataclass(frozen=True)
class Trained:
    """A model after `step` steps. weights: their moving averages, by name of the parameter.

    losses: of every step since the loop began or resumed."""

    step: int
    weights: dict[str, Tensor]
    losses: list[float]

    @property
    def final_loss(self) -> float:
        """Mean over the last steps; 0 where there were none."""
        last = self.losses[-FINAL:]
        return sum(last) / max(len(last), 1)

    @torch.no_grad()
    def put_into(self, model: nn.Module) -> None:
        """The averaged weights become those of the model."""
        for name, parameter in model.named_parameters():
            parameter.copy_(self.weights[name])


Report = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class LoopOptions:
    """save_at: steps after which the state is saved and `checkpoint` called (see `save_steps`).

    state: file of the state to continue from; None = a training that is always started again.
    checkpoint: called in the first process with the model as trained so far.
    report: called in the first process every 50 steps with (step, scalars); None = a progress bar
    called `name` there.
    batch, unit: samples of a step, and what one is called, for "UNITs_per_second" of the scalars.
    flops: of a step's matrix products, for "matmul_tflops"; 0 = not said.
    matrices: see `Optimizer`.   autocast: the loss is computed in bfloat16 where that is safe:
    measured 3 times faster than float32 for small networks on a CPU with AMX."""

    name: str
    save_at: Collection[int] = ()
    state: Path | None = None
    checkpoint: Callable[[Trained], None] | None = None
    report: Report | None = None
    batch: int = 1
    unit: str = "step"
    flops: float = 0.0
    matrices: tuple[str, ...] = ()
    autocast: bool = False
    group: ProcessGroup = field(default=SINGLE_PROCESS)


def training_loop(
    model: nn.Module,
    loss_at: Callable[[int], Tensor],
    config: OptimizerConfig,
    options: LoopOptions,
) -> Trained:
    """Trains `model` in place for the steps of `config`, from where `options.state` stopped.

    loss_at(step): of this process's rows of the batch.   => the moving averages; the model keeps
    the weights of the last step."""
    optimizer = Optimizer(model, config, options.matrices, options.group)
    first = _resume(model, optimizer, options.state)
    device = next(model.parameters()).device.type
    losses = list[float]()
    speed = Speed(options)
    with BackgroundSaver() as background:
        for step in _steps(range(first, config.steps), options):
            with mixed_precision(device) if options.autocast else nullcontext():
                loss = loss_at(step)
            torch.autograd.backward(loss)
            norm = optimizer.step(step)
            losses.append(loss.item())
            speed.count()
            if options.report and options.group.first and (step + 1) % REPORT_EVERY == 0:
                scalars = {"loss": losses[-1], "gradient_norm": norm, **speed.read()}
                options.report(step + 1, scalars)
            if step + 1 in options.save_at:
                tensors = optimizer.tensors()
                if options.group.first and options.state is not None:
                    background.save(options.state, step + 1, tensors | _buffers(model))
                if options.group.first and options.checkpoint is not None:
                    weights = {name: value.clone() for name, value in averaged(tensors).items()}
                    options.checkpoint(Trained(step + 1, weights, list(losses)))
                speed = Speed(options)
    return Trained(config.steps, averaged(optimizer.tensors()), losses)


def save_steps(every: int, steps: int) -> frozenset[int]:
    """Every so many steps, and at the end."""
    return frozenset({*range(every, steps, every), steps})


class Speed:
    """Samples per second and the rate of matrix products, since it was made."""

    def __init__(self, options: LoopOptions) -> None:
        self.options = options
        self.steps = 0
        self.started = time.perf_counter()

    def count(self) -> None:
        self.steps += 1

    def read(self) -> dict[str, float]:
        seconds = (time.perf_counter() - self.started) / self.steps
        options = self.options
        found = {f"{options.unit}s_per_second": options.batch / seconds}
        return found | ({"matmul_tflops": options.flops / seconds / 1e12} if options.flops else {})


def _steps(steps: range, options: LoopOptions) -> Iterable[int]:
    if options.report or not options.group.first:
        return steps
    return progress(steps, len(steps), options.name, "step")


def _resume(model: nn.Module, optimizer: Optimizer, state: Path | None) -> int:
    """=> the first step to take."""
    if state is None or (found := load_state(state)) is None:
        return 0
    step, tensors = found
    for name, value in _buffers(model).items():
        value.copy_(tensors[name])
    optimizer.load(tensors)
    return step


def _buffers(model: nn.Module) -> dict[str, Tensor]:
    """Running statistics and the like, which no gradient moves."""
    return {f"{BUFFERS}{name}": value for name, value in model.named_buffers()}
