"""Processes that train together: on the cores of one machine, or on the GPUs of one or many,
started by torchrun.

Each computes its rows of a batch, gathers the gradients of its shard of the weights, updates that
shard and sends it to the others. Batches and noise are functions of (seed, step), so the number of
processes changes only the order of that sum."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed

from worldgym.errors import InputError

TIMEOUT = timedelta(hours=24)  # while the first trains a codec or encodes latents, the others wait


@dataclass(frozen=True)
class ProcessGroup:
    """This process among those that train together (torch.distributed), or alone."""

    rank: int
    world_size: int

    @staticmethod
    def current() -> ProcessGroup:
        if not distributed.is_initialized():
            return SINGLE_PROCESS
        return ProcessGroup(distributed.get_rank(), distributed.get_world_size())

    @property
    def first(self) -> bool:
        return self.rank == 0

    def shard(self, rows: int) -> slice:
        """This process's rows of a batch: equal shards, so the mean of means is the mean.

        InputError where the processes do not divide the batch."""
        if rows % self.world_size:
            raise InputError(
                f"a batch of {rows} cannot be shared equally by {self.world_size} "
                f"processes: choose a multiple of them"
            )
        each = rows // self.world_size
        return slice(self.rank * each, (self.rank + 1) * each)

    def all_reduce(self, number: Tensor) -> float:
        """The sum of one number of every process."""
        if self.world_size > 1:
            distributed.all_reduce(number)
        return float(number)

    def all_to_all(self, rows: Tensor) -> Tensor:
        """[processes, N], a row for each process => [processes, N], the row that each has for this
        one."""
        if self.world_size == 1:
            return rows
        received = torch.empty_like(rows)
        distributed.all_to_all_single(received, rows)
        return received

    def all_gather(self, numbers: Tensor) -> Tensor:
        """[N], as many in every process => [processes, N]."""
        if self.world_size == 1:
            return numbers[None]
        gathered = numbers.new_empty(self.world_size, *numbers.shape)
        distributed.all_gather(list(gathered), numbers)
        return gathered

    def gather_dict(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """What all processes have, by name, no name twice; on the CPU where they are several."""
        if self.world_size == 1:
            return tensors
        gathered: list[dict[str, Tensor]] = [{}] * self.world_size
        distributed.all_gather_object(
            gathered, {name: tensor.detach().cpu() for name, tensor in tensors.items()}
        )
        return {name: tensor for own in gathered for name, tensor in own.items()}


SINGLE_PROCESS = ProcessGroup(0, 1)


@dataclass(frozen=True)
class Shards:
    """How weights are shared out: the rank that owns each, and its place among that rank's numbers.

    length: numbers of the largest shard."""

    owners: list[int]
    places: list[slice]
    length: int

    @staticmethod
    def balanced(sizes: Sequence[int], costs: Sequence[int], world_size: int) -> Shards:
        """The most expensive weight first, each to the rank with the least work so far."""
        load = [0] * world_size
        filled = [0] * world_size
        owners = [0] * len(sizes)
        places = [slice(0)] * len(sizes)
        for index in sorted(range(len(sizes)), key=lambda i: -costs[i]):
            owner = load.index(min(load))
            owners[index] = owner
            places[index] = slice(filled[owner], filled[owner] + sizes[index])
            load[owner] += costs[index]
            filled[owner] += sizes[index]
        return Shards(owners, places, max(filled))


@contextmanager
def process_group(device: str, processes: int) -> Iterator[str]:
    """=> the device of this process, "cuda:3" say. Under torchrun it meets the other processes
    here; alone, nothing happens.

    processes: how many to start here; torchrun starts them itself.
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
    distributed.init_process_group("nccl" if device == "cuda" else "gloo", timeout=TIMEOUT)
    try:
        yield own
    finally:
        distributed.destroy_process_group()


@contextmanager
def rank_zero_first() -> Iterator[None]:
    """The first process writes what is written only once; the others wait for it."""
    together = distributed.is_initialized()
    if together and not ProcessGroup.current().first:
        distributed.barrier()
    yield
    if together and ProcessGroup.current().first:
        distributed.barrier()
