"""Compares two policies of a run pair by pair: which of their rollouts of one trial came closer?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from worldgym.errors import InputError
from worldgym.files import write_atomic, write_json
from worldgym.foreign import Failure, attempt
from worldgym.judges.pairwise import PairwiseJudge, Preference, tally
from worldgym.log import LOG_NAME, read_log, results
from worldgym.rejudge import rollout_of, task_of, tasks_of_run


@dataclass(frozen=True)
class CloserConfig:
    """run: folder of a run.   policies: the two to compare, the first is "first" in what is written.   tasks: as in rejudge."""

    run: Path
    out: Path
    policies: tuple[str, str]
    tasks: Path | None = None


def compare_policies(config: CloserConfig, judge: PairwiseJudge) -> dict[str, Any]:
    """Writes OUT/comparisons.jsonl (one line a trial that both have a video of) and OUT/comparisons.json, and returns the latter.

    A run again costs nothing for what was answered. InputError where the two share no trial with videos.
    """
    header, records = read_log(config.run / LOG_NAME)
    outcome, tasks = results(records), tasks_of_run(config.run, config.tasks)
    filmed = {record.key: record for record in outcome.finished + outcome.failed if record.video is not None}
    one, other = config.policies
    shared = sorted((task, repeat) for policy, task, repeat in filmed if policy == one and (other, task, repeat) in filmed)
    if not shared:
        known = ", ".join(sorted({record.policy for record in records}))
        raise InputError(f"{config.run}: {one} and {other} share no trial with videos; its policies are {known}")

    def compare(trial: tuple[str, int]) -> Preference | Failure:
        pair = filmed[one, *trial], filmed[other, *trial]
        task = task_of(tasks, pair[0])
        first, second = (rollout_of(config.run, header, record, task) for record in pair)
        return attempt(lambda: judge.compare(first, second, task))

    with ThreadPoolExecutor(judge.config.server.concurrency) as pool:
        found = list(pool.map(compare, shared))
    write_atomic(config.out / "comparisons.jsonl", _lines(config.policies, shared, found).encode())
    preferences = [preference for preference in found if isinstance(preference, Preference)]
    figures = {
        "first": one,
        "second": other,
        "trials": len(shared),
        "broken": len(found) - len(preferences),
        "won": tally(preferences),
        "cost_usd": sum(preference.cost_usd for preference in preferences),
        "judge": judge.name,
    }
    write_json(config.out / "comparisons.json", figures)
    return figures


def _lines(policies: tuple[str, str], trials: Sequence[tuple[str, int]], found: Sequence[Preference | Failure]) -> str:
    rows = (
        {"task": task, "repeat": repeat, "first": policies[0], "second": policies[1], **asdict(preference)}
        for (task, repeat), preference in zip(trials, found, strict=True)
    )
    return "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows)
