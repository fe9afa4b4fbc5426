from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from shifting_latents import Codec as NoCodec
from shifting_latents import Stop, episodes, interrupted, quiet, stop
from shifting_latents import config as shifting

from worldgym.train import direct_training
from worldgym.train.direct_training import direct_loss, train_direct
from worldgym.train.distributed import ProcessGroup
from worldgym.train.optimizer import OptimizerConfig
from worldgym.train.world_batches import Tables
from worldgym.train.world_train_config import DirectTraining, WorldTrainConfig
from worldgym.train.world_training import train_world
from worldgym.world.network import DiT

ALONE = ProcessGroup(0, 1)


class Codec(NoCodec):
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        pixels = latents[:, :1].repeat(1, 3, 1, 1).permute(0, 2, 3, 1)
        return (20 * pixels + 128).clamp(0, 255).to(torch.uint8)


def run(out: Path, steps: int = 60, **changes: object) -> WorldTrainConfig:
    settings = OptimizerConfig(steps, lr=5e-3, warmup=5, ema=0.9, decay=1.0)
    first = DirectTraining(replace(settings, steps=6), settings)
    base = shifting(out, batch=16, dtype="float32", direct=first, **changes)
    return replace(base, network=replace(base.network, direct_width=8), save_every=4)


def network_of(wanted: WorldTrainConfig) -> DiT:
    torch.manual_seed(0)
    return DiT(wanted.network)


def test_it_learns_to_draw_every_frame_from_the_initial_one(tmp_path: Path) -> None:
    wanted = run(tmp_path)
    tables = Tables.of(episodes(), wanted)
    network = network_of(wanted)
    assert network.direct is not None
    before = {name: value.clone() for name, value in network.state_dict().items()}
    loss = direct_loss(network.direct, tables, wanted, ALONE)
    first = sum(loss(step).item() for step in range(100, 110))
    train_direct(network, tables, wanted, Codec(), ALONE)
    last = sum(loss(step).item() for step in range(100, 110))
    assert last < 0.3 * first
    moved = {n for n, value in network.state_dict().items() if not torch.equal(value, before[n])}
    assert {name.split(".")[0] for name in moved} == {"direct"}
    assert not any(name.startswith("direct.let_through") for name in moved)
    assert all(parameter.grad is None for parameter in network.parameters())


def test_stopped_and_resumed_is_uninterrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in the middle of its steps, and again in those of the whole network, which leave it
    as it is."""
    whole = train_world(run(tmp_path / "whole", 12), episodes(), Codec(), quiet, quiet)["fake"]
    broken = run(tmp_path / "broken", 12)
    kept = direct_training.direct_loss
    monkeypatch.setattr(direct_training, "direct_loss", interrupted(kept, 9))
    with pytest.raises(KeyboardInterrupt):
        train_world(broken, episodes(), Codec(), quiet, quiet)
    monkeypatch.setattr(direct_training, "direct_loss", kept)
    with pytest.raises(Stop):  # at the first checkpoint of the others
        train_world(broken, episodes(), Codec(), quiet, stop)
    resumed = train_world(broken, episodes(), Codec(), quiet, quiet)["fake"]
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, resumed.network.state_dict()[name]), name
    alone = network_of(broken)
    train_direct(alone, Tables.of(episodes(), broken), run(tmp_path / "alone", 12), Codec(), ALONE)
    for name, value in alone.state_dict().items():
        if name.startswith("direct.") and "let_through" not in name:
            assert torch.equal(value, whole.network.state_dict()[name]), name


def test_two_processes_take_the_step_of_one(tmp_path: Path) -> None:
    wanted = run(tmp_path)
    tables, network = Tables.of(episodes(), wanted), network_of(wanted)
    assert network.direct is not None
    whole, *halves = (
        direct_loss(network.direct, tables, wanted, group)(3).item()
        for group in (ALONE, ProcessGroup(0, 2), ProcessGroup(1, 2))
    )
    assert sum(halves) / 2 == pytest.approx(whole, rel=1e-4) and halves[0] != halves[1]


def test_views_that_were_not_recorded_are_not_learned(tmp_path: Path) -> None:
    """Whatever stands in their place."""
    wanted = run(tmp_path)
    wanted = replace(wanted, network=replace(wanted.network, cameras=2))
    (data,) = episodes()
    two = np.concatenate([data.latents, data.latents], 2)
    other = two.copy()
    other[:, :, 4:] += 1.0
    present = np.array([[True, False]] * len(data))
    found = []
    for latents in (two, other):
        tables = Tables.of([replace(data, latents=latents, present=present)], wanted)
        direct = network_of(wanted).direct
        assert direct is not None
        found.append(direct_loss(direct, tables, wanted, ALONE)(0).item())
    assert found[0] == found[1] > 0


@pytest.mark.parametrize("width", [0, 8])
def test_without_settings_or_without_it_nothing_is_trained(tmp_path: Path, width: int) -> None:
    wanted = run(tmp_path)
    wanted = replace(wanted, network=replace(wanted.network, direct_width=width))
    wanted = replace(wanted, direct=None) if width else wanted
    network = network_of(wanted)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    train_direct(network, Tables.of(episodes(), wanted), wanted, Codec(), ALONE)
    assert all(torch.equal(value, before[n]) for n, value in network.state_dict().items())
    assert not list(tmp_path.glob("*.safetensors"))
