"""Every command of docs/quickstart-your-policy.md runs in order, servers in processes of their own;
only ports are others."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from worldgym.cli import main
from worldgym.io.bundled import BUNDLE
from worldgym.io.run_log import read_log
from worldgym.policies.wire.address import OPTIONS
from worldgym.policies.wire.family import FAMILIES, Family

pytestmark = pytest.mark.skipif(not (BUNDLE / "world").exists(), reason="no bundle yet")
pytest.importorskip("websockets", reason="the extra [remote] is not installed")
pytest.importorskip("msgpack", reason="the extra [remote] is not installed")

REPOSITORY = Path(__file__).parent.parent
GUIDE = (REPOSITORY / "docs" / "quickstart-your-policy.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
COMMANDS = [
    line
    for kind, block in BLOCKS
    for line in block.splitlines()
    if kind == "" and line.startswith("worldgym ")
]


@pytest.fixture
def work(unpacked_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with my/ as the guide has it, made the current one."""
    mine = tmp_path / "my"
    (mine / "tasks").mkdir(parents=True)
    for name in ("world", "codec", "judge"):
        (mine / name).symlink_to(unpacked_bundle / name)
    (mine / "policy").symlink_to(unpacked_bundle / "policies" / "bc-chunk4")
    (mine / "family.toml").write_text(next(block for kind, block in BLOCKS if kind == "toml"))
    Image.fromarray(np.full((96, 96, 3), 90, np.uint8)).save(mine / "tasks" / "one.png")
    (mine / "tasks" / "one.json").write_text(
        json.dumps({"instruction": "open the drawer", "steps": 2})
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Servers:
    """Those of the guide, on ports that are free here."""

    def __init__(self) -> None:
        self.processes: list[subprocess.Popen[str]] = []
        self.ports: dict[str, str] = {}

    def start(self, words: list[str]) -> None:
        wanted = words[words.index("--port") + 1]
        command = [sys.executable, "-m", "worldgym", *words]
        command[command.index("--port") + 1] = "0"
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        self.processes.append(
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        )
        said = self.processes[-1].stdout
        assert said is not None
        self.ports[wanted] = said.readline().strip().rpartition(":")[2]

    def fixed(self, words: list[str]) -> list[str]:
        return [
            re.sub(r"(?<=127\.0\.0\.1:)\d+", lambda port: self.ports[port[0]], word)
            for word in words
        ]


@pytest.fixture
def servers() -> Iterator[Servers]:
    started = Servers()
    yield started
    for process in started.processes:
        process.terminate()
        process.communicate()


def test_every_command_runs(
    work: Path, servers: Servers, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in COMMANDS:
        words = shlex.split(command)[1:]
        if "bundled" in words:  # a run of minutes; that the names are known is tested in test_cli
            assert words.count("bundled") == 3
        elif words[:2] == ["policy", "serve"]:
            servers.start(words)
        else:
            main(servers.fixed(words))
    out, _ = capsys.readouterr()
    assert len(re.findall("actions? per call", out)) == 3 and "broken" not in out
    (first, openpi), (second, openvla) = (
        read_log(work / "runs" / name / "log.jsonl") for name in ("openpi", "openvla")
    )
    assert (
        openpi == openvla
        and first.policies == second.policies
        and len(openpi) == 1
        and openpi[0].finished
    )
    assert first.policies[0]["name"] == "bc-chunk4" and first.policies[0]["chunk"] == 4


def test_there_are_commands_and_every_option_and_family_is_named() -> None:
    assert len(COMMANDS) >= 7
    assert re.findall(r"^\| `(\w+)` \| [^|]+ \| [^|]+ \|$", GUIDE, re.MULTILINE)[
        : len(OPTIONS)
    ] == list(OPTIONS)
    assert all(f"`{name}`" in GUIDE for families in FAMILIES.values() for name in families)
    own = [f.name for f in fields(Family) if f.name not in ("name", "camera")]
    assert all(f"`{name}`" in GUIDE or f"`[{name}]`" in GUIDE for name in own)
