"""The transformers path, with a tiny model of OpenVLA's shape whose Python files lie in its
folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tiny_vla import write_tiny_vla

from worldgym.actions.conventions import convention
from worldgym.errors import InputError
from worldgym.evaluation.plan import EvaluateConfig
from worldgym.evaluation.run import evaluate_parts
from worldgym.policies.load_policy import load_policy
from worldgym.policies.policy_protocol import Observation
from worldgym.testing import FakeJudge, FakeWorld, check_policy
from worldgym.types import Task

pytest.importorskip("transformers", reason="the extra [openvla] is not installed")

SHAPE = (48, 40, 3)
FRAME = np.random.default_rng(0).integers(0, 256, SHAPE, np.uint8)
TRUST = "trust_remote_code=yes"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_vla(tmp_path_factory.mktemp("vla") / "tiny-vla")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """transformers copies a folder's Python files into its cache before it runs them."""
    monkeypatch.setattr(
        "transformers.dynamic_module_utils.HF_MODULES_CACHE",
        str(tmp_path_factory.getbasetemp() / "hf"),
    )


def options(folder: Path, *more: str) -> str:
    return f"openvla:{folder}?" + "&".join(("convention=bridge_v2", *more))


def test_it_acts_and_is_one_of_ours(tiny: Path) -> None:
    policy = load_policy(options(tiny, "unnorm_key=bridge_orig", TRUST))
    assert (policy.name, policy.chunk, policy.spec) == ("tiny-vla", 1, convention("bridge_v2"))
    check_policy(policy, SHAPE)
    told = policy.act(
        [None] * 2,
        [Observation(FRAME, text, 0) for text in ("open the drawer", "push the cup away")],
    )[1]
    assert told.shape == (2, 1, 7) and not np.array_equal(told[0], told[1])
    shouted = policy.act([None], [Observation(FRAME, "Open THE drawer", 0)])[1]
    np.testing.assert_array_equal(shouted[0], told[0])
    assert ((told[..., :6] >= -0.2) & (told[..., :6] <= 0.2)).all() and np.abs(
        told[..., :3]
    ).max() <= 0.05


def test_weights_stay_in_two_bytes(tiny: Path) -> None:
    policy = load_policy(options(tiny, TRUST))
    assert str(policy._model.dtype) == "torch.bfloat16"  # type: ignore[attr-defined]


def test_an_evaluation_in_a_world_of_the_released_convention(tiny: Path, tmp_path: Path) -> None:
    released = convention("released_10")
    policy = load_policy("mine=" + options(tiny, TRUST), released)
    tasks = [Task(f"t/{i}", "t", np.roll(FRAME, i), "close the lid", 3) for i in range(2)]
    summary = evaluate_parts(
        EvaluateConfig(tmp_path, trials=2, batch=2),
        FakeWorld(released, SHAPE),
        [policy],
        tasks,
        FakeJudge(),
    )
    assert summary.policies[0].policy == "mine" and summary.policies[0].trials == 2


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        (
            (),
            r"runs the Python files in .*tiny-vla: read them, then allow it with "
            r"&trust_remote_code=yes",
        ),
        (("trust_remote_code=no",), "read them"),
        (("trust_remote_code=perhaps",), 'trust_remote_code is "perhaps"; give yes or no'),
        (
            ("unnorm_key=fractal", TRUST),
            'unnorm_key is "fractal"; the model has statistics of bridge_orig',
        ),
        (("chunk=0", TRUST), 'chunk is "0"; give a whole number from 1'),
        (("colour=red", TRUST), 'the unknown option "colour"'),
        (("attention=flash_attention_9", TRUST), "transformers cannot load it"),
    ],
)
def test_what_does_not_work_gets_one_sentence(
    tiny: Path, more: Sequence[str], complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint) as caught:
        load_policy(options(tiny, *more))
    assert "\n" not in str(caught.value)


def test_the_convention_must_be_said(tiny: Path) -> None:
    with pytest.raises(
        InputError, match=r"does not say what its actions mean .*: add \?convention="
    ):
        load_policy(f"openvla:{tiny}")
    with pytest.raises(InputError, match='no action convention "mars"'):
        load_policy(f"openvla:{tiny}?convention=mars")


def test_a_key_is_needed_among_several(tmp_path: Path) -> None:
    folder = write_tiny_vla(tmp_path / "two", ("bridge_orig", "fractal"))
    with pytest.raises(
        InputError, match='unnorm_key is ""; the model has statistics of bridge_orig, fractal'
    ):
        load_policy(options(folder, TRUST))
    assert load_policy(options(folder, TRUST, "unnorm_key=fractal")).name == "two"


def test_folders_that_hold_something_else(tmp_path: Path, tiny: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere/config\.json: no such file"):
        load_policy(options(tmp_path / "nowhere", TRUST))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "nobody"}))
    with pytest.raises(InputError, match="transformers cannot load it"):
        load_policy(options(tmp_path, TRUST))


def test_an_answer_of_another_shape(tiny: Path) -> None:
    policy = load_policy(options(tiny, "chunk=4", TRUST))
    with pytest.raises(InputError, match=r"shape \(1, 7\) where \(4, 7\) are due"):
        policy.act([None], [Observation(FRAME, "go", 0)])
