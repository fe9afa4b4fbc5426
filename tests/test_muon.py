"""Muon against torch's own, and shared out against alone."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from itertools import pairwise

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from worldgym.muon import Deal, Muon
from worldgym.ranks import ALONE, Ranks

shapes = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=6)


@dataclass(frozen=True)
class Threads(Ranks):
    """Threads of one process in place of processes."""

    desk: list[Tensor | None]
    barrier: threading.Barrier

    def gather(self, numbers: Tensor) -> Tensor:
        self.desk[self.rank] = numbers
        self.barrier.wait(20)
        everyones = torch.stack([part for part in self.desk if part is not None])
        self.barrier.wait(20)
        return everyones


def weights(sizes: list[tuple[int, int]]) -> list[Tensor]:
    torch.manual_seed(0)
    return [torch.randn(size).requires_grad_() for size in sizes]


def train(optimizer: torch.optim.Optimizer, matrices: list[Tensor]) -> None:
    for step in range(3):
        for index, matrix in enumerate(matrices):
            noise = torch.Generator().manual_seed(100 * step + index)
            still = step == 1 and index == 0  # a matrix without a gradient stays as it is
            matrix.grad = None if still else torch.randn(matrix.shape, generator=noise)
        optimizer.step()


@settings(max_examples=30, deadline=None)
@given(shapes)
def test_alone_it_is_that_of_torch(sizes: list[tuple[int, int]]) -> None:
    ours, theirs = weights(sizes), weights(sizes)
    own = Muon(ours, 0.02, 0.1, ALONE)
    known = torch.optim.Muon(theirs, 0.02, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    train(own, ours)
    train(known, theirs)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    found, wanted = own.state_dict()["state"], known.state_dict()["state"]
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[i]["momentum_buffer"], wanted[i]["momentum_buffer"]) for i in found)


@settings(max_examples=20, deadline=None)
@given(shapes, st.integers(2, 4))
def test_shared_out_it_is_the_same(sizes: list[tuple[int, int]], count: int) -> None:
    alone = weights(sizes)
    train(Muon(alone, 0.02, 0.1, ALONE), alone)
    desk: list[Tensor | None] = [None] * count
    barrier, results = threading.Barrier(count), [weights(sizes) for _ in range(count)]

    def work(rank: int) -> None:
        train(Muon(results[rank], 0.02, 0.1, Threads(rank, count, desk, barrier)), results[rank])

    workers = [threading.Thread(target=work, args=(rank,)) for rank in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert all(torch.equal(a, b) for result in results for a, b in zip(result, alone, strict=True))


@given(shapes, st.integers(1, 4))
def test_shares_do_not_overlap_and_are_about_equal(sizes: list[tuple[int, int]], count: int) -> None:
    deal = Deal.of([torch.Size(size) for size in sizes], count)
    for owner in range(count):
        own = sorted((p.start, p.stop) for p, o in zip(deal.places, deal.owners, strict=True) if o == owner)
        assert all(before[1] == after[0] for before, after in pairwise(own))
        assert not own or (own[0][0] == 0 and own[-1][1] <= deal.length)
    assert all(p.stop - p.start == a * b for p, (a, b) in zip(deal.places, sizes, strict=True))
    equal = Deal.of([torch.Size((4, 8))] * (3 * count), count)
    assert all(equal.owners.count(owner) == 3 for owner in range(count))
