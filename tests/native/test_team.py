"""A job done by several threads is the job: same numbers to the last bit, with every thread busy,
and in the child of a fork."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from worldgym.native.kernels import kernels_for
from worldgym.native.products import Product
from worldgym.native.threads import allow_threads, allowed_threads


def product(inputs: int, wide: int) -> Product:
    library = kernels_for(torch.zeros(1, dtype=torch.bfloat16))
    if library is None:
        pytest.skip("no C compiler here")
    torch.manual_seed(0)
    return Product(library, nn.Linear(inputs, wide).bfloat16())


def numbers(rows: int, wide: int) -> Tensor:
    return torch.randn(rows, wide, generator=torch.Generator().manual_seed(1)).bfloat16()


@settings(max_examples=20, deadline=None)
@given(rows=st.integers(1, 40), wide=st.integers(1, 300), threads=st.integers(2, 5))
def test_the_number_of_threads_changes_nothing(rows: int, wide: int, threads: int) -> None:
    made, x = product(48, wide), numbers(rows, 48)
    assert torch.equal(made(x, threads), made(x, 1))


def test_callers_at_the_same_time() -> None:
    """One has the team, the others work alone; nobody gets another's numbers."""
    made, parts = product(64, 256), [numbers(rows, 64) for rows in range(1, 9)]
    expected = [made(x, 1) for x in parts]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(20):
            found = list(pool.map(lambda x: made(x, 3), parts))
            assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_the_child_of_a_fork_has_a_team_of_its_own() -> None:
    made, x = product(64, 256), numbers(5, 64)
    expected = made(x, 3)
    child = os.fork()
    if child == 0:
        os._exit(0 if torch.equal(made(x, 3), expected) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_thread_allows_for_itself() -> None:
    with ThreadPoolExecutor(1, initializer=allow_threads, initargs=(3,)) as pool:
        assert pool.submit(allowed_threads).result() == 3
    assert allowed_threads() == 1
