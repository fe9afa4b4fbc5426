"""What `--stop-when-certain` would have changed in a finished run, level by level: verdicts, the
shift of the success rate with its interval, and the share of frames that are not drawn.

    worldgym demo --trials 4 --out runs/whole
    python benchmarks/early_stop.py runs/whole

A trial that ends early has the frames of the whole one up to there (tests/evaluation/
test_early_stop.py), so the run's own videos are judged as far as each look would have seen them.
They are coded with loss; verdicts on them may differ from the log's, and are counted.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from machine import note

from worldgym.evaluation.early_stop import LOOK, is_certain
from worldgym.evaluation.judge_recorded import rollout_of, task_of
from worldgym.evaluation.rejudge import tasks_of_run
from worldgym.io.bundled import NAME, bundled
from worldgym.io.progress import progress
from worldgym.io.run_log import LOG_NAME, read_log
from worldgym.io.run_records import TrialRecord, results
from worldgym.io.user_code import Failure
from worldgym.judges.judging import judge_each
from worldgym.judges.load_judge import load_judge
from worldgym.stats.comparison import paired_difference
from worldgym.types import Rollout, Verdict


@dataclass(frozen=True)
class Looked:
    """A trial. looks: (actions so far, what the judge says of them), the whole video last."""

    record: TrialRecord
    looks: tuple[tuple[int, Verdict], ...]

    def ends(self, level: float) -> int:
        """Actions after which it ends."""
        sure = (step for step, verdict in self.looks[:-1] if is_certain(verdict, level))
        return next(sure, self.record.steps)


def looks(chunk: int, steps: int) -> list[int]:
    found, last = list[int](), 0
    for step in range(chunk, steps, chunk):
        if step >= last + LOOK:
            found.append(step)
            last = step
    return [*found, steps]


def looked(run: Path, judge_place: str) -> list[Looked]:
    judge = load_judge(bundled(judge_place, "judge"))
    header, records = read_log(run / LOG_NAME)
    chunks = {str(policy["name"]): int(policy["chunk"]) for policy in header.policies}
    folder = tasks_of_run(run, None)
    scored = [r for r in results(records).finished if r.score is not None and r.video]
    found = []
    for record in progress(scored, len(scored), "judging", "trial"):
        whole = rollout_of(run, header, record, task_of(folder, record))
        steps = looks(chunks[record.policy], record.steps)
        verdicts = list(judge_each(judge, [cut(whole, step) for step in steps]))
        if any(isinstance(v, Failure) or v.score is None for v in verdicts[-1:]):
            continue
        said = zip(steps, verdicts, strict=True)
        found.append(Looked(record, tuple((s, v) for s, v in said if not isinstance(v, Failure))))
    return found


def cut(whole: Rollout, step: int) -> Rollout:
    return replace(whole, frames=whole.frames[: step + 1], actions=whole.actions[:step])


def row(trials: Sequence[Looked], level: float) -> str:
    ends = [trial.ends(level) for trial in trials]
    early = np.array([end < trial.record.steps for end, trial in zip(ends, trials, strict=True)])
    before = np.array([trial.looks[-1][1].score for trial in trials], np.float64)
    after = np.where(early, 1.0, before)
    shift = paired_difference(after, before, [trial.record.task for trial in trials])
    changed = [trial for trial, x, y in zip(trials, after, before, strict=True) if x != y]
    true = sum(trial.record.truth is True for trial in changed)
    share = 1.0 - sum(ends) / sum(trial.record.steps for trial in trials)
    points = [f"{100 * x:+.1f}" for x in (shift.value or 0.0, shift.low, shift.high)]
    return (
        f"| {level:g} | {early.sum()} | {len(changed)}, {true} of them truly successes | "
        f"{points[0]} ({points[1]} to {points[2]}) | {100 * share:.0f} % |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a finished run")
    parser.add_argument("--judge", default=NAME, help="the success classifier of the run")
    parser.add_argument("--levels", type=float, nargs="+", default=[0.9, 0.95, 0.99, 0.999])
    asked = parser.parse_args()
    trials = looked(asked.run, asked.judge)
    rate = np.mean([trial.looks[-1][1].score for trial in trials])
    other = sum(trial.looks[-1][1].score != trial.record.score for trial in trials)
    note(
        "Ending when the judge is certain: `python benchmarks/early_stop.py RUN`",
        [
            f"{len(trials)} trials of {len({t.record.policy for t in trials})} policies on "
            f"{len({t.record.group for t in trials})} tasks; success rate of whole videos "
            f"{100 * rate:.1f} %; {other} verdicts on the coded videos are not those of the log.",
            "",
            "| level | trials that end early | verdicts that change | shift of the rate, points "
            "(95 %) | frames not drawn |",
            "|" + " --- |" * 5,
            *(row(trials, level) for level in asked.levels),
        ],
    )


if __name__ == "__main__":
    main()
