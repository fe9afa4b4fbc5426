from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from worldgym.train.latent_rows import ResidentRows, StreamedRows, latent_rows

SIZES = (5, 1, 7)


def parts() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=(size, 2, 3, 3)).astype(np.float16) for size in SIZES]


@given(rows=st.lists(st.integers(0, sum(SIZES) - 1), min_size=1, max_size=20), wide=st.booleans())
def test_streamed_rows_are_the_resident_ones(rows: list[int], wide: bool) -> None:
    wanted = np.array([rows, rows[::-1]] if wide else rows)
    taken = [kind(parts(), "cpu").take(wanted) for kind in (StreamedRows, ResidentRows)]
    assert torch.equal(taken[0], torch.from_numpy(np.concatenate(parts())[wanted])) and torch.equal(
        *taken
    )


def test_files_are_read_where_they_lie(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", parts()[0])
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r+")
    rows = latent_rows([mapped], "cpu")
    mapped[2] = 3.0
    assert (rows.take(np.array([2])) == 3.0).all()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_few_latents_lie_on_a_gpu() -> None:  # pragma: no cover - where there is one
    assert isinstance(latent_rows(parts(), "cuda"), ResidentRows)
