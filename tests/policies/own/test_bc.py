import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_networks import SPEC, TRUNK

from worldgym.errors import CheckpointError, InputError
from worldgym.io.checkpoint import save_folder
from worldgym.policies.load_policy import load_policy
from worldgym.policies.own.bc import BCConfig, BCNet, BCPolicy
from worldgym.policies.policy_protocol import Observation
from worldgym.testing import check_policy
from worldgym.types import Task, Trial

TINY = BCConfig(size=(16, 24), actions=3, chunk=4, hidden=8, trunk=TRUNK)


def make_policy() -> BCPolicy:
    torch.manual_seed(0)
    return BCPolicy(BCNet(TINY), SPEC, "tiny")


def make_observations(count: int) -> list[Observation]:
    rng = np.random.default_rng(0)
    return [
        Observation(rng.integers(0, 256, (16, 24, 3), np.uint8), f"do thing {i}", i)
        for i in range(count)
    ]


def test_batch_equals_one_by_one() -> None:
    policy, observations = make_policy(), make_observations(6)
    task = Task("a/1", "a", observations[0].frame, "do it", 5)
    states = policy.reset([Trial(task, i, 0) for i in range(6)])
    _, together = policy.act(states, observations)
    assert together.shape == (6, 4, 3) and together.dtype == np.float32
    apart = np.concatenate([policy.act([None], [observation])[1] for observation in observations])
    np.testing.assert_allclose(together, apart, atol=1e-5)
    assert (together >= SPEC.low).all() and (together <= SPEC.high).all()
    assert np.abs(together[0] - together[1]).max() > 1e-4


def test_conforms() -> None:
    check_policy(make_policy(), (16, 24, 3))


def test_wrong_frame_size_is_named() -> None:
    with pytest.raises(InputError, match=r"\(16, 24, 3\), not \(8, 8, 3\)"):
        make_policy().act([None], [Observation(np.zeros((8, 8, 3), np.uint8), "do it", 0)])


def test_saved_and_loaded(tmp_path: Path) -> None:
    policy, observations = make_policy(), make_observations(2)
    policy.save(tmp_path / "tiny", {"steps": 3}, "# tiny\n")
    loaded = load_policy(tmp_path / "tiny")
    assert (loaded.name, loaded.spec, loaded.chunk) == ("tiny", SPEC, 4)
    np.testing.assert_allclose(
        loaded.act([None, None], observations)[1],
        policy.act([None, None], observations)[1],
        atol=0.02,
    )
    config = json.loads((tmp_path / "tiny" / "config.json").read_text())
    assert config["trained"] == {"steps": 3} and config["kind"] == "bc"


def test_the_bundled_size_fits(tmp_path: Path) -> None:
    BCPolicy(
        BCNet(BCConfig(chunk=8)),
        replace(SPEC, names=(*"abcd",), low=(-1.0,) * 4, high=(1.0,) * 4),
        "full",
    ).save(tmp_path / "p", {}, "")
    assert (tmp_path / "p" / "model.safetensors").stat().st_size <= 0.7 * 2**20


def test_a_checkpoint_of_another_kind_is_refused(tmp_path: Path) -> None:
    save_folder(tmp_path / "other", {"kind": "codec"}, {"w": torch.zeros(1)}, "")
    with pytest.raises(CheckpointError, match='holds a "codec"'):
        load_policy(tmp_path / "other")


def test_spec_and_network_must_agree() -> None:
    with pytest.raises(InputError, match="3 numbers"):
        BCPolicy(BCNet(TINY), replace(SPEC, names=("x",)), "odd")
