from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from worldgym.native.processor import fast_dtype
from worldgym.train import muon
from worldgym.train.muon import Muon, orthogonal

SHAPES = ((8, 24), (24, 8), (8, 8), (1, 5))


def moved(optimizer: type[torch.optim.Optimizer], **settings: object) -> list[Tensor]:
    """Matrices after three steps with seeded gradients; the last one has a gradient only once."""
    generator = torch.Generator().manual_seed(0)
    matrices = [torch.randn(shape, generator=generator).requires_grad_() for shape in SHAPES]
    chosen = optimizer(matrices, lr=0.05, weight_decay=0.1, **settings)  # type: ignore[call-arg]
    for step in range(3):
        for matrix in matrices:
            matrix.grad = torch.randn(matrix.shape, generator=generator)
        if step != 1:
            matrices[-1].grad = None
        chosen.step()
    return [matrix.detach() for matrix in matrices]


def test_in_bfloat16_it_takes_the_steps_of_torchs_own(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = moved(torch.optim.Muon, adjust_lr_fn="match_rms_adamw")
    monkeypatch.setattr(muon, "fast_dtype", lambda device: torch.bfloat16)
    for own, other in zip(moved(Muon), theirs, strict=True):
        torch.testing.assert_close(own, other, rtol=0, atol=1e-6)


def test_in_float32_it_takes_nearly_the_same_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = moved(torch.optim.Muon, adjust_lr_fn="match_rms_adamw")
    monkeypatch.setattr(muon, "fast_dtype", lambda device: torch.float32)
    for own, other in zip(moved(Muon), theirs, strict=True):
        torch.testing.assert_close(own, other, rtol=0, atol=0.01)


def test_it_computes_in_what_the_device_multiplies_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    used = []

    def watched(matrix: Tensor, dtype: torch.dtype) -> Tensor:
        used.append(dtype)
        return orthogonal(matrix, dtype)

    monkeypatch.setattr(muon, "orthogonal", watched)
    moved(Muon)
    assert used and set(used) == {fast_dtype("cpu")}


@given(rows=st.integers(1, 12), columns=st.integers(1, 12), seed=st.integers(0, 99))
def test_singular_values_become_nearly_one(rows: int, columns: int, seed: int) -> None:
    matrix = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))
    before = torch.linalg.svdvals(matrix)
    after = torch.linalg.svdvals(orthogonal(matrix, torch.float32))
    # five iterations reach values that are not much smaller than the largest one
    assert (after[before > 0.05 * before.norm()] > 0.5).all() and (after < 1.5).all()


def test_nothing_to_make_orthogonal_stays_nothing() -> None:
    assert orthogonal(torch.zeros(3, 4), torch.float32).abs().max() == 0
