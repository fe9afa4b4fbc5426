"""Small runs with videos and actions, for the tests of the app."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from worldgym.episodes.sources import open_source
from worldgym.episodes.time_rule import to_episode
from worldgym.io.files import array_bytes, write_atomic
from worldgym.io.run_log import RunLog
from worldgym.io.run_records import PLANNED_KEY, TASKS_KEY, RunHeader, TrialRecord
from worldgym.io.video import encode_mp4
from worldgym.testing import FAKE_SPEC
from worldgym.types import Episode

EVIL = "\"><img src=x onerror=alert(1)>'&{{7*7}}</script><script>alert(2)</script>"
POLICIES = ("good", "poor")
STEPS = 6


def trial(policy: str, group: str, start: int, **fields: Any) -> TrialRecord:
    known: dict[str, Any] = {
        "instruction": f"open the {group}",
        "repeat": 0,
        "seed": 7 + start,
        "score": float(policy == "good" or start == 0),
        "probability": 0.9 if policy == "good" else 0.45 + 0.01 * start,
        "steps": STEPS,
        "truth": True,
        "video": f"videos/{policy}/{group}/{start}-0.mp4",
        "truth_video": f"truth/{group}.mp4",
        "seconds": 0.5,
        "time": f"2026-11-29T10:00:{start:02d}+00:00",
    }
    return TrialRecord(policy, f"{group}/{start}", group, **{**known, **fields})


def header(policies: tuple[str, ...] = POLICIES, frames: int = 3, **config: Any) -> RunHeader:
    """Two tasks of some initial frames, one trial each."""
    tasks = {group: {f"{group}/{i}": 1 for i in range(frames)} for group in ("door", "drawer")}
    told = {PLANNED_KEY: {"tasks": tasks, "edited": {}}, TASKS_KEY: "ab" * 32, **config}
    known = tuple({"name": name, "spec": FAKE_SPEC.to_json(), "chunk": 1} for name in policies)
    command = "worldgym evaluate --world bundled --tasks bundled --out runs/a"
    started = "2026-11-29T10:00:00+00:00"
    return RunHeader(told, command, known, "world-1", "judge-1", 0, {"python": "3"}, started)


def fill(folder: Path, of: RunHeader, records: list[TrialRecord]) -> Path:
    """A run with its log, its videos and its actions."""
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (STEPS + 1, 16, 16, 3), np.uint8)
    film = encode_mp4(frames, FAKE_SPEC.rate_hz)
    with RunLog.open(folder, of) as log:
        for record in records:
            for name in filter(None, (record.video, record.truth_video)):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(film)
            if record.actions_file is not None:
                actions = rng.uniform(-1, 1, (STEPS, FAKE_SPEC.size)).astype(np.float32)
                write_atomic(folder / record.actions_file, array_bytes(actions))
            log.append(record)
    return folder


def lerobot_episode(folder: Path) -> Episode:
    """The one episode of a LeRobot dataset that was played in a fake world."""
    source = open_source(folder)
    (listed,) = source.listing()
    return to_episode(source.read(listed.name), FAKE_SPEC)
