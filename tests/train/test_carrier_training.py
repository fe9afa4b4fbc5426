from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from shifting_latents import Codec, Stop, config, episodes, interrupted, quiet, stop

from worldgym.train import carrier_training
from worldgym.train.carrier_training import _Taught, carrier_loss, train_carrier
from worldgym.train.distributed import ProcessGroup
from worldgym.train.optimizer import OptimizerConfig
from worldgym.train.world_batches import Tables
from worldgym.train.world_train_config import WorldTrainConfig
from worldgym.train.world_training import train_world
from worldgym.world.network import DiT

ALONE = ProcessGroup(0, 1)


def run(out: Path, steps: int = 60, **changes: object) -> WorldTrainConfig:
    settings = OptimizerConfig(steps, lr=1e-2, warmup=5, ema=0.9, decay=1.0)
    base = config(out, batch=16, dtype="float32", carrier=settings, **changes)
    return replace(base, network=replace(base.network, carrier_width=8), save_every=4)


def network_of(wanted: WorldTrainConfig) -> DiT:
    torch.manual_seed(0)
    return DiT(wanted.network)


def test_it_learns_to_carry_on_what_it_carried_on(tmp_path: Path) -> None:
    wanted = run(tmp_path)
    tables = Tables.of(episodes(), wanted)
    network = network_of(wanted)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    loss = carrier_loss(network, tables, wanted, ALONE)
    first = sum(loss(step).item() for step in range(100, 110))
    train_carrier(network, tables, wanted, ALONE)
    last = sum(loss(step).item() for step in range(100, 110))
    assert last < 0.3 * first
    moved = {n for n, value in network.state_dict().items() if not torch.equal(value, before[n])}
    assert {name.split(".")[0] for name in moved} == {"carrier", "action_embedder"}
    assert not any(name.startswith("carrier.let_through") for name in moved)
    assert all(parameter.grad is None for parameter in network.parameters())


def test_stopped_and_resumed_is_uninterrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in the middle of the convolutions' steps, and again in those of the others."""
    whole = train_world(run(tmp_path / "whole", 12), episodes(), Codec(), quiet, quiet)["fake"]
    broken = run(tmp_path / "broken", 12)
    kept = carrier_training.carrier_loss
    monkeypatch.setattr(carrier_training, "carrier_loss", interrupted(kept, 9))
    with pytest.raises(KeyboardInterrupt):
        train_world(broken, episodes(), Codec(), quiet, quiet)
    monkeypatch.setattr(carrier_training, "carrier_loss", kept)
    with pytest.raises(Stop):  # at the first checkpoint of the others
        train_world(broken, episodes(), Codec(), quiet, stop)
    resumed = train_world(broken, episodes(), Codec(), quiet, quiet)["fake"]
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, resumed.network.state_dict()[name]), name


def test_two_processes_take_the_step_of_one(tmp_path: Path) -> None:
    wanted = run(tmp_path)
    tables, network = Tables.of(episodes(), wanted), network_of(wanted)
    whole, *halves = (
        carrier_loss(network, tables, wanted, group)(3).item()
        for group in (ALONE, ProcessGroup(0, 2), ProcessGroup(1, 2))
    )
    assert sum(halves) / 2 == pytest.approx(whole, rel=1e-5) and halves[0] != halves[1]


def test_what_tells_robots_apart_is_taught_too(tmp_path: Path) -> None:
    wanted = run(tmp_path)
    for robots in (1, 2):
        network = DiT(replace(wanted.network, embodiments=robots))
        assert ("token" in dict(_Taught(network).named_parameters())) == (robots == 2)


def test_a_training_that_has_gone_on_is_not_begun_with_them_again(tmp_path: Path) -> None:
    """All weights are in its state; it may have begun before they could be trained first."""
    wanted = run(tmp_path)
    (tmp_path / "state.safetensors").write_bytes(b"")
    train_carrier(network_of(wanted), Tables.of(episodes(), wanted), wanted, ALONE)
    assert not (tmp_path / "carrier.safetensors").exists()


@pytest.mark.parametrize("width", [0, 8])
def test_without_settings_or_without_convolutions_nothing_is_trained(
    tmp_path: Path, width: int
) -> None:
    wanted = run(tmp_path)
    wanted = replace(wanted, network=replace(wanted.network, carrier_width=width))
    wanted = replace(wanted, carrier=None) if width else wanted
    network = network_of(wanted)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    train_carrier(network, Tables.of(episodes(), wanted), wanted, ALONE)
    assert all(torch.equal(value, before[n]) for n, value in network.state_dict().items())
    assert not (tmp_path / "carrier.safetensors").exists()
