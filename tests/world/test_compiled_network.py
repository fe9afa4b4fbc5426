"""The fused network is the network: same numbers in float32, whatever positions, activation, cache
and view."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from worldgym.native.threads import allow_threads
from worldgym.world.cache import TemporalCache
from worldgym.world.compiled_network import FusedDiT, fastest, serves
from worldgym.world.network import DiT, DiTConfig

SMALL = DiTConfig(
    (2, 6, 4), width=64, pairs=2, heads=2, mlp_ratio=2, action_size=5, action_octaves=2, window=12
)


def network(dtype: torch.dtype = torch.float32, **changes: object) -> DiT:
    """None of its weights zero."""
    torch.manual_seed(0)
    found = DiT(replace(SMALL, **changes))  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in found.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return found.to(dtype).requires_grad_(False)


def fused(network: DiT) -> FusedDiT:
    found = fastest(network)
    if not isinstance(found, FusedDiT):
        pytest.skip("no C compiler here")
    return found


def passes(
    model: DiT | FusedDiT, capacity: int, frames: list[int], sight: int, rows: int
) -> torch.Tensor:
    """Frames of a clip through a cache, some at a time."""
    torch.manual_seed(1)
    total = sum(frames)
    x = torch.randn(rows, total, 2, 6, 4)
    level, actions = torch.rand(rows, total) * 1000, torch.randn(rows, total, 5)
    config = model.config
    cache = TemporalCache(
        (config.pairs, rows, config.tokens, config.heads, capacity, config.width // config.heads), x
    )
    out = []
    for now, c, count in zip(
        x.split(frames, 1), model.condition(level, actions).split(frames, 1), frames, strict=True
    ):
        out.append(model.denoise(now, c, x[:, 0], cache, sight))
        cache.advance(now)
        assert cache.length == sum(frames[: len(out)]) and count == now.shape[1]
    return torch.cat(out, 1)


@settings(max_examples=15, deadline=None)
@given(
    frames=st.lists(st.integers(1, 3), min_size=1, max_size=4),
    sight=st.integers(0, 4),
    rows=st.integers(1, 3),
    positions=st.sampled_from(["learned", "rotary", "rotary_pixel"]),
    activation=st.sampled_from(["relu2", "gelu"]),
)
def test_fused_is_the_network(
    frames: list[int], sight: int, rows: int, positions: str, activation: str
) -> None:
    slow = network(positions=positions, activation=activation)
    capacity = sight - 1 + 3 if sight else sum(frames)
    found, expected = (
        passes(model, capacity, frames, sight, rows) for model in (fused(slow), slow)
    )
    assert expected.abs().max() > 0.1
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@settings(max_examples=10, deadline=None)
@given(
    dtype=st.sampled_from([torch.float32, torch.bfloat16]),
    rows=st.integers(1, 30),
    threads=st.integers(1, 4),
    positions=st.sampled_from(["learned", "rotary"]),
    data=st.data(),
)
def test_rows_and_threads_change_no_bit(
    dtype: torch.dtype, rows: int, threads: int, positions: str, data: st.DataObject
) -> None:
    model = fused(network(dtype, positions=positions))
    torch.manual_seed(2)
    x, level, actions = (
        torch.randn(rows, 3, 2, 6, 4).to(dtype),
        torch.rand(rows, 3) * 1000,
        torch.randn(rows, 3, 5),
    )

    def out(chosen: slice) -> torch.Tensor:
        return model.denoise(
            x[chosen], model.condition(level[chosen], actions[chosen]), x[chosen, 0]
        )

    row = data.draw(st.integers(0, rows - 1))
    with ThreadPoolExecutor(1, initializer=allow_threads, initargs=(threads,)) as pool:
        together = pool.submit(out, slice(None)).result()
    assert torch.equal(together[row], out(slice(row, row + 1))[0])


def test_heads_smaller_than_the_columns_of_a_product() -> None:
    slow = network(heads=4)
    found, expected = (passes(model, 4, [1, 2], 0, 2) for model in (fused(slow), slow))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_without_a_cache_too() -> None:
    slow = network()
    x, level, actions = torch.randn(2, 4, 2, 6, 4), torch.full((2, 4), 300.0), torch.randn(2, 4, 5)
    fast = fused(slow)
    torch.testing.assert_close(
        fast.denoise(x, fast.condition(level, actions), x[:, 0]),
        slow(x, level, actions, x[:, 0]),
        atol=1e-4,
        rtol=1e-4,
    )


def test_bfloat16_is_near() -> None:
    """As near to float32 as the network's own bfloat16 is."""
    exact, coarse = network(), network(torch.bfloat16)
    x, level, actions = torch.randn(2, 4, 2, 6, 4), torch.full((2, 4), 300.0), torch.randn(2, 4, 5)
    expected, fast = exact(x, level, actions, x[:, 0]), fused(coarse)
    half = x.bfloat16()
    found = fast.denoise(half, fast.condition(level, actions), half[:, 0]).float()
    own = coarse(half, level, actions, half[:, 0]).float()
    assert (found - expected).norm() < 1.2 * (own - expected).norm() + 1e-3


def test_what_does_not_fit_is_left_to_torch() -> None:
    odd = network(width=40)
    assert fastest(odd) is odd
    other = network().to(torch.float64)
    assert fastest(other) is other


def test_what_does_not_fit_the_stack_is_left_to_torch() -> None:
    wide = network(width=1024, heads=2, pairs=1)
    assert isinstance(fused(network()), FusedDiT) and isinstance(fused(wide), FusedDiT)
    # 2304 tokens x heads of 512 numbers
    many = replace(SMALL, latent_shape=(2, 96, 96), width=1024, pairs=1)
    assert (
        not serves(many)
        and serves(replace(many, width=64))
        and not serves(replace(many, latent_shape=(2, 280, 280), width=128))
    )


def cache(
    rows: int = 2, dtype: torch.dtype = torch.float32, capacity: int = 8, tokens: int = 6
) -> TemporalCache:
    return TemporalCache((2, rows, tokens, 2, capacity, 32), torch.zeros(1, dtype=dtype))


WIDE_CONDITION = 26 * 64  # 6 widths a block, and 2
WRONG = {  # of two rows of three frames and a float32 network
    "frames of another dtype": {
        "x": torch.zeros(2, 3, 2, 6, 4).bfloat16(),
        "initial_frame": torch.zeros(2, 2, 6, 4).bfloat16(),
    },
    "frames of another size": {"x": torch.zeros(2, 3, 2, 8, 6)},
    "an initial frame of another size": {"initial_frame": torch.zeros(2, 2, 8, 6)},
    "a condition of another dtype": {"condition": torch.zeros(2, 3, WIDE_CONDITION).bfloat16()},
    "a condition of another width": {"condition": torch.zeros(2, 3, WIDE_CONDITION - 32)},
    "a condition of fewer rows": {"condition": torch.zeros(1, 3, WIDE_CONDITION)},
    "a cache of another dtype": {"cache": cache(dtype=torch.bfloat16)},
    "a cache of fewer rows": {"cache": cache(rows=1)},
    "a cache of fewer tokens": {"cache": cache(tokens=3)},
    "a cache that is too short": {"cache": cache(capacity=2)},
}


@pytest.mark.parametrize("wrong", list(WRONG.values()), ids=list(WRONG))
def test_a_wrong_call_is_refused(wrong: dict[str, torch.Tensor | TemporalCache]) -> None:
    model, x = fused(network()), torch.randn(2, 3, 2, 6, 4)
    condition = model.condition(torch.rand(2, 3), torch.randn(2, 3, 5))
    assert condition.shape == (2, 3, WIDE_CONDITION)
    given = {"x": x, "condition": condition, "initial_frame": x[:, 0]}
    with pytest.raises((ValueError, RuntimeError)):  # torch's own errors, before anything reaches C
        model.denoise(**{**given, **wrong})  # type: ignore[arg-type]


def test_changing_the_network_afterwards_is_harmless() -> None:
    model, slow = fused(network()), network()
    x, level, actions = torch.randn(2, 3, 2, 6, 4), torch.rand(2, 3), torch.randn(2, 3, 5)
    expected = slow(x, level, actions, x[:, 0])
    model.network.to(torch.bfloat16)
    found = model.denoise(x, model.condition(level, actions), x[:, 0])
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
