"""What a run of a million trials costs after it has run: its report, its comparison, its next
start, its export, the merge of two shards of it, and its page in a browser (Chromium, by the extra
`browser`; left out where there is none). The log is made up, its lines are those that a run writes.

    python benchmarks/many_trials.py [--trials 1000000] [--repeats 10] [--run FOLDER]
        [--parts report compare start export merge page]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from itertools import cycle
from pathlib import Path
from statistics import median

from machine import note

from worldgym.io.jsonl import signed_line
from worldgym.io.run_growth import SHARD_KEY
from worldgym.io.run_log import LOG_NAME
from worldgym.io.run_records import PLANNED_KEY, RunHeader, TrialRecord
from worldgym.types import trial_seed

POLICIES, GROUPS = 20, 100
NAMES = {
    "report": "worldgym report",
    "compare": "worldgym compare",
    "start": "next start: reading the log",
    "export": "worldgym export --parquet",
    "merge": "worldgym run merge, of two shards, with the report",
}
PARTS = (*NAMES, "page")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
DRAWN = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
OPEN = """
import sys, pathlib
from worldgym.io.run_log import RunLog, read_header
run = pathlib.Path(sys.argv[1])
with RunLog.open(run, read_header(run / "log.jsonl")) as log:
    print(len(log.done))
"""


@dataclass(frozen=True)
class Cost:
    """Of a process: processor seconds, wall seconds, and the most memory in MB."""

    processor: float
    wall: float
    memory: float

    def __str__(self) -> str:
        return f"{self.processor:.1f} | {self.wall:.1f} | {self.memory:.0f}"


def write_log(run: Path, trials: int, repeats: int) -> int:
    """A log of about so many trials, 20 policies on 100 tasks with `repeats` of every initial
    frame, in rounds over the policies => how many."""
    frames = max(1, trials // (POLICIES * GROUPS * repeats))
    tasks = {
        f"task-{g:02d}": {f"task-{g:02d}/{f}": repeats for f in range(frames)}
        for g in range(GROUPS)
    }
    names = [f"policy-{p:02d}" for p in range(POLICIES)]
    header = RunHeader(
        {"trials": frames * repeats, PLANNED_KEY: {"tasks": tasks, "edited": {}}},
        "worldgym evaluate",
        tuple({"name": name, "spec": {}, "chunk": 4} for name in names),
        "world-1",
        "judge-1",
        0,
        {},
        "2026-11-29T00:00:00+00:00",
    )
    run.mkdir(parents=True, exist_ok=True)
    rng = random.Random(0)
    with (run / LOG_NAME).open("wb") as file:
        file.write(signed_line(header.to_json()))
        for p, name in enumerate(names):
            for group, own in tasks.items():
                for task in own:
                    ease = rng.random()
                    for repeat in range(repeats):
                        file.write(
                            signed_line(
                                _record(name, group, task, repeat, rng, ease + 0.02 * p).to_json()
                            )
                        )
    return POLICIES * GROUPS * frames * repeats


def _record(
    policy: str, group: str, task: str, repeat: int, rng: random.Random, ease: float
) -> TrialRecord:
    probability = round(min(1.0, max(0.0, rng.gauss(ease, 0.2))), 4)
    return TrialRecord(
        policy,
        task,
        group,
        "open the drawer of the cabinet, then let go",
        repeat,
        trial_seed(0, task, repeat),
        score=float(probability > 0.5),
        probability=probability,
        judge="judge-1",
        steps=80,
        truth=ease > 0.6,
        video=f"videos/{policy}/{task}-{repeat}.mp4",
        seconds=round(rng.uniform(1, 3), 6),
        timing={"world": 1.1, "decode": 0.3, "policy": round(rng.random(), 6), "judge": 0.01},
        time=f"2026-11-29T{rng.randrange(24):02d}:{rng.randrange(60):02d}:00+00:00",
    )


def write_shards(run: Path, folder: Path) -> list[str]:
    """The run's log in two, line by line => their folders."""
    shards = [folder / "shard-1", folder / "shard-2"]
    header = json.loads((run / LOG_NAME).open("rb").readline())
    header.pop("crc32")
    with (run / LOG_NAME).open("rb") as whole, ExitStack() as stack:
        whole.readline()
        files = []
        for i, shard in enumerate(shards, 1):
            shard.mkdir(parents=True)
            files.append(stack.enter_context((shard / LOG_NAME).open("wb")))
            config = {**header["config"], SHARD_KEY: f"{i}/{len(shards)}"}
            files[-1].write(signed_line({**header, "config": config}))
        for line, file in zip(whole, cycle(files)):
            file.write(line)
    return list(map(str, shards))


def opened(page: Path) -> list[float] | None:
    """Seconds until a browser that is running has loaded the page and drawn it, in five new
    windows; None where there is no browser."""
    try:
        api = import_module("playwright.sync_api")
    except ImportError:
        return None
    path = shutil.which("chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        found = []
        for _ in range(5):
            tab = browser.new_context().new_page()
            started = time.perf_counter()
            tab.goto(page.resolve().as_uri(), wait_until="load")
            tab.evaluate(DRAWN)
            found.append(time.perf_counter() - started)
            tab.close()
        browser.close()
    return found


def measured(*command: str) -> Cost:
    started = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{command} ended with {child.returncode}")
    return Cost(used.ru_utime + used.ru_stime, time.perf_counter() - started, used.ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = asked.run or Path(folder)
        if not (run / LOG_NAME).exists():
            write_log(run, asked.trials, asked.repeats)
        rows = [f"| {NAMES[part]} | {cost(part, run)} |" for part in asked.parts if part in NAMES]
        drawn = opened(run / "report.html") if "page" in asked.parts else None
        log = (run / LOG_NAME).stat().st_size / 1e6
        trials = sum(1 for _ in (run / LOG_NAME).open("rb")) - 1
    words = [f"{trials} trials, {asked.repeats} of an initial frame: a log of {log:.0f} MB."]
    if rows:
        head = ["| what | processor, s | wall, s | memory, MB |", "| --- | --- | --- | --- |"]
        words += ["", *head, *rows]
    if drawn is not None:
        words += [
            "",
            f"Its page is drawn in a browser after {median(drawn):.2f} s (median of five "
            f"windows; at most {max(drawn):.2f} s).",
        ]
    command = [sys.argv[0], *("RUN" if word == str(asked.run) else word for word in sys.argv[1:])]
    note(f"A run of many trials: `{' '.join(['python', *command])}`", words)


def cost(part: str, run: Path) -> Cost:
    worldgym = (sys.executable, "-m", "worldgym")
    if part == "start":
        return measured(sys.executable, "-c", OPEN, str(run))
    if part == "export":
        to = str(run / "trials.parquet")
        return measured(*worldgym, "run", "export", str(run), "--parquet", to)
    if part == "merge":
        with tempfile.TemporaryDirectory(dir=run.parent) as folder:
            shards = write_shards(run, Path(folder))
            return measured(*worldgym, "run", "merge", *shards, "--out", f"{folder}/whole")
    return measured(*worldgym, part, str(run))


if __name__ == "__main__":
    main()
