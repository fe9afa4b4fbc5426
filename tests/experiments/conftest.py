"""A finished run whose numbers are known: eight policies, two tasks, forty start states, a verdict
wrong in every tenth trial."""

from __future__ import annotations

import pytest

from worldgym.io.run_log import RunLog
from worldgym.io.run_records import RunHeader, TrialRecord
from worldgym.reference.scoring import ScoredRun
from worldgym.stats.run_attempts import RunAttempts
from worldgym.stats.summarize import write_summary

# Of forty start states per task, how many a policy truly masters: the first ones.
TRUE_SUCCESSES = {
    "full": 36,
    "medium": 30,
    "small": 16,
    "chunk1": 24,
    "data20": 12,
    "series@75": 4,
    "series@300": 20,
    "series@1200": 32,
}
TASKS = ("door-open", "drawer-open")
STATES = 40


@pytest.fixture(scope="session")
def known_run(tmp_path_factory: pytest.TempPathFactory) -> ScoredRun:
    """Every tenth verdict is turned round; a trial takes 1.5 s of world, 0.5 s of policy and 0.25 s
    of judge."""
    folder = tmp_path_factory.mktemp("run")
    header = RunHeader(
        {},
        "",
        tuple({"name": name} for name in TRUE_SUCCESSES),
        "world",
        "judge",
        0,
        {},
        "2026-01-01T00:00:00",
    )
    log = RunLog.open(folder, header)
    for policy, successes in TRUE_SUCCESSES.items():
        for task in TASKS:
            for i in range(STATES):
                truth = i < successes
                wrong = i % 10 == 9
                log.append(
                    TrialRecord(
                        policy,
                        f"{task}/{20000 + i}",
                        task,
                        "do it",
                        0,
                        0,
                        score=float(truth != wrong),
                        truth=truth,
                        seconds=2.0,
                        timing={"world": 1.5, "policy": 0.5, "judge": 0.25},
                    )
                )
    return ScoredRun(folder, write_summary(folder, RunAttempts.read(folder)))
