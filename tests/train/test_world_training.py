"""A stopped run resumes to the same weights; processes that share a batch take one process's step;
training learns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from shifting_latents import Codec, Stop, config, episodes, quiet, stop

from worldgym.actions.embodiment import Embodiment
from worldgym.errors import CheckpointError, InputError
from worldgym.io.checkpoint import save_folder
from worldgym.testing import FAKE_SPEC
from worldgym.train.distributed import ProcessGroup
from worldgym.train.world_batches import Tables, make_batch
from worldgym.train.world_training import (
    checkpoint_config,
    diffusion_loss,
    draws_alike,
    start_from,
    train_world,
)
from worldgym.world.network import DiT
from worldgym.world.world_checkpoint import load_diffusion_world


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_stopped_and_resumed_is_uninterrupted(tmp_path: Path, dtype: str) -> None:
    whole = train_world(config(tmp_path / "whole", dtype=dtype), episodes(), Codec(), quiet, quiet)[
        "fake"
    ]
    broken = config(tmp_path / "broken", dtype=dtype)
    with pytest.raises(Stop):
        train_world(broken, episodes(), Codec(), quiet, stop)
    resumed = train_world(broken, episodes(), Codec(), quiet, quiet)["fake"]
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, resumed.network.state_dict()[name]), name


@pytest.mark.parametrize("cameras", [1, 2])
def test_a_start_in_other_patches_gives_its_blocks_alone(tmp_path: Path, cameras: int) -> None:
    run = config(tmp_path)
    begun = DiT(run.network)
    for parameter in begun.parameters():
        torch.nn.init.normal_(parameter)
    robots = [Embodiment("fake", FAKE_SPEC)]
    weights = begun.state_dict()
    save_folder(tmp_path / "begun", checkpoint_config(run, robots, Codec()), weights, "")
    network = DiT(replace(run.network, patch=1, cameras=cameras))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    start_from(network, tmp_path / "begun", robots)
    anew = ("x_proj.", "final_linear.", "position_map", "view_token")
    for name, value in network.state_dict().items():
        expected = before if name.startswith(anew) else weights
        assert torch.equal(value, expected[name]), name
    with pytest.raises(CheckpointError, match="no start for this one"):
        start_from(DiT(replace(run.network, patch=1, width=64)), tmp_path / "begun", robots)


@pytest.mark.parametrize("patch", [1, 2])
def test_convolutions_are_added_to_a_trained_world(tmp_path: Path, patch: int) -> None:
    """Its blocks stay; what leaves them begins with the previous frame, as in any new network."""
    run = config(tmp_path)
    begun = DiT(run.network)
    for parameter in begun.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    robots = [Embodiment("fake", FAKE_SPEC)]
    facts = checkpoint_config(run, robots, Codec())
    save_folder(tmp_path / "begun", facts, begun.state_dict(), "")
    network = DiT(replace(run.network, carrier_width=8, patch=patch))
    start_from(network, tmp_path / "begun", robots)
    for name, value in begun.blocks.state_dict().items():
        assert torch.equal(network.blocks.state_dict()[name], value)
    x, level = torch.randn(2, 3, 2, 4, 4), torch.full((2, 3), 1000.0)
    drawn = x - network(x, level, torch.randn(2, 3, run.network.action_size), x[:, 0])
    torch.testing.assert_close(drawn[:, 1:], x[:, :-1])


@pytest.mark.parametrize("carrier_width", [0, 8])
def test_frames_drawn_directly_are_added_to_a_trained_world(
    tmp_path: Path, carrier_width: int
) -> None:
    """It draws what it drew: its tokens do not look at them yet, and let nothing through."""
    run = config(tmp_path)
    network = replace(run.network, carrier_width=carrier_width)
    begun = DiT(network)
    for parameter in begun.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    robots = [Embodiment("fake", FAKE_SPEC)]
    facts = checkpoint_config(replace(run, network=network), robots, Codec())
    save_folder(tmp_path / "begun", facts, begun.state_dict(), "")
    drawing = DiT(replace(network, direct_width=8))
    start_from(drawing, tmp_path / "begun", robots)
    x, level = torch.randn(2, 3, 2, 4, 4), torch.full((2, 3), 700.0)
    given = (x, level, torch.randn(2, 3, run.network.action_size), x[:, 0])
    torch.testing.assert_close(drawing(*given), begun(*given), atol=1e-5, rtol=1e-5)
    with torch.no_grad():
        assert drawing.direct is not None
        drawing.direct.leave.bias.add_(1.0)
        drawing.x_proj.weight[:, -8:].normal_()
    assert not torch.allclose(drawing(*given), begun(*given), atol=0.01)


def test_what_draws_directly_begins_again_for_another_robot(tmp_path: Path) -> None:
    """And stays for this one; a recipe that has no such part refuses it."""
    run = config(tmp_path)
    network = replace(run.network, direct_width=8)
    begun = DiT(network)
    for parameter in begun.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    robot = Embodiment("fake", FAKE_SPEC)
    facts = checkpoint_config(replace(run, network=network), [robot], Codec())
    save_folder(tmp_path / "begun", facts, begun.state_dict(), "")
    other = Embodiment("other", replace(FAKE_SPEC, rate_hz=7.0))
    for chosen, alike in ((robot, True), (other, False)):
        found = DiT(network)
        start_from(found, tmp_path / "begun", [chosen])
        kept = torch.equal(found.state_dict()["direct.places"], begun.state_dict()["direct.places"])
        assert kept == alike
        assert draws_alike(network, facts["spec"], network, [chosen]) == alike
    assert not draws_alike(network, facts["spec"], replace(network, cameras=2), [robot])
    with pytest.raises(CheckpointError, match="draws frames directly, and the recipe's does not"):
        start_from(DiT(run.network), tmp_path / "begun", [robot])


def test_what_is_carried_on_learns_to_be_the_frame(tmp_path: Path) -> None:
    """Without any help from the transformer, whose loss does not reach it."""
    run = config(tmp_path, batch=16, dtype="float32")
    run = replace(run, network=replace(run.network, carrier_width=8))
    tables = Tables.of(episodes(), run)
    torch.manual_seed(0)
    network = DiT(run.network)
    carrier = network.carrier
    assert carrier is not None
    optimizer = torch.optim.Adam(carrier.parameters(), 3e-3)
    group = ProcessGroup(0, 1)
    errors = []
    for step in range(60):
        batch = make_batch(tables, run, step, group)
        condition = network.condition(torch.full(batch.latents.shape[:2], 1000.0), batch.actions)
        before = torch.cat([batch.latents[:, :1], batch.latents[:, :-1]], 1)
        carried = network.carry(before, batch.start, condition)
        errors.append((carried - batch.latents)[:, 1:].square().mean().item())
        optimizer.zero_grad()
        diffusion_loss(network, run, batch, step).backward()
        optimizer.step()
    assert np.mean(errors[-10:]) < 0.5 * np.mean(errors[:10])


def test_a_cut_state_file_is_named(tmp_path: Path) -> None:
    run = config(tmp_path)
    train_world(run, episodes(), Codec(), quiet, quiet)
    state = tmp_path / "state.safetensors"
    state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(CheckpointError, match=r"state\.safetensors"):
        train_world(run, episodes(), Codec(), quiet, quiet)


def test_two_processes_take_the_step_of_one(tmp_path: Path) -> None:
    run = config(tmp_path, dtype="float32")
    tables = Tables.of(episodes(), run)
    torch.manual_seed(0)
    network = DiT(run.network)
    torch.nn.init.normal_(network.final_linear.weight)

    def gradient(group: ProcessGroup) -> torch.Tensor:
        network.zero_grad()
        diffusion_loss(network, run, make_batch(tables, run, 5, group), 5).backward()
        return torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])

    halves = (gradient(ProcessGroup(0, 2)) + gradient(ProcessGroup(1, 2))) / 2
    torch.testing.assert_close(halves, gradient(ProcessGroup(0, 1)), atol=1e-6, rtol=1e-4)


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    with pytest.raises(InputError, match="multiple"):
        ProcessGroup(0, 3).shard(16)


def test_training_learns_what_actions_do(tmp_path: Path) -> None:
    losses: list[float] = []
    run = config(tmp_path, steps=200, batch=16, dtype="float32", save_every=1000)
    train_world(
        run, episodes(), Codec(), lambda step, scalars: losses.append(scalars["loss"]), quiet
    )
    assert len(losses) == 4
    assert losses[-1] < 0.7 * losses[0]


def test_checkpoint_round_trip_and_the_wrong_codec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = train_world(config(tmp_path, dtype="float32"), episodes(), Codec(), quiet, quiet)[
        "fake"
    ]
    monkeypatch.setattr(
        "worldgym.world.world_checkpoint.load_codec", lambda folder, device: Codec()
    )
    loaded = load_diffusion_world(tmp_path, dtype="float32")
    assert loaded.config == world.config
    for name, value in world.network.state_dict().items():
        assert torch.equal(value.bfloat16().float(), loaded.network.state_dict()[name]), name
    monkeypatch.setattr(Codec, "latents", "another")
    with pytest.raises(CheckpointError, match="another"):
        load_diffusion_world(tmp_path / "world")
