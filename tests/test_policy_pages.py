"""docs/policies/: its example and commands, and the two scripts of examples/ against stand-ins for
what they import."""

from __future__ import annotations

import base64
import importlib
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from worldgym.actions.conventions import convention
from worldgym.cli import parsed
from worldgym.cli.run_commands import Evaluate
from worldgym.evaluation.plan import EvaluateConfig
from worldgym.evaluation.run import evaluate_parts
from worldgym.io.named_source import NamedSource
from worldgym.io.run_log import read_log
from worldgym.policies.adapters import lerobot_policy as lerobot
from worldgym.policies.adapters import openvla_policy as openvla
from worldgym.policies.load_policy import given_name, load_policy
from worldgym.policies.wire.address import Address, is_address
from worldgym.policies.wire.family import load_family
from worldgym.testing import FakeJudge, FakeWorld, check_policy
from worldgym.types import Task

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs" / "policies").glob("*.md"))
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMANDS = [
    (page.name, line)
    for page in PAGES
    for kind, block in BLOCK.findall(page.read_text(encoding="utf-8"))
    for line in block.splitlines()
    if kind == "sh" and line.startswith("worldgym evaluate ")
]
SHAPE = (96, 96, 3)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, in which modules are found, and forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(
            (str(tmp_path), str(ROOT / "examples"))
        ):
            del sys.modules[name]
    importlib.invalidate_caches()


def test_the_example_is_a_policy_and_is_evaluated(here: Path) -> None:
    text = (ROOT / "docs/policies/your-own.md").read_text(encoding="utf-8")
    example, check = [block for kind, block in BLOCK.findall(text) if kind == "python"]
    (here / "my_policy.py").write_text(example)
    exec(compile(check, "<page>", "exec"), {"__name__": "page"})
    spec = convention("metaworld")
    task = Task("t/0", "t", np.full(SHAPE, 200, np.uint8), "push", 5)
    policy = load_policy("my_policy:make", spec)
    evaluate_parts(
        EvaluateConfig(here / "run", trials=2),
        FakeWorld(spec, SHAPE),
        [policy],
        [task],
        FakeJudge(),
    )
    header, records = read_log(here / "run" / "log.jsonl")
    assert header.policies[0]["needs"] == {"history": 2} and [
        r.failure_reason for r in records
    ] == [None, None]


def test_there_are_commands() -> None:
    assert {page for page, _ in COMMANDS} >= {"lerobot.md", "octo.md", "openvla.md", "rt-1-x.md"}


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_commands_parse_and_their_options_exist(page: str, command: str) -> None:
    asked = parsed(shlex.split(command)[1:])
    assert isinstance(asked, Evaluate)
    source = NamedSource.parse(given_name(asked.policy[0])[1])
    known = {"lerobot": lerobot.OPTIONS, "openvla": openvla.OPTIONS}
    if is_address(source.text):
        address = Address.parse(source.text)
        load_family(address.family, address.protocol)
    elif source.kind in known:
        source.check_options(*known[source.kind])


OCTO = """
import numpy as np

class OctoModel:
    dataset_statistics = {"bridge_dataset": {"action": {"mean": 0.01}}}

    @staticmethod
    def load_pretrained(name):
        assert name == "hf://stand-in"
        return OctoModel()

    def create_tasks(self, texts):
        return texts

    def sample_actions(self, seen, task, unnormalization_statistics, rng):
        assert seen["image_primary"].shape == (1, 1, 256, 256, 3)
        assert seen["timestep_pad_mask"].tolist() == [[True]]
        noise = np.random.default_rng(rng).uniform(-0.04, 0.04, (1, 4, 7))
        noise = noise + unnormalization_statistics["mean"]
        noise[..., 6] = float(task == ["open the drawer"])
        return noise
"""


def test_octo_behind_its_server(here: Path) -> None:
    (here / "octo" / "model").mkdir(parents=True)
    (here / "octo" / "model" / "octo_model.py").write_text(OCTO)
    (here / "jax.py").write_text("class random:\n    PRNGKey = int\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, str(ROOT / "examples" / "serve_octo.py"), "hf://stand-in", str(port)]
    server = subprocess.Popen(
        words, env={**os.environ, "PYTHONPATH": str(here)}, stderr=subprocess.DEVNULL
    )
    try:
        frame = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
        first = _ask(port, frame, "open the drawer")
        assert (
            first.shape == (4, 7)
            and (first[:, 6] == 1.0).all()
            and np.abs(first[:, :6]).max() <= 0.05
        )
        np.testing.assert_array_equal(_ask(port, frame, "open the drawer"), first)
        assert not np.array_equal(_ask(port, frame[::-1], "open the drawer"), first)
    finally:
        server.terminate()
        server.wait()


def _ask(port: int, frame: np.ndarray, instruction: str) -> np.ndarray:
    """As OpenVLA's clients ask: json-numpy both ways. A server that is still starting is asked
    again."""
    image = {
        "__numpy__": base64.b64encode(frame.tobytes()).decode(),
        "dtype": "|u1",
        "shape": frame.shape,
    }
    data = json.dumps(
        {"image": image, "instruction": instruction, "unnorm_key": "bridge_orig"}
    ).encode()
    deadline = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/act", data, timeout=60) as reply:
                body = json.loads(reply.read())
        except urllib.error.URLError:
            assert time.monotonic() < deadline
            time.sleep(0.2)
            continue
        return np.frombuffer(base64.b64decode(body["__numpy__"]), body["dtype"]).reshape(
            body["shape"]
        )


RT1 = """
import numpy as np

class RT1:
    def __init__(self, **sizes):
        assert sizes["world_vector_range"] == (-2.0, 2.0)

class RT1Policy:
    def __init__(self, checkpoint_path, model):
        assert checkpoint_path == "rt_1_x_jax"

    def action(self, observation):
        image, words = observation["image"], observation["natural_language_embedding"]
        assert image.shape == (15, 96, 96, 3) and words.shape == (15, 512)
        seen = image.mean((1, 2, 3)) / 255.0
        parts = {"world_vector": seen[-3:] * 4.0 - 2.0, "rotation_delta": words[0, :3]}
        parts["terminate_episode"] = np.zeros(3)
        return {**parts, "gripper_closedness_action": seen[:1] * 2.0 - 1.0}
"""


def test_rt_1_x_sees_fifteen_frames(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "rt1.py").write_text(RT1)
    (here / "rt1_inference_example.py").write_text("from rt1 import RT1Policy\n")
    np.savez(here / "words.npz", **{"open the drawer": np.linspace(0, 1, 512, dtype=np.float32)})
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    policy = load_policy(
        "rt1x_policy:make?checkpoint=rt_1_x_jax&embeddings=words.npz", convention("released_10")
    )
    assert (policy.name, policy.chunk, policy.needs.history) == ("rt-1-x", 1, 15)
    check_policy(policy, SHAPE)
