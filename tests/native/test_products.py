"""Products with rearranged weights are torch's, and a row's result does not know its neighbours."""

from __future__ import annotations

import ctypes
import platform
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from worldgym.native.kernels import FUNCTIONS, kernels_for
from worldgym.native.library import FLAGS, declare, library
from worldgym.native.products import Product

ACTIVATIONS = {
    "none": lambda x: x,
    "relu2": lambda x: F.relu(x).square(),
    "gelu": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
}


def made(dtype: torch.dtype) -> ctypes.CDLL:
    found = kernels_for(torch.zeros(1, dtype=dtype))
    if found is None:
        pytest.skip("no C compiler here")
    return found


@settings(max_examples=30, deadline=None)
@given(
    dtype=st.sampled_from([torch.float32, torch.bfloat16]),
    rows=st.one_of(st.integers(1, 70), st.sampled_from([255, 256, 257, 290])),
    sizes=st.tuples(st.sampled_from([32, 96, 256, 17]), st.sampled_from([32, 64, 160, 18])),
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    bias=st.booleans(),
    period=st.integers(0, 40),
)
def test_a_product_is_torchs(
    dtype: torch.dtype, rows: int, sizes: tuple[int, int], activation: str, bias: bool, period: int
) -> None:
    torch.manual_seed(0)
    layers = [nn.Linear(*sizes, bias=bias).to(dtype) for _ in range(2)]
    x, added = torch.randn(rows, sizes[0]).to(dtype), torch.randn(period, 2 * sizes[1]).to(dtype)
    with torch.no_grad():
        expected = torch.cat(
            [F.linear(x.float(), *(p.float() for p in layer.parameters())) for layer in layers], 1
        )
        product = Product(
            made(dtype), *layers, activation=activation, added=added if period else None
        )
        out = product(x, 1)[:, : 2 * sizes[1]]
    if period:
        expected = expected + added.float()[torch.arange(rows) % period]
    tolerance = (
        {"atol": 1e-4, "rtol": 1e-4} if dtype == torch.float32 else {"atol": 1e-2, "rtol": 1e-2}
    )
    torch.testing.assert_close(out.float(), ACTIVATIONS[activation](expected), **tolerance)


@settings(max_examples=20, deadline=None)
@given(
    dtype=st.sampled_from([torch.float32, torch.bfloat16]), rows=st.integers(2, 300), data=st.data()
)
def test_a_row_does_not_know_its_neighbours(
    dtype: torch.dtype, rows: int, data: st.DataObject
) -> None:
    torch.manual_seed(0)
    product = Product(made(dtype), nn.Linear(64, 96).to(dtype))
    x, row = torch.randn(rows, 64).to(dtype), data.draw(st.integers(0, rows - 1))
    assert torch.equal(product(x, 1)[row], product(x[row : row + 1].clone(), 1)[0])


def test_the_ends_of_the_activation() -> None:
    """GELU far from zero on both sides, where its exponential ends."""
    layer = nn.Linear(32, 32, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.eye(32))
    x = torch.tensor([[-1e4, -50.0, -8.0, -1e-6, 0.0, 1e-6, 8.0, 50.0, 1e4] + [1.0] * 23])
    out = Product(made(torch.float32), layer, activation="gelu")(x, 1)
    torch.testing.assert_close(out, F.gelu(x, approximate="tanh"), atol=1e-6, rtol=1e-6)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="these instructions are x86's")
@pytest.mark.parametrize(
    "lacking", [("amx-bf16",), ("amx-bf16", "avx512bf16"), ("amx-bf16", "avx512bf16", "avx512f")]
)
def test_processors_that_lack_something(
    lacking: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(
        "worldgym.native.library.FLAGS", [*FLAGS, "-O1", *(f"-mno-{name}" for name in lacking)]
    )
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    library.cache_clear()
    found = library(True)
    library.cache_clear()
    if found is None:
        pytest.skip("no C compiler here")
    declare(found, FUNCTIONS)
    torch.manual_seed(0)
    layer, x = nn.Linear(96, 64).bfloat16(), torch.randn(37, 96).bfloat16()
    product = Product(found, layer)
    out = product(x, 1)
    with torch.no_grad():
        expected = F.linear(x.float(), layer.weight.float(), layer.bias.float())
    torch.testing.assert_close(out.float(), expected, atol=1e-2, rtol=1e-2)
    assert all(
        torch.equal(out[row], product(x[row : row + 1].clone(), 1)[0]) for row in (0, 11, 36)
    )
