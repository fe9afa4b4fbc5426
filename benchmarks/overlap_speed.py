"""How much sooner an evaluation ends where videos and verdicts of a batch are made while the next
is rolled out: the same run both ways in turn, and whether their logs are equal."""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median

from machine import note

from worldgym.evaluation import run as running
from worldgym.evaluation.batch_finisher import BatchFinisher
from worldgym.evaluation.load_parts import Sources
from worldgym.evaluation.plan import EvaluateConfig
from worldgym.evaluation.run import run_sources
from worldgym.io.run_log import LOG_NAME, read_log
from worldgym.io.run_records import TrialRecord
from worldgym.reference.demo import bundled_sources
from worldgym.testing import FakeJudge
from worldgym.types import Rollout, Task, Verdict

JUDGES = ("classifier", "server")


@dataclass(frozen=True)
class Distant(FakeJudge):
    """Waits for an answer, as for one of a model behind a server: no processor works meanwhile."""

    seconds: float = 1.0
    concurrency: int = 4

    def __call__(self, rollout: Rollout, task: Task) -> Verdict:
        time.sleep(self.seconds)
        return super().__call__(rollout, task)


def timed(
    sources: Sources, trials: int, batch: int, overlap: bool
) -> tuple[float, list[TrialRecord]]:
    """Seconds of a whole evaluation, and its records."""
    vars(running)["BatchFinisher"] = partial(BatchFinisher, overlap=overlap)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        run_sources(sources, EvaluateConfig(Path(folder), trials, batch=batch))
        took = time.perf_counter() - started
        return took, read_log(Path(folder) / LOG_NAME)[1]


def row(name: str, sources: Sources, trials: int, batch: int, rounds: int) -> str:
    ratios, seconds, equal = [], [], True
    for _ in range(rounds):
        before, slow = timed(sources, trials, batch, overlap=False)
        after, fast = timed(sources, trials, batch, overlap=True)
        ratios.append(before / after)
        seconds.append(after)
        equal = equal and slow == fast
    told = "equal" if equal else "DIFFERENT"
    return (
        f"| {name} | {len(fast)} | {median(seconds):.1f} | {median(ratios):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f}) | {told} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=4, help="a task and policy")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--judges", nargs="+", choices=JUDGES, default=list(JUDGES))
    parser.add_argument("--seconds", type=float, default=1.0, help="of a distant judge's answer")
    asked = parser.parse_args()
    sources = bundled_sources()
    sources = replace(sources, policies=sources.policies[:2])
    sizes = (asked.trials, asked.batch, asked.rounds)
    lines = [
        "| judge | trials | seconds | one after the other / overlapped | logs |",
        "|" + " --- |" * 5,
    ]
    if "classifier" in asked.judges:
        lines.append(row("bundled classifier", sources, *sizes))
    if "server" in asked.judges:
        name = f"behind a server, {asked.seconds:g} s an answer, 4 at once"
        distant = replace(sources, judge=Distant(seconds=asked.seconds))
        lines.append(row(name, distant, *sizes))
    note("Finishing a batch beside the next: `python benchmarks/overlap_speed.py`", lines)


if __name__ == "__main__":
    main()
