"""Every compiled pass computes what torch does: in float32 to rounding, in bfloat16 to that format's."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from worldgym.native.kernels import Heads, Kernels, Ring, kernels_for

DTYPES = (torch.float32, torch.bfloat16)
FEW = settings(max_examples=15, deadline=None)


def made(dtype: torch.dtype) -> Kernels:
    found = kernels_for(torch.zeros(1, dtype=dtype))
    if found is None:
        pytest.skip("no C compiler here")
    return found


def numbers(seed: int, *shape: int, dtype: torch.dtype) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def close(found: torch.Tensor, expected: torch.Tensor) -> None:
    """expected: float32, from the same numbers."""
    atol = 1e-5 if found.dtype == torch.float32 else 2e-2
    torch.testing.assert_close(found.float(), expected, atol=atol, rtol=1e-5 if found.dtype == torch.float32 else 1e-2)


@FEW
@given(st.sampled_from(DTYPES), st.integers(1, 4), st.integers(1, 5), st.integers(1, 5), st.booleans())
def test_residual_norm(dtype: torch.dtype, frames: int, tokens: int, vectors: int, added: bool) -> None:
    width = 16 * vectors
    h, y = (numbers(seed, frames * tokens, width, dtype=dtype) for seed in (0, 1))
    table = numbers(2, frames, 4 * width, dtype=dtype)
    columns = (3 * width, 0, width)
    gate, shift, scale = (table[:, at : at + width].float().repeat_interleave(tokens, 0) for at in columns)
    expected = (h.float() + gate * y.float()).to(dtype) if added else h.clone()
    out = made(dtype).residual_norm(h, y if added else None, table, columns, torch.empty_like(h))
    close(h, expected.float())
    close(out, F.layer_norm(h.float(), (width,), eps=1e-6) * (1 + scale) + shift)


@FEW
@given(st.sampled_from(DTYPES), st.integers(1, 70), st.floats(0.1, 60.0))
def test_silu_of_any_size(dtype: torch.dtype, size: int, scale: float) -> None:
    x = numbers(0, size, dtype=dtype) * scale
    close(made(dtype).silu(x), F.silu(x.float()))


def test_the_ends_of_the_exponential() -> None:
    x = torch.tensor([-1e30, -200.0, -87.5, -80.0, -1e-6, 0.0, 1e-6, 80.0, 87.5, 200.0, 1e30] + [1.0] * 5)
    torch.testing.assert_close(made(torch.float32).silu(x), F.silu(x), atol=1e-8, rtol=1e-6)


@FEW
@given(st.sampled_from(DTYPES), st.integers(1, 3), st.integers(1, 37), st.integers(1, 3), st.sampled_from([16, 32, 64]))
def test_spatial_attention(dtype: torch.dtype, frames: int, tokens: int, heads: int, size: int) -> None:
    qkv = numbers(0, frames * tokens, 3 * heads * size, dtype=dtype)
    q, k, v = qkv.float().view(frames, tokens, 3, heads, size).permute(2, 0, 3, 1, 4)
    expected = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(frames * tokens, heads * size)
    out = qkv.new_empty(frames * tokens, heads * size)
    close(made(dtype).spatial_attention(qkv, Heads(1, frames, tokens, heads, size), out), expected)


@FEW
@given(
    dtype=st.sampled_from(DTYPES),
    rows=st.integers(1, 3),
    frames=st.integers(1, 3),
    before=st.integers(0, 18),
    spare=st.integers(0, 3),
    size=st.sampled_from([16, 64]),
)
def test_temporal_attention(dtype: torch.dtype, rows: int, frames: int, before: int, spare: int, size: int) -> None:
    tokens, heads, seen = 5, 2, before + frames
    qkv = numbers(0, rows * frames * tokens, 3 * heads * size, dtype=dtype)
    keys, values = (numbers(seed, rows, tokens, heads, seen + spare, size, dtype=dtype) for seed in (1, 2))
    q, k, v = qkv.view(rows, frames, tokens, 3, heads, size).permute(3, 0, 2, 4, 1, 5)
    all_keys, all_values = (
        torch.cat([ring[..., :before, :], new, ring[..., seen:, :]], -2) for ring, new in ((keys, k), (values, v))
    )
    bias = numbers(3, heads, frames, seen, dtype=torch.float32)
    ahead = torch.arange(seen) > before + torch.arange(frames)[:, None]
    bias = bias.masked_fill(ahead, float("-inf"))
    whole = (q.float(), all_keys[..., :seen, :].float(), all_values[..., :seen, :].float())
    expected = F.scaled_dot_product_attention(*whole, attn_mask=bias).permute(0, 3, 1, 2, 4).reshape(len(qkv), -1)
    slots, padded = torch.arange(before, seen), F.pad(bias, (0, -seen % 16), value=float("-inf"))
    out = qkv.new_empty(len(qkv), heads * size)
    made(dtype).temporal_attention(qkv, Ring(keys, values, slots, seen, padded), Heads(rows, frames, tokens, heads, size), out)
    close(out, expected)
    assert torch.equal(keys, all_keys) and torch.equal(values, all_values)
