"""Every command of docs/trust.md runs as it stands, in order, on a tiny world; its limits and
signals are those of the code."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from worldgym.cli import main
from worldgym.episodes.store import EpisodeStore
from worldgym.trust.error_signals import USED
from worldgym.trust.trust_verdict import LIMITS

GUIDE = (Path(__file__).parents[2] / "docs" / "trust.md").read_text(encoding="utf-8")
COMMANDS = [
    line for line in re.findall(r"^```\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)[0].splitlines()
]


def test_every_command_runs(
    tiny: Path,
    episode_store: EpisodeStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(tiny, tmp_path / "runs" / "world")
    shutil.copytree(tiny / "tasks", tmp_path / "tasks")
    for name in ("train", "heldout"):
        shutil.copytree(episode_store.root, tmp_path / "data" / name)
    monkeypatch.chdir(tmp_path)
    for command in COMMANDS:
        words = shlex.split(command)
        assert words[0] == "worldgym"
        main([*words[1:], *(["--steps", "10"] if words[2] == "train-inverse-dynamics" else [])])
    out = capsys.readouterr().out
    assert "finding wrong verdicts, out of fold" in out and "Action following" in out
    found = json.loads(Path("runs/trust/trust.json").read_text())
    *displaced, delayed = found["not_measured"]  # rollouts too short to be moved aside
    assert "delayed" in delayed and all("displaced (" in line for line in displaced)
    assert Path("runs/trust/delayed/log.jsonl").exists()
    assert found["wrong_verdicts"] and Path("runs/trust/trust.html").exists()
    summary = json.loads(Path("runs/mine/summary.json").read_text())
    assert summary["trust"]["include_red"] and set(summary["trust"]["tasks"]) == {"door", "drawer"}


def test_the_limits_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| [^|]+ \| (\d+) % \| (\d+) % \|$", GUIDE, re.MULTILINE)
    assert [(int(amber) / 100, int(red) / 100) for amber, red in rows] == [
        (limit.amber, limit.red) for limit in LIMITS.values()
    ]


def test_the_signals_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| ([a-z_, ]+) \| [^|]+ \| (yes|if measured) \|$", GUIDE, re.MULTILINE)
    assert [name for names, _ in rows for name in names.split(", ")] == list(USED)
