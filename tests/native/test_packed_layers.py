"""A packed network computes what the network does, and leaves it as it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from worldgym import load_tasks, load_world
from worldgym.codecs.conv import ConvCodec
from worldgym.io.bundled import BUNDLE
from worldgym.native.packed_layers import (
    PackedConvolution,
    PackedLinear,
    SquaredReLU,
    can_pack,
    packed,
)
from worldgym.types import Frames

NETWORK = nn.Sequential(
    nn.Conv2d(3, 8, 3, padding=1),
    nn.SiLU(),
    nn.Sequential(nn.Conv2d(8, 12, 1, bias=False), nn.PixelShuffle(2)),
    nn.Flatten(2),
    nn.Linear(96, 40),
    SquaredReLU(),
    nn.LayerNorm(40),
    nn.Linear(40, 5, bias=False),
)


def made(dtype: torch.dtype) -> nn.Sequential:
    torch.manual_seed(0)
    for parameter in NETWORK.parameters():
        nn.init.normal_(parameter, std=0.3)
    network = NETWORK.to(dtype)
    if not all(can_pack(weight) for weight in network.parameters()):
        pytest.skip("oneDNN does not compute in this dtype here")
    return network


@pytest.mark.parametrize(("dtype", "error"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
@pytest.mark.parametrize("rows", [1, 3])
def test_a_packed_network_is_the_network(dtype: torch.dtype, error: float, rows: int) -> None:
    network = made(dtype)
    before = [weight.clone() for weight in network.parameters()]
    fast = packed(network, torch.zeros(1, 3, 4, 6, dtype=dtype))
    x = torch.randn(rows, 3, 4, 6).to(dtype)
    with torch.inference_mode():
        expected, found = network(x), fast(x)
    assert found.dtype == dtype and expected.std() > 0.1
    torch.testing.assert_close(found, expected, atol=error, rtol=error)
    assert all(torch.equal(*pair) for pair in zip(network.parameters(), before, strict=True))
    assert isinstance(network[4], nn.Linear) and isinstance(fast[4], PackedLinear)
    assert isinstance(fast[0], PackedConvolution) and isinstance(fast[2][0], PackedConvolution)
    assert isinstance(network[5], SquaredReLU) and isinstance(fast[5], nn.Identity)
    assert fast[6].weight is network[6].weight, "what is not packed is shared"
    assert packed(network)[0] is not network[0] and isinstance(packed(network)[0], nn.Conv2d)


def test_what_cannot_be_packed_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    network = nn.Linear(4, 4).to(torch.float64)
    assert packed(network) is network
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert not can_pack(torch.zeros(1))


def orders(network: nn.Module, x: torch.Tensor, capfd: pytest.CaptureFixture[str]) -> list[str]:
    """What oneDNN says it did in a call that computed nothing new, only moved numbers."""
    with torch.inference_mode():
        network(x)
        capfd.readouterr()
        with torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON):
            network(x)
    return [line for line in capfd.readouterr().out.splitlines() if ",exec,cpu,reorder," in line]


@pytest.mark.parametrize("loaded_with", [1, 2])
@pytest.mark.parametrize("rows", [1, 16])
def test_no_call_of_the_bundled_decoder_puts_weights_in_order(
    loaded_with: int, rows: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """Packed by as many threads as torch has, and used by one: a call once took 70 ms for 2."""
    before = torch.get_num_threads()
    torch.set_num_threads(loaded_with)
    codec = ConvCodec.load(BUNDLE / "codec")
    torch.set_num_threads(1)
    (decoder,) = codec._packed
    dtype = next(decoder.parameters()).dtype
    x = torch.randn(rows, *codec.latent_shape).to(dtype, memory_format=torch.channels_last)
    plain = codec.decoder.to(dtype)
    if decoder is plain or not all(can_pack(weight) for weight in plain.parameters()):
        pytest.skip("oneDNN does not compute in this dtype here")
    found, once = orders(decoder, x, capfd), orders(plain, x, capfd)
    torch.set_num_threads(before)
    assert once, "the plain decoder puts its weights in order at every call, and oneDNN says so"
    assert not found


@pytest.mark.parametrize("inputs", [256, 288, 1024])
def test_a_row_does_not_depend_on_the_rows_beside_it(inputs: int) -> None:
    """With AMX, oneDNN sums many inputs in an order that depends on the number of rows."""
    torch.manual_seed(0)
    layer = nn.Linear(inputs, 256).bfloat16()
    if not can_pack(layer.weight):
        pytest.skip("oneDNN does not compute in this dtype here")
    fast = packed(nn.Sequential(layer))
    x = torch.randn(16, 36, inputs).bfloat16()
    with torch.inference_mode():
        alone = torch.cat([fast(trial[None]) for trial in x])
        for rows in (2, 3, 5, 8, 16):
            assert torch.equal(fast(x[:rows]), alone[:rows]), rows


def test_a_trial_of_the_bundled_world_does_not_depend_on_its_batch() -> None:
    world = load_world("bundled")
    tasks = load_tasks("bundled")[:5]
    starts = np.stack([task.frame for task in tasks])[:, None]
    actions = np.random.default_rng(0).uniform(-1, 1, (5, 2, 4)).astype(np.float32)

    def drawn(rows: slice) -> Frames:
        state = world.reset(starts[rows], list(range(5))[rows])
        for i in range(2):
            state, frames = world.step(state, actions[rows, i : i + 1])
        return frames

    together = drawn(slice(0, 5))
    for row in range(5):
        assert np.array_equal(drawn(slice(row, row + 1)), together[row : row + 1]), row
