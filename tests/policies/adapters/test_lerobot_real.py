"""LeRobot itself: ACT and diffusion policies from tiny configs, saved, loaded and evaluated. `make
test-lerobot` runs this."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from worldgym.actions.conventions import convention
from worldgym.errors import InputError
from worldgym.evaluation.plan import EvaluateConfig
from worldgym.evaluation.run import evaluate_parts
from worldgym.io.run_log import read_log
from worldgym.policies.load_policy import load_policy
from worldgym.testing import FakeJudge, FakeWorld, check_policy
from worldgym.types import Task

pytest.importorskip("lerobot", reason="LeRobot has an environment of its own: make test-lerobot")
pytestmark = [
    pytest.mark.filterwarnings("default"),  # other people's warnings are not ours to fix
    pytest.mark.slow,
]

# PyPI's torchvision is built for CUDA. Beside torch's CPU build its operators cannot be loaded, and
# its import fails for want of these two, of which it declares the shapes: ACT and diffusion
# policies use neither.
if torch.version.cuda is None and "+" not in version("torchvision"):
    OPERATORS = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        OPERATORS.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

SPEC, SHAPE = convention("metaworld"), (96, 96, 3)
IMAGE, STATE = "observation.images.front", "observation.state"
HOW = "convention=metaworld&state=x,y,z,gripper_open&from_zero=yes"
SIZES: dict[str, dict[str, Any]] = {
    "act": {
        "chunk_size": 8,
        "n_action_steps": 4,
        "dim_model": 32,
        "n_heads": 2,
        "dim_feedforward": 64,
        "n_encoder_layers": 1,
        "n_vae_encoder_layers": 1,
        "latent_dim": 8,
    },
    "diffusion": {
        "n_obs_steps": 2,
        "horizon": 8,
        "n_action_steps": 4,
        "down_dims": (16, 32),
        "diffusion_step_embed_dim": 16,
        "crop_shape": (84, 84),
        "crop_is_random": False,
        "spatial_softmax_num_keypoints": 4,
        "num_train_timesteps": 10,
        "noise_scheduler_type": "DDIM",
        "num_inference_steps": 2,
    },
}


def write_policy(folder: Path, kind: str) -> Path:
    """A randomly initialised policy with its processors, as LeRobot saves them."""
    from lerobot.configs.types import FeatureType, PolicyFeature
    from lerobot.policies.factory import (
        get_policy_class,
        make_policy_config,
        make_pre_post_processors,
    )

    inputs = {
        IMAGE: PolicyFeature(FeatureType.VISUAL, (3, 96, 96)),
        STATE: PolicyFeature(FeatureType.STATE, (4,)),
    }
    outputs = {"action": PolicyFeature(FeatureType.ACTION, (4,))}
    settings = {
        "pretrained_backbone_weights": None,
        "device": "cpu",
        "push_to_hub": False,
        **SIZES[kind],
    }
    config = make_policy_config(kind, input_features=inputs, output_features=outputs, **settings)
    torch.manual_seed(0)
    get_policy_class(kind)(config).save_pretrained(folder)
    numbers = {
        "mean": torch.zeros(4),
        "std": torch.ones(4),
        "min": -torch.ones(4),
        "max": torch.ones(4),
    }
    picture = {"mean": torch.full((3, 1, 1), 0.5), "std": torch.full((3, 1, 1), 0.25)}
    picture |= {"min": torch.zeros(3, 1, 1), "max": torch.ones(3, 1, 1)}
    stats = {IMAGE: picture, STATE: numbers, "action": numbers}
    for processor in make_pre_post_processors(config, dataset_stats=stats):
        processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=["act", "diffusion"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_policy(tmp_path_factory.mktemp("lerobot") / f"tiny-{request.param}", request.param)


def test_it_is_a_policy_of_ours(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = load_policy(f"lerobot:{folder}?{HOW}")
    assert capsys.readouterr().out == ""  # standard output is for results
    assert (policy.name, policy.chunk, policy.spec) == (folder.name, 4, SPEC)
    assert policy.needs.history == (2 if "diffusion" in folder.name else 1)
    check_policy(policy, SHAPE, atol=1e-4)


def test_an_evaluation_runs_to_its_end(folder: Path, tmp_path: Path) -> None:
    policy = load_policy(f"lerobot:{folder}?{HOW}", SPEC)
    frames = np.random.default_rng(0).integers(0, 256, (3, *SHAPE)).astype(np.uint8)
    tasks = [Task(f"t/{i}", "t", frame, "open the drawer", 10) for i, frame in enumerate(frames)]
    summary = evaluate_parts(
        EvaluateConfig(tmp_path, trials=3, batch=2),
        FakeWorld(SPEC, SHAPE),
        [policy],
        tasks,
        FakeJudge(),
    )
    header, records = read_log(tmp_path / "log.jsonl")
    assert summary.policies[0].trials == 3 and all(
        record.failure_reason is None for record in records
    )
    assert header.policies[0]["needs"]["state"] == ["x", "y", "z", "gripper_open"]
    assert {record.flags for record in records} == {("state counted from zero",)}


def test_a_chunk_is_what_lerobots_own_loop_gives(folder: Path) -> None:
    """`reset`, then `select_action` at every step, with the noise of each answer drawn from the
    seed that the adapter takes."""
    from lerobot.configs.policies import PreTrainedConfig
    from lerobot.policies.factory import get_policy_class, make_pre_post_processors

    from worldgym.evaluation.rollout import roll_out
    from worldgym.policies.adapters.lerobot_policy import _seed
    from worldgym.types import Trial

    config = PreTrainedConfig.from_pretrained(folder)
    model = get_policy_class(config.type).from_pretrained(folder, config=config)
    before, after = make_pre_post_processors(config, pretrained_path=str(folder))
    frame = np.random.default_rng(1).integers(0, 256, SHAPE).astype(np.uint8)
    trial = Trial(Task("t/0", "t", frame, "open the drawer", 12), 0, 3)
    rollout = roll_out(FakeWorld(SPEC, SHAPE), load_policy(f"lerobot:{folder}?{HOW}"), [trial])[0]
    places = np.concatenate([np.zeros((1, 3)), 0.04 * np.cumsum(rollout.actions[:, :3], axis=0)])
    model.reset()
    for t, action in enumerate(rollout.actions):
        opened = 1.0 if t == 0 else float(rollout.actions[t - 1, 3] < 0)
        seen = {
            IMAGE: torch.from_numpy(rollout.frames[t]).permute(2, 0, 1).float() / 255.0,
            STATE: torch.tensor([*places[t], opened], dtype=torch.float32),
            "task": "open the drawer",
        }
        if t % 4 == 0:
            torch.manual_seed(_seed(trial.seed, t))
        natural = after(model.select_action(before(seen)))[0].clamp(-1, 1).numpy()
        np.testing.assert_allclose(action, natural, atol=1e-4)


def test_what_it_lacks_is_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="reads 4 numbers of the robot's state, and the option state names 0"
    ):
        load_policy(f"lerobot:{folder}?convention=metaworld")
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    with pytest.raises(InputError, match="LeRobot cannot load it"):
        load_policy(f"lerobot:{tmp_path}?{HOW}")
    with pytest.raises(InputError, match="task t/0 does not say how it starts"):
        policy = load_policy(f"lerobot:{folder}?{HOW.replace('&from_zero=yes', '')}")
        task = Task("t/0", "t", np.zeros(SHAPE, np.uint8), "go", 4)
        evaluate_parts(
            EvaluateConfig(tmp_path / "run", trials=1),
            FakeWorld(SPEC, SHAPE),
            [policy],
            [task],
            replace(FakeJudge()),
        )
