"""A whole evaluation of the bundled policies in the bundled world, in batches and one by one:
minutes by part, cost, memory."""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

from machine import note

from worldgym.evaluation.plan import EvaluateConfig
from worldgym.evaluation.run import run_sources
from worldgym.reference.demo import bundled_sources

PARTS = ("world", "policy", "judge")  # decoding is part of the world's


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--trials", type=int, default=20, help="a task and policy: so many initial frames"
    )
    parser.add_argument(
        "--batches", type=int, nargs="+", default=[20, 1], help="trials advanced together"
    )
    asked = parser.parse_args()
    lines = [
        f"| batch | trials | minutes | rollouts | {' | '.join(PARTS)} | the rest |",
        "|" + " --- |" * (5 + len(PARTS)),
    ]
    for batch in asked.batches:
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            # alone they take longer
            trials = asked.trials if batch > 1 else max(asked.trials // 10, 1)
            summary = run_sources(
                bundled_sources(), EvaluateConfig(Path(folder) / "run", trials, batch=batch)
            ).summary
            took = time.perf_counter() - started
        spent = summary.expenses
        shares = [spent.timing[part] / took for part in PARTS]
        cells = [
            str(batch),
            str(spent.attempts),
            f"{took / 60:.2f}",
            f"{spent.seconds / took:.0%}",
        ]
        cells += [
            f"{share:.0%}"
            for share in (*shares, 1 - (spent.seconds + spent.timing["judge"]) / took)
        ]
        lines.append(f"| {' | '.join(cells)} |")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    lines += [
        "",
        "Shares of the wall time. Rollouts hold world and policy; the judge comes after each "
        "batch; the rest is loading, videos, "
        f"log, statistics and report. The judge is the bundled classifier and costs nothing. "
        f"Memory: {memory:.2f} GiB at most.",
    ]
    note("A whole evaluation: `python benchmarks/evaluation_speed.py`", lines)


if __name__ == "__main__":
    main()
