"""Processes that train together: on the cores of one machine, or on the GPUs of one or many,
started by torchrun.

Each computes its rows of a batch, gathers the gradients of its share of the weights, moves that
share and sends it to the others. Batches and noise are functions of (seed, step), so a run does not
depend on how many there are but for the order of that sum."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed

from worldgym.errors import InputError

PR_SET_PDEATHSIG = 1  # linux/prctl.h
PATIENCE = timedelta(hours=24)  # while the first trains a codec or encodes latents, the others wait


@dataclass(frozen=True)
class Ranks:
    """This process among those that train together (torch.distributed), or alone."""

    rank: int
    count: int

    @staticmethod
    def current() -> Ranks:
        if not distributed.is_initialized():
            return ALONE
        return Ranks(distributed.get_rank(), distributed.get_world_size())

    @property
    def first(self) -> bool:
        return self.rank == 0

    def share(self, rows: int) -> slice:
        """This process's rows of a batch; equal shares, so that the mean of means is the mean."""
        if rows % self.count:
            raise InputError(
                f"a batch of {rows} cannot be shared equally by {self.count} processes: choose a "
                f"multiple of them"
            )
        each = rows // self.count
        return slice(self.rank * each, (self.rank + 1) * each)

    def total(self, number: Tensor) -> float:
        """Of one number of every process, the sum."""
        if self.count > 1:
            distributed.all_reduce(number)
        return float(number)

    def exchange(self, letters: Tensor) -> Tensor:
        """[processes, N], a row for each process => [processes, N], the row that each has for this
        one."""
        if self.count == 1:
            return letters
        received = torch.empty_like(letters)
        distributed.all_to_all_single(received, letters)
        return received

    def gather(self, numbers: Tensor) -> Tensor:
        """[N], as many in every process => [processes, N]."""
        if self.count == 1:
            return numbers[None]
        everyones = numbers.new_empty(self.count, *numbers.shape)
        distributed.all_gather(list(everyones), numbers)
        return everyones

    def merge(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """What all processes have, by name, no name twice; on the CPU where they are several."""
        if self.count == 1:
            return tensors
        everyones: list[dict[str, Tensor]] = [{}] * self.count
        distributed.all_gather_object(
            everyones, {name: tensor.detach().cpu() for name, tensor in tensors.items()}
        )
        return {name: tensor for own in everyones for name, tensor in own.items()}


ALONE = Ranks(0, 1)


@dataclass(frozen=True)
class Deal:
    """Which process takes which of some things, and where in its numbers those of the thing lie.
    length: of the longest share."""

    owners: list[int]
    places: list[slice]
    length: int

    @staticmethod
    def of(sizes: Sequence[int], costs: Sequence[int], count: int) -> Deal:
        """The dearest thing first, each to the process with the least to do so far."""
        load, filled = [0] * count, [0] * count
        owners, places = [0] * len(sizes), [slice(0)] * len(sizes)
        for index in sorted(range(len(sizes)), key=lambda i: -costs[i]):
            owner = load.index(min(load))
            owners[index], places[index] = owner, slice(filled[owner], filled[owner] + sizes[index])
            load[owner] += costs[index]
            filled[owner] += sizes[index]
        return Deal(owners, places, max(filled))


def follow_parent() -> None:
    """On Linux, ends this process when its parent ends, however that ended.

    Else the workers of a killed run would go on writing to its folder, beside those of its next
    start."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@contextmanager
def joined(device: str, processes: int) -> Iterator[str]:
    """=> the device of this process, "cuda:3" say. Under torchrun it meets the other processes
    here; alone, nothing happens.

    processes: as many as are to be started here, which torchrun does instead.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:  # torchrun's mark
        yield device
        return
    if processes != 1:
        raise InputError(
            f"torchrun has started the processes already: leave out --processes {processes}"
        )
    local = int(os.environ["LOCAL_RANK"])
    own = f"cuda:{local}" if device == "cuda" else device
    if device == "cuda":
        torch.cuda.set_device(local)
    distributed.init_process_group("nccl" if device == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield own
    finally:
        distributed.destroy_process_group()


@contextmanager
def first_goes_ahead() -> Iterator[None]:
    """What is written once is written by the first process; the others come after it and find it
    done."""
    together = distributed.is_initialized()
    if together and not Ranks.current().first:
        distributed.barrier()
    yield
    if together and Ranks.current().first:
        distributed.barrier()
