"""examples/policies: one for each adapter, run as it stands; LeRobot and OpenVLA against stand-ins
with their signatures."""

from __future__ import annotations

import importlib
import re
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tiny_vla import write_tiny_vla
from two_links import URDF, by_hand

from worldgym.actions.conventions import CONVENTIONS
from worldgym.policies.load_policy import load_policy
from worldgym.tasks.write_tasks import write_task
from worldgym.testing import check_policy
from worldgym.types import Task

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "examples" / "policies"
ADAPTERS = sorted((ROOT / "worldgym/policies/adapters").glob("[!_]*.py"))
SHAPE = (96, 96, 3)
WORLD_PLACE = "bare_world:make?convention_name={}"
WORLD = """
from worldgym.actions.conventions import convention
from worldgym.testing import FakeWorld

def make(convention_name):
    return FakeWorld(convention(convention_name), (96, 96, 3))
"""
# LeRobot 0.4: the functions that are called, with their parameters
CONFIGS = """
from types import SimpleNamespace

class PreTrainedConfig:
    @staticmethod
    def from_pretrained(pretrained_name_or_path, **kwargs):
        feature = lambda *shape: SimpleNamespace(shape=shape)
        return SimpleNamespace(
            type="act", image_features={"observation.images.front": feature(3, 96, 96)},
            robot_state_feature=None, env_state_feature=None, action_feature=feature(4),
            n_action_steps=3, n_obs_steps=1, temporal_ensemble_coeff=None,
        )
"""
FACTORY = """
import torch

class ACTPolicy:
    @classmethod
    def from_pretrained(cls, pretrained_name_or_path, *, config=None, local_files_only=False):
        assert local_files_only and config.device == "cpu"
        return cls()

    def reset(self):
        pass

    def select_action(self, batch):
        light = batch["observation.images.front"].mean((1, 2, 3))
        return torch.stack([light, -light, 0 * light, light], dim=1)

def get_policy_class(name):
    assert name == "act"
    return ACTPolicy

def make_pre_post_processors(policy_cfg, pretrained_path=None, *, preprocessor_overrides=None):
    return dict, lambda action: action
"""

Example = Callable[..., str]


@pytest.fixture
def example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Example:
    """Runs one as a program in a folder of its own, and returns what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(FOLDER))
    importlib.invalidate_caches()

    def run(name: str, *words: object) -> str:
        monkeypatch.setattr(sys, "argv", [name, *map(str, words)])
        runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
        return capsys.readouterr().out

    return run


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    (tmp_path / "bare_world.py").write_text(WORLD)
    frame = np.full(SHAPE, 200, np.uint8)
    write_task(tmp_path / "tasks", Task("drawer/0", "drawer", frame, "open the drawer", 4))
    return tmp_path / "tasks"


def test_every_adapter_has_one_that_its_text_and_a_page_name() -> None:
    names = [path.stem for path in ADAPTERS]
    assert sorted(path.stem for path in FOLDER.glob("*.py")) == names
    pages = "\n".join(page.read_text("utf-8") for page in (ROOT / "docs").rglob("*.md"))
    for path in ADAPTERS:
        place = f"examples/policies/{path.name}"
        assert place in path.read_text("utf-8").split('"""')[1], path
        assert place in pages, f"{place}: no page names it"
        (page,) = re.findall(r"\((docs/[\w/-]+\.md)\)", (ROOT / place).read_text("utf-8"))
        assert (ROOT / page).exists()


def test_lerobot(
    example: Example, tasks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "lerobot"]:
        monkeypatch.delitem(sys.modules, name)
    for place, text in (("configs", CONFIGS), ("policies", FACTORY)):
        (tmp_path / "lerobot" / place).mkdir(parents=True)
        file = {"configs": "policies.py", "policies": "factory.py"}[place]
        (tmp_path / "lerobot" / place / file).write_text(text)
    (tmp_path / "my-act").mkdir()
    (tmp_path / "my-act" / "config.json").write_text("{}")
    try:
        told = example(
            "lerobot_policy",
            tmp_path / "my-act",
            WORLD_PLACE.format("metaworld"),
            tasks,
        )
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "lerobot"]:
            del sys.modules[name]
    assert "my-act: 3 actions an answer, 4 in drawer/0" in told
    assert "closed the gripper: 100%" in told


def test_openvla(
    example: Example, tasks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("transformers", reason="the extra [openvla] is not installed")
    monkeypatch.setattr(
        "transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "cache")
    )
    folder = write_tiny_vla(tmp_path / "tiny-vla")
    told = example("openvla_policy", folder, WORLD_PLACE.format("bridge_v2"), tasks)
    assert re.search(r"tiny-vla was told to open the drawer; it moved by \[.*\] m", told)


def test_a_policy_of_ones_own(example: Example, tmp_path: Path) -> None:
    matrix = np.linspace(-1, 1, 12).reshape(3, 4)
    np.savez(tmp_path / "w.npz", matrix=matrix)
    policy = load_policy("user_policy:make?weights=w.npz", CONVENTIONS["metaworld"])
    try:
        check_policy(policy, SHAPE)
    finally:
        sys.modules.pop("user_policy", None)


def test_converted(example: Example) -> None:
    """The released convention counts 1/35 m."""
    theirs, ours = example("converted").splitlines()
    moved = [
        float(re.findall(r"x (-?\d+\.\d+)", line)[0]) for line in (theirs, ours)
    ]  # to three digits
    assert moved[1] == pytest.approx(35 * moved[0], abs=35 * 5e-4 + 5e-4) and moved[0] != 0


def test_refitted(example: Example) -> None:
    told = example("refitted").splitlines()
    assert [line.split(", ")[:2] for line in told[:3]] == [
        ["delta_pose", "15 Hz"],
        ["delta_pose", "5 Hz"],
        ["absolute_pose", "5 Hz"],
    ]
    assert "joined, 3 in one" in told[3] and "told as absolute_pose" in told[4]


def test_wrapped(example: Example) -> None:
    told = example("wrapped").splitlines()
    assert [line.partition(":")[0] for line in told] == [
        "step-1000",
        "step-9000",
        "step-9000+commit4of8",
    ]
    assert "4 of 8 actions" in told[2]


def test_disturbed(example: Example) -> None:
    lines = [line.partition(": ") for line in example("disturbed_policy").splitlines()]
    rows = {
        name: [float(value) for value in re.findall(r"-?\d\.\d{3}", rest)]
        for name, _, rest in lines
    }
    plain = rows["as it is"]
    assert len(plain) == 4 and rows["2 steps late"] == [0.0, 0.0, *plain[:2]]
    assert rows["gain 1.5"] == pytest.approx([1.5 * value for value in plain], abs=1e-3)
    assert len(set(rows["noise 0.2"])) == 4


def test_posed(example: Example, tmp_path: Path) -> None:
    """FakePolicy's joints lie in [-1.5, 1.5] rad: the hand stays on the two links' disc."""
    pytest.importorskip("mujoco", reason="the extra [kinematics] is not installed")
    (tmp_path / "two.urdf").write_text(URDF)
    told = example("posed", tmp_path / "two.urdf", "hand")
    x, y, z = (float(value) for value in re.findall(r"-?\d\.\d{3}", told))
    assert z == by_hand(0, 0)[2] and 0.1 <= np.hypot(x, y) <= 0.7
