"""docs/worlds.md: its server runs as it stands, and its commands do what it says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from worldgym.cli import main
from worldgym.io.run_log import read_log
from worldgym.tasks.write_tasks import write_task
from worldgym.types import Task
from worldgym.world.capabilities import Capabilities
from worldgym.world.wire.served_world import connect_world
from worldgym.world.world_source import load_world

pytest.importorskip("websockets", reason="the extra [remote] is not installed")
pytest.importorskip("msgpack", reason="the extra [remote] is not installed")

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "worlds.md").read_text(encoding="utf-8")
(EXAMPLE,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Of the page's own server, in a process of its own, on any free port."""
    program = EXAMPLE.replace("serve_world(MyWorld())", "serve_world(MyWorld(), OPTIONS)").replace(
        "import serve_world", "import ServeOptions, serve_world"
    )
    program = program.replace('if __name__ == "__main__":', "OPTIONS = ServeOptions(port=0)\nif 1:")
    (tmp_path / "server.py").write_text(program, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "server.py")],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    yield process.stdout.readline().split()[-1]
    process.terminate()
    process.wait()
    process.stdout.close()


def ended(*words: str) -> int:
    """The exit code of a command."""
    try:
        main(list(words))
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_the_example_is_about_twenty_lines() -> None:
    code = [line for line in EXAMPLE.splitlines() if line.strip()]
    assert len(code) <= 20 and max(map(len, code)) <= 100


def test_the_server_of_the_page_is_checked_and_evaluated_in(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended("world", "check", address, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["passed"] and report["world"]["name"] == "my-world"
    assert report["later_actions"] > 0  # it looks at the whole step
    results = {rule["rule"]: rule["result"] for rule in report["rules"]}
    assert results["frames do not depend on later actions"] == "not promised"
    assert results["a batch equals its rows one by one"] == "passed"
    assert ended("world", "check", address) == 0
    told = capsys.readouterr().out
    assert "front, wrist, 64 x 48" in told and max(map(len, told.splitlines())) <= 100
    assert ended("world", "trust", address, "--policy", "still", "--tasks", "T") == 2
    assert "is not a WorldGym checkpoint" in capsys.readouterr().err
    frames = np.random.default_rng(0).integers(0, 256, (2, 48, 64, 3)).astype(np.uint8)
    for i in range(2):
        task = Task(f"a/{i}", "a", frames[i], "push", 20, others={"wrist": frames[1 - i]})
        write_task(tmp_path / "tasks", task)
    call = [
        "evaluate",
        "--world",
        address,
        "--policy",
        "mine_of_page:one",
        "--tasks",
        str(tmp_path / "tasks"),
    ]
    call += ["--trials", "2", "--judge", "later", "--out", str(tmp_path / "run")]
    code = (
        "from worldgym.testing import FakePolicy\n"
        "from worldgym.types import ActionSpec\n"
        "SPEC = ActionSpec(('x', 'y'), 'delta_pose', '1 m', 'none', 'none', (-0.1, -0.1), "
        "(0.1, 0.1), 5.0)\n"
        "def one():\n    return FakePolicy(spec=SPEC, name='one')\n"
        "def fifty():\n    return FakePolicy(chunk=50, spec=SPEC, name='fifty')\n"
    )
    (tmp_path / "mine_of_page.py").write_text(code, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        assert ended(*call) == 2  # a policy of one action does not fill a step of twelve
        assert "exactly 12 per step: let it give 12 actions per call" in capsys.readouterr().err
        call[call.index("mine_of_page:one")] = "mine_of_page:fifty"
        assert ended(*call, "--align", "commit") in (0, 4)
    header, records = read_log(tmp_path / "run" / "log.jsonl")
    assert header.policies[0]["name"] == "fifty+commit48of50"
    assert len(records) and all("held tail" in record.flags for record in records)


def test_a_world_of_ours_is_served_by_the_command_of_the_page() -> None:
    assert "worldgym world serve bundled --port 8000" in PAGE
    command = [sys.executable, "-m", "worldgym", "world", "serve", "bundled", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--device", "cpu"], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    try:
        remote = connect_world(process.stdout.readline().split()[-1])
        world: Any = load_world("bundled", device="cpu")
        assert (remote.name, remote.spec, remote.views) == (world.name, world.spec, world.views)
        starts = np.random.default_rng(0).integers(0, 256, (2, 1, *world.frame_shape)).astype("u1")
        moves = np.zeros((2, 2, world.spec.size), np.float32)
        frames = remote.step(remote.reset(starts, [1, 2]), moves)[1]
        assert frames.shape == (2, 2, 1, *world.frame_shape)
        assert remote.card.details["codec"] == world.codec.fingerprint
        remote.close()
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def test_every_field_and_adapter_is_on_the_page() -> None:
    for name in Capabilities.__dataclass_fields__:
        assert f"`{name}`" in PAGE, name
    adapters = {path.name for path in (ROOT / "examples" / "worlds").glob("*.py")}
    named = set(re.findall(r"examples/worlds/(\w+\.py)", PAGE))
    assert named == adapters - {"gripper_moves.py"}
