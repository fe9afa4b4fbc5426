from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_networks import SPEC, TRUNK

from worldgym.errors import InputError
from worldgym.policies.load_policy import load_policy
from worldgym.policies.own.diffusion import (
    DiffusionConfig,
    DiffusionNet,
    DiffusionPolicy,
    time_features,
)
from worldgym.policies.policy_protocol import Observation
from worldgym.testing import check_policy
from worldgym.types import Task, Trial

TINY = DiffusionConfig(size=(16, 24), actions=3, chunk=4, width=16, layers=2, heads=2, trunk=TRUNK)


def make_policy(config: DiffusionConfig = TINY) -> DiffusionPolicy:
    torch.manual_seed(0)
    return DiffusionPolicy(DiffusionNet(config), SPEC, "tiny")


def look(step: int = 0) -> Observation:
    return Observation(
        np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8), "do it", step
    )


def test_conforms() -> None:
    check_policy(make_policy(), (16, 24, 3))


def test_noise_is_the_trials_and_the_steps() -> None:
    policy = make_policy()
    trials = [Trial(Task("a/1", "a", look().frame, "do it", 5), repeat, 0) for repeat in (0, 1)]
    states = policy.reset(trials)
    _, actions = policy.act(states, [look(), look()])
    assert np.abs(actions[0] - actions[1]).max() > 1e-4
    assert np.abs(policy.act(states[:1], [look(4)])[1] - actions[:1]).max() > 1e-4
    np.testing.assert_allclose(policy.act(states[:1], [look()])[1], actions[:1], atol=1e-5)


def test_without_temperature_all_trials_act_alike() -> None:
    policy = make_policy(replace(TINY, temperature=0.0))
    _, actions = policy.act([3, 9], [look(), look()])
    np.testing.assert_allclose(actions[0], actions[1], atol=1e-5)
    assert np.abs(actions - make_policy().act([3, 9], [look(), look()])[1]).max() > 1e-4


def test_what_is_executed_is_the_beginning_of_the_chunk() -> None:
    whole, part = make_policy(), make_policy(replace(TINY, execute=2))
    assert (whole.chunk, part.chunk) == (4, 2)
    np.testing.assert_array_equal(whole.act([7], [look()])[1][:, :2], part.act([7], [look()])[1])


def test_the_last_euler_step_returns_the_networks_answer() -> None:
    net = DiffusionNet(replace(TINY, steps=1)).eval()
    frames, features = torch.zeros(2, 16, 24, 3, dtype=torch.uint8), torch.randn(2, 16)
    noise = torch.randn(2, 4, 3)
    with torch.no_grad():
        clean = net(*net.look(frames, features), noise[:, None], torch.zeros(2, 1))[:, 0].clamp(
            -1, 1
        )
        torch.testing.assert_close(net.draw(frames, features, noise), clean)


def test_labels_behind_the_mask_change_nothing() -> None:
    net = DiffusionNet(TINY)
    frames, features = torch.zeros(2, 16, 24, 3, dtype=torch.uint8), torch.randn(2, 16)
    wanted, mask = torch.rand(2, 4, 3), torch.tensor([[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
    other = wanted.clone()
    other[0, 2:] = -1.0
    losses = [
        float(net.loss(frames, features, x, mask, np.random.default_rng(3)).detach())
        for x in (wanted, other)
    ]
    assert losses[0] == losses[1] > 0.0
    assert (
        float(net.loss(frames, features, -wanted, mask, np.random.default_rng(3)).detach())
        != losses[0]
    )


def test_times_are_told_apart() -> None:
    features = time_features(torch.linspace(0, 1, 9))
    assert features.shape == (9, 32)
    assert torch.cdist(features, features).fill_diagonal_(9.0).min() > 0.5


def test_saved_and_loaded(tmp_path: Path) -> None:
    policy = make_policy()
    policy.save(tmp_path / "tiny", {"step": 3}, "# tiny\n")
    loaded = load_policy(tmp_path / "tiny")
    assert (loaded.name, loaded.spec, loaded.chunk) == ("tiny", SPEC, 4)
    np.testing.assert_allclose(
        loaded.act([5], [look()])[1], policy.act([5], [look()])[1], atol=0.05
    )


def test_the_default_size_stays_small() -> None:
    assert (
        sum(parameter.numel() for parameter in DiffusionNet(DiffusionConfig()).parameters()) < 1e6
    )


def test_wrong_input_is_named() -> None:
    with pytest.raises(InputError, match=r"\(16, 24, 3\), not \(8, 8, 3\)"):
        make_policy().act([0], [Observation(np.zeros((8, 8, 3), np.uint8), "do it", 0)])
    with pytest.raises(InputError, match="gives 2 numbers"):
        DiffusionPolicy(DiffusionNet(replace(TINY, actions=2)), SPEC, "tiny")
