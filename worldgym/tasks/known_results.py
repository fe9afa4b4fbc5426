"""Known results beside a task folder: of single trials, or of a policy on a whole group of tasks.

    TASKS/truth.csv        policy, task, success            one line per policy and initial frame
    TASKS/published.csv    policy, group, trials, successes  one line per policy and group; halves
    are
                           partial credit

Of a published suite only the second is known: its real initial frames are not those of the user.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from worldgym.errors import InputError
from worldgym.io.csv_tables import read_csv
from worldgym.io.run_records import GroupTruth
from worldgym.tasks.task_folder import load_truth
from worldgym.types import Task

TRIALS = "truth.csv"
GROUPS = "published.csv"
TABLES = (TRIALS, GROUPS)


@dataclass(frozen=True)
class KnownResults:
    """trials: success of a policy on a task, by name.   groups: results of whole groups."""

    trials: Mapping[tuple[str, str], bool] = field(default_factory=dict)
    groups: tuple[GroupTruth, ...] = ()


def known_results(
    folder: Path | None, policies: Sequence[str], tasks: Sequence[Task]
) -> KnownResults:
    """What the tables of a folder say of these policies (their names) on these tasks; nothing
    without a folder.

    Names of published policies match regardless of case and punctuation: "rt_1_x" is "RT-1-X".
    Where a table of groups knows none of these policies, standard error tells. InputError where the
    folder holds neither table, or a wrong one."""
    if folder is None:
        return KnownResults()
    published = folder / GROUPS
    if not published.exists():
        return KnownResults(load_truth(folder / TRIALS))
    rows = load_group_truth(published)
    groups = {task.group for task in tasks}
    names = {_plain(name): name for name in policies}
    found = [
        replace(row, policy=names[_plain(row.policy)])
        for row in rows
        if _plain(row.policy) in names and row.group in groups
    ]
    if not found:
        told = ", ".join(dict.fromkeys(row.policy for row in rows))
        print(
            f"worldgym: {published} knows results of {told}, but none of {', '.join(policies)} on "
            f"these tasks; to compare with them, write your names in its column policy",
            file=sys.stderr,
        )
    return KnownResults(
        load_truth(folder / TRIALS) if (folder / TRIALS).exists() else {}, tuple(found)
    )


def load_group_truth(path: Path) -> list[GroupTruth]:
    """A table with the columns policy, group, trials, successes, and others. InputError names the
    line of a wrong row."""
    found: dict[tuple[str, str], GroupTruth] = {}
    for line, row in read_csv(path, ("policy", "group", "trials", "successes")):
        key = row["policy"], row["group"]
        if not all(key):
            raise InputError(
                f"{path}, line {line}: policy or group is empty; fill it in or remove the line"
            )
        if key in found:
            raise InputError(
                f"{path}, line {line}: policy {key[0]} on group {key[1]} appears twice; keep one "
                f"line"
            )
        try:
            trials, successes = int(row["trials"]), float(row["successes"])
        except ValueError:
            trials, successes = 0, 0.0
        if trials < 1 or not 0 <= successes <= trials:
            told = f'"{row["successes"]}" successes in "{row["trials"]}" trials'
            raise InputError(
                f"{path}, line {line}: {told}; write 1 or more trials, and successes from 0 to as "
                f"many"
            )
        found[key] = GroupTruth(*key, trials, successes)
    return list(found.values())


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
