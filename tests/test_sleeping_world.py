"""What benchmarks/ray_faults.py counts: a run that lost, doubled or changed a trial is found."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from worldgym.evaluation.plan import EvaluateConfig
from worldgym.io.run_log import LOG_NAME


def test_what_a_run_lost_doubled_or_changed_is_counted(
    load_script: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    script = load_script("benchmarks/sleeping_world.py")
    reference, run = tmp_path / "reference", tmp_path / "run"
    script.sleep_through(EvaluateConfig(reference, 3, batch=2), 0.0)
    shutil.copytree(reference, run)
    assert script.missing_or_wrong(run, reference) == (0, 0, 0)

    log = run / LOG_NAME
    lines = log.read_bytes().splitlines(keepends=True)
    assert len(lines) == 7  # the header, and two policies on three frames
    log.write_bytes(b"".join(lines[:-1]))
    assert script.missing_or_wrong(run, reference) == (1, 0, 0)
    log.write_bytes(b"".join([*lines, lines[3]]))
    assert script.missing_or_wrong(run, reference) == (0, 1, 0)
    log.write_bytes(b"".join(lines))
    video = sorted(run.rglob("*.mp4"))[0]
    video.write_bytes(video.read_bytes()[:-1] + b"x")
    assert script.missing_or_wrong(run, reference) == (0, 0, 1)

    other = tmp_path / "other"
    script.sleep_through(EvaluateConfig(other, 3, batch=2, seed=1), 0.0)
    assert script.missing_or_wrong(other, reference)[2] > 0
