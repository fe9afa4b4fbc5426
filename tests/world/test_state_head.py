"""A world says how the robot stands, and draws what it drew without saying it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from tiny_networks import tiny_world

from worldgym.cli import main
from worldgym.codecs.conv import ConvCodec, ConvCodecConfig
from worldgym.episodes.store import EpisodeStore
from worldgym.errors import CheckpointError, InputError
from worldgym.evaluation.rollout import roll_out
from worldgym.io.checkpoint import save_folder
from worldgym.policies.observations import check_needs
from worldgym.policies.policy_protocol import Needs, Observation
from worldgym.testing import FAKE_SPEC, FakePolicy
from worldgym.train.optimizer import FitConfig
from worldgym.train.state_head_training import (
    StateHeadRequest,
    measure_state_head,
    train_state_head,
)
from worldgym.types import Actions, Episode, States, Task, Trial
from worldgym.world.fitted_world import fit
from worldgym.world.network import DiT
from worldgym.world.row_threads import SplitWorld
from worldgym.world.state_head import STATE_HEAD
from worldgym.world.world_answers import robot_states
from worldgym.world.world_checkpoint import load_diffusion_world
from worldgym.world.world_config import WorldConfig

LENGTH = 8


def store_of(root: Path, count: int = 6) -> EpisodeStore:
    """A bright bar stands where the sum of the first number says; so does the state "place"."""
    store = EpisodeStore.create(root, FAKE_SPEC, 20.0)
    for seed in range(count):
        actions = np.random.default_rng(seed).uniform(-1, 1, (LENGTH, 3)).astype(np.float32)
        place = np.concatenate([[0.0], np.cumsum(actions[:, 0])])
        frames = np.zeros((LENGTH + 1, 1, 32, 32, 3), np.uint8)
        for t, x in enumerate(place):
            frames[t, 0, :, max(0, int(16 + 3 * x)) :] = 200
        states = States(np.stack([place, 5.0 + 0 * place], 1).astype(np.float32), ("place", "five"))
        told = Episode(frames, actions, "go", FAKE_SPEC, 20.0, True, "synthetic", {}, states)
        store.write(f"e{seed}", told)
    return store


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained one, with its codec beside it."""
    root = tmp_path_factory.mktemp("world")
    run = tiny_world(root, "cpu")
    torch.manual_seed(0)
    ConvCodec(ConvCodecConfig(32, 4, 16, 1)).save(root / "codec", "", {})
    known = ConvCodec.load(root / "codec").fingerprint
    config = WorldConfig(FAKE_SPEC, run.network, run.sampler, run.schedule, {}, known)
    save_folder(root / "world", config.to_json(), DiT(run.network).state_dict(), "")
    return root


class Asks(FakePolicy):
    """Acts on a number of the robot's state."""

    seen: ClassVar[list[tuple[float, ...]]] = []

    def act(
        self, states: Sequence[Any], observations: Sequence[Observation]
    ) -> tuple[list[Any], Actions]:
        self.seen.extend(observation.state for observation in observations)
        return super().act(states, observations)


def test_a_head_learns_the_state_and_the_world_draws_the_same(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = store_of(tmp_path / "store")
    starts = np.stack([store[name].frames[0] for name in ("e0", "e1", "e2")])
    actions = np.stack([store[name].actions for name in ("e0", "e1", "e2")])
    plain = load_diffusion_world(world, dtype="float32")
    assert plain.capabilities.returns == () and robot_states(plain, None, 1, 1).size == 0
    _, before = plain.step(plain.reset(starts, [1, 2, 3]), actions)
    with pytest.raises(InputError, match="has no state head; train one first"):
        measure_state_head(StateHeadRequest(world, store.root, store.root))

    fit_ = FitConfig(steps=300, batch=32, lr=3e-3, warmup=10, average=0.9)
    place, five = train_state_head(StateHeadRequest(world, store.root, store.root, fit_))
    assert place.name == "place" and place.recorded < 0.4 * place.spread
    assert five.recorded < 0.1 and np.isfinite(place.drawn)
    telling = load_diffusion_world(world, dtype="float32")
    assert telling.name != plain.name and telling.capabilities.returns == ("place", "five")
    state = telling.reset(starts, [1, 2, 3])
    assert telling.robot_states(state).shape == (3, 1, 2)
    whole, after = telling.step(state, actions)
    np.testing.assert_array_equal(before, after)
    told = telling.robot_states(whole)
    assert told.shape == (3, LENGTH, 2)
    pieces = []
    for chunk in np.split(actions, [3, 5], axis=1):
        state, _ = telling.step(state, chunk)
        pieces.append(telling.robot_states(state))
    np.testing.assert_allclose(np.concatenate(pieces, 1), told, atol=1e-4)
    split = SplitWorld(telling, 2)
    shared, _ = split.step(split.reset(starts, [1, 2, 3]), actions)
    np.testing.assert_allclose(split.robot_states(shared), told, atol=1e-4)
    assert fit(telling).capabilities.returns == ("place", "five")
    assert telling.with_sampler(steps=1).capabilities.returns == ("place", "five")

    policy = Asks(needs=Needs(state=("place",)))
    task = Task("a/0", "a", starts[0, 0], "go", 3)
    check_needs("asks", policy.needs, FAKE_SPEC, [task], telling.views, ("place", "five"))
    with pytest.raises(InputError, match="needs the robot's state"):
        check_needs("asks", policy.needs, FAKE_SPEC, [task], plain.views)
    roll_out(telling, policy, [Trial(task, 0, 0)])
    begun = telling.robot_states(telling.reset(starts[:1], [0]))
    assert policy.seen[0] == pytest.approx(tuple(begun[0, 0, :1])) and len(set(policy.seen)) == 3

    words = ["--data", str(store.root), "--held-out", str(store.root), "--steps", "2"]
    main(["world", "train-states", str(world), *words])
    assert "| place | " in capsys.readouterr().out


def test_what_does_not_fit_is_refused(world: Path, tmp_path: Path) -> None:
    store = store_of(tmp_path / "store", 2)
    request = StateHeadRequest(world, store.root, store.root, FitConfig(1, 4, warmup=1))
    train_state_head(request)
    head = load_diffusion_world(world).states
    assert head is not None
    other = replace(head.config, codec="other")
    (world / STATE_HEAD).rename(tmp_path / "head")
    head.config = other
    head.save(world / STATE_HEAD, {}, "")
    with pytest.raises(CheckpointError, match=r"reads latents \(4, 4, 4\) of codec other"):
        load_diffusion_world(world)
    for file in (world / STATE_HEAD).iterdir():
        file.unlink()
    (world / STATE_HEAD).rmdir()
    nameless = replace(store["e0"], states=None)
    store.write("e0", nameless)
    with pytest.raises(InputError, match="episode e0 names no states of the robot"):
        train_state_head(request)
    assert not (world / STATE_HEAD).exists()
