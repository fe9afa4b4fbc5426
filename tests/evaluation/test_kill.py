"""`worldgym evaluate` killed with SIGKILL at 50 random moments: run again, it ends with the log of
an uninterrupted run."""

from __future__ import annotations

import json
import multiprocessing
import random
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from statistics import fmean

import pytest

from worldgym.cli import main
from worldgym.io.bundled import BUNDLE
from worldgym.io.run_log import LOG_NAME, read_log

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (BUNDLE / "world").exists(), reason="no bundle yet"),
]

MOMENTS, AT_ONCE = 50, 4
# two threads that ask how one process ended: the second is told 255 (also `start` asks, of all)
STATES = threading.Lock()
LOADED = ["worldgym.evaluation.run", "worldgym.report.page", "worldgym.report.terminal"]


def words(bundle: Path, out: Path) -> list[str]:
    given = [
        "evaluate",
        "--world",
        bundle / "world",
        "--policy",
        "still",
        "random",
        "--tasks",
        bundle / "tasks",
    ]
    return [
        str(word)
        for word in (*given, "--trials", 3, "--batch", 2, "--judge", bundle / "judge", "--out", out)
    ]


@pytest.fixture
def bundle(unpacked_bundle: Path, tmp_path: Path) -> Path:
    """The bundled world and judge, and three initial frames, of 24, 2 and 2 actions: a run of 6
    trials in 4 batches.

    The video of 25 frames is long enough for an encoder's look ahead: there bytes once depended on
    what memory had held."""
    for part in ("world", "codec", "judge"):
        (tmp_path / part).symlink_to(unpacked_bundle / part)
    tasks = tmp_path / "tasks" / "drawer-open"
    tasks.mkdir(parents=True)
    for file, steps in zip(
        sorted((BUNDLE / "tasks" / "drawer-open").glob("*.json")), (24, 2, 2), strict=False
    ):
        (tasks / file.name).write_text(json.dumps(json.loads(file.read_text()) | {"steps": steps}))
        shutil.copy(file.with_suffix(".png"), tasks)
    return tmp_path


def started(command: list[str]) -> BaseProcess:
    """The command in a process of its own, forked from one in which all modules are loaded, so that
    it is soon at work."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LOADED)
    process = context.Process(target=main, args=(command,))
    with STATES:
        process.start()
    return process


def ended(process: BaseProcess) -> int | None:
    """Its exit code, once it has one."""
    wait([process.sentinel])
    with STATES:
        process.join()
        return process.exitcode


def finished(command: list[str]) -> float:
    """=> seconds that it took."""
    begun, process = time.perf_counter(), started(command)
    assert ended(process) == 0
    return time.perf_counter() - begun


def written(log: Path) -> int:
    return log.read_bytes().count(b"\n") if log.exists() else 0


def test_killed_and_resumed_is_uninterrupted(bundle: Path, tmp_path: Path) -> None:
    finished(words(bundle, tmp_path / "first"))  # loads the modules
    whole = [tmp_path / f"whole-{i}" for i in range(AT_ONCE)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        seconds = fmean(pool.map(lambda out: finished(words(bundle, out)), whole))
    header, expected = read_log(whole[0] / LOG_NAME)
    videos = {str(record.video): (whole[0] / str(record.video)).read_bytes() for record in expected}
    assert len(expected) == len(videos) == 6

    def killed(moment: int) -> int:
        """=> lines in the log when it was killed."""
        out, rng = tmp_path / f"killed-{moment}", random.Random(moment)
        # lines, the header among them; then a while longer
        log, awaited = (out / LOG_NAME, rng.randrange(7))
        process = started(words(bundle, out))
        while not wait([process.sentinel], 0) and written(log) < awaited:
            time.sleep(0.002)
        time.sleep(seconds * rng.uniform(0.0, 0.1 if awaited else 0.5))
        with STATES:
            process.kill()
        ended(process)
        lines = written(log)
        finished(words(bundle, out))
        found, records = read_log(log)
        assert records == expected and header.difference(found) is None
        assert {
            str(record.video): (out / str(record.video)).read_bytes() for record in records
        } == videos
        shutil.rmtree(out)
        return lines

    with ThreadPoolExecutor(AT_ONCE) as pool:
        lines = sorted(pool.map(killed, range(MOMENTS)))
    print("lines in the log when it was killed:", lines)
    assert sum(0 < count < 7 for count in lines) >= MOMENTS // 5  # else the moments say nothing
