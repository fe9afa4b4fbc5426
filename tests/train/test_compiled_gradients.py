"""The network that learns by compiled passes has the gradients of its definition, within what
bfloat16 errs there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from worldgym.native.gradients import gradients
from worldgym.train.compiled_gradients import Learner
from worldgym.world.network import DiT, DiTConfig

UNIT = 2.0**-8  # of bfloat16, at 1
needs_gradients = pytest.mark.skipif(
    gradients() is None, reason="no compiler or no matrix unit here: a learner is the definition"
)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def config(
    heads: int, size: int, grid: tuple[int, int], pairs: int, window: int = 32, **changes: str
) -> DiTConfig:
    latents = (8, 2 * grid[0], 2 * grid[1])
    return DiTConfig(
        latents,
        width=heads * size,
        heads=heads,
        pairs=pairs,
        action_size=5,
        window=window,
        **changes,
    )


def taught(
    kind: type[DiT], of: DiTConfig, batch: int, frames: int, dtype: torch.dtype, **how: int
) -> dict[str, Tensor]:
    """The output, and gradients of the input and of all weights, for weights and inputs that
    bfloat16 holds."""
    torch.manual_seed(0)
    network = kind(of)
    with torch.no_grad():
        for parameter in network.parameters():
            if not parameter.any():  # what begins at zero hides what stands before it
                parameter.normal_(std=0.1)
            parameter.copy_(parameter.bfloat16())
    network = network.to(dtype)
    shape = (batch, frames, *of.latent_shape)
    x = torch.randn(shape).bfloat16().to(dtype).requires_grad_()
    start, actions = (
        torch.randn(batch, *of.latent_shape).bfloat16().to(dtype),
        torch.randn(batch, frames, of.action_size),
    )
    out = network(x, 1000 * torch.rand(batch, frames), actions, start, **how)
    out.backward(torch.randn(shape).bfloat16().to(dtype))
    found = {name: parameter.grad for name, parameter in network.named_parameters()} | {
        "out": out.detach(),
        "x": x.grad,
    }
    return {name: value.float() for name, value in found.items() if value is not None}


def error(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm().clamp(min=1e-9))


# chance decides by how much small gradients err
@needs_gradients
@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    heads=st.integers(1, 3),
    size=st.sampled_from([32, 64]),
    grid=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    batch=st.integers(1, 3),
    frames=st.integers(1, 19),
    pairs=st.integers(1, 2),
    sight=st.integers(0, 4),
)
def test_gradients_are_the_definitions(
    heads: int, size: int, grid: tuple[int, int], batch: int, frames: int, pairs: int, sight: int
) -> None:
    of = config(heads, size, grid, pairs)
    exact = taught(DiT, of, batch, frames, torch.float32, sight=sight)
    plain = taught(DiT, of, batch, frames, torch.bfloat16, sight=sight)
    fast = taught(Learner, of, batch, frames, torch.bfloat16, sight=sight)
    assert fast.keys() == plain.keys()
    errors = {
        name: (error(fast[name], exact[name]), error(plain[name], exact[name])) for name in exact
    }
    ours, theirs = (sum(pair[i] ** 2 for pair in errors.values()) ** 0.5 for i in (0, 1))
    # in small networks chance decides who errs more; a wrong gradient errs by its own size
    assert ours <= 2.0 * theirs, errors
    assert all(
        mine <= 2 * its + UNIT
        for name, (mine, its) in errors.items()
        if not name.endswith("time_bias")
    ), errors


@needs_gradients
@pytest.mark.parametrize(
    ("of", "batch", "frames"),
    [
        (config(4, 64, (6, 6), 2), 3, 16),
        (config(2, 32, (5, 3), 1), 2, 5),
        (config(3, 64, (8, 8), 1), 1, 19),
    ],
    ids=["as bundled", "odd", "wide"],
)
def test_every_gradient_errs_as_bfloat16_does(of: DiTConfig, batch: int, frames: int) -> None:
    exact = taught(DiT, of, batch, frames, torch.float32)
    plain, fast = (taught(kind, of, batch, frames, torch.bfloat16) for kind in (DiT, Learner))
    errors = {
        name: (error(fast[name], exact[name]), error(plain[name], exact[name])) for name in exact
    }
    assert all(mine <= 1.2 * its for mine, its in errors.values()), errors


@needs_gradients
def test_to_the_last_bit_each_time() -> None:
    of = config(4, 64, (6, 6), 1)
    one, other = (taught(Learner, of, 2, 16, torch.bfloat16) for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    "of",
    [
        config(3, 16, (3, 3), 1),
        config(2, 32, (3, 3), 1, activation="gelu"),
        config(2, 32, (4, 4), 1, positions="rotary"),
    ],
    ids=["small heads", "gelu", "rotary"],
)
def test_what_the_passes_do_not_serve_is_the_definition(of: DiTConfig) -> None:
    plain, fast = (taught(kind, of, 2, 4, torch.bfloat16) for kind in (DiT, Learner))
    assert all(torch.equal(plain[name], fast[name]) for name in plain)


def test_float32_is_the_definition() -> None:
    of = config(2, 32, (3, 3), 1)
    plain, fast = (taught(kind, of, 2, 4, torch.float32) for kind in (DiT, Learner))
    assert all(torch.equal(plain[name], fast[name]) for name in plain)


@needs_gradients
def test_branches_are_the_definitions() -> None:
    of = config(2, 32, (3, 5), 1)
    exact = taught(DiT, of, 2, 9, torch.float32, branches=3)
    plain, fast = (taught(kind, of, 2, 9, torch.bfloat16, branches=3) for kind in (DiT, Learner))
    assert all(
        error(fast[name], exact[name]) <= 1.5 * error(plain[name], exact[name]) + UNIT
        for name in exact
    )
