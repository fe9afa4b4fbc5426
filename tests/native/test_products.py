"""Products and convolutions with rearranged weights are torch's, and a row's result does not know its neighbours."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from worldgym.native.kernels import Kernels, kernels_for
from worldgym.native.products import Convolution, Product


def made(dtype: torch.dtype) -> Kernels:
    found = kernels_for(torch.zeros(1, dtype=dtype))
    if found is None:
        pytest.skip("no C compiler here")
    return found


@settings(max_examples=20, deadline=None)
@given(
    dtype=st.sampled_from([torch.float32, torch.bfloat16]),
    rows=st.one_of(st.integers(1, 70), st.sampled_from([255, 256, 257, 290])),
    sizes=st.tuples(st.sampled_from([32, 96, 256, 17]), st.sampled_from([32, 64, 160, 18])),
    squared=st.booleans(),
    bias=st.booleans(),
)
def test_a_product_is_torchs(dtype: torch.dtype, rows: int, sizes: tuple[int, int], squared: bool, bias: bool) -> None:
    torch.manual_seed(0)
    layers = [nn.Linear(*sizes, bias=bias).to(dtype) for _ in range(2)]
    x = torch.randn(rows, sizes[0]).to(dtype)
    with torch.no_grad():
        expected = torch.cat([F.linear(x.float(), *(p.float() for p in layer.parameters())) for layer in layers], 1)
        product = Product(made(dtype), *layers, squared=squared)
        out = product(x, x.new_empty(rows, product.wide))
    expected = F.relu(expected).square() if squared else expected
    tolerance = {"atol": 1e-4, "rtol": 1e-4} if dtype == torch.float32 else {"atol": 1e-2, "rtol": 1e-2}
    torch.testing.assert_close(out.float(), expected, **tolerance)


@settings(max_examples=10, deadline=None)
@given(rows=st.integers(2, 300), data=st.data())
def test_a_row_does_not_know_its_neighbours(rows: int, data: st.DataObject) -> None:
    kernels = made(torch.bfloat16)
    if not kernels.products:
        pytest.skip("no matrix unit here")
    torch.manual_seed(0)
    product = Product(kernels, nn.Linear(64, 96).bfloat16())
    x, row = torch.randn(rows, 64).bfloat16(), data.draw(st.integers(0, rows - 1))
    together, alone = product(x, x.new_empty(rows, 96)), product(x[row : row + 1].clone(), x.new_empty(1, 96))
    assert torch.equal(together[row], alone[0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kernel", [1, 3])
def test_a_convolution_is_torchs(dtype: torch.dtype, kernel: int) -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(16, 32, kernel, padding=kernel // 2).to(dtype)
    x = torch.randn(3, 16, 6, 6).to(dtype).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        found = Convolution(layer.weight.detach(), layer.bias.detach(), kernel // 2, 6)(x)
        expected = F.conv2d(x.float(), layer.weight.float(), layer.bias.float(), padding=kernel // 2)
    torch.testing.assert_close(found.float(), expected, atol=1e-4 if dtype == torch.float32 else 2e-2, rtol=1e-2)
