"""`worldgym evaluate` killed with SIGKILL at random moments: run again, it ends with the log of an uninterrupted run."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from worldgym.log import read_log
from worldgym.reference.demo import BUNDLE

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not (BUNDLE / "world").exists(), reason="no bundle yet")]


def command(tasks: Path, out: Path) -> list[str]:
    policies = [str(folder) for folder in sorted((BUNDLE / "policies").iterdir())[:2]]
    words = ["evaluate", "--world", BUNDLE / "world", "--policy", *policies, "--tasks", tasks, "--trials", 1, "--batch", 3]
    return [sys.executable, "-m", "worldgym.cli", *map(str, [*words, "--judge", BUNDLE / "judge", "--out", out])]


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    folder = tmp_path / "tasks"
    shutil.copytree(BUNDLE / "tasks" / "drawer-open", folder)
    for file in folder.glob("*.json"):
        file.write_text(json.dumps(json.loads(file.read_text()) | {"steps": 8}))
    return folder


def test_killed_and_resumed_is_uninterrupted(tasks: Path, tmp_path: Path) -> None:
    started = time.perf_counter()
    subprocess.run(command(tasks, tmp_path / "whole"), check=True, capture_output=True)
    seconds = time.perf_counter() - started
    _, expected = read_log(tmp_path / "whole" / "log.jsonl")
    rng = random.Random(0)
    for attempt in range(6):
        out = tmp_path / f"killed-{attempt}"
        process = subprocess.Popen(command(tasks, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(seconds * rng.uniform(0.2, 1.0))
        process.kill()
        process.wait()
        subprocess.run(command(tasks, out), check=True, capture_output=True)
        _, records = read_log(out / "log.jsonl")
        assert records == expected
        assert all((out / record.video).read_bytes() == (tmp_path / "whole" / record.video).read_bytes() for record in records)
