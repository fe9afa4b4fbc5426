"""`worldgym tasks edit`: a suite in which every edited task has its nominal twin.

OUT/NAME.png, .json           the nominal tasks, as they were
OUT/EDIT/NAME.png, .json      the edited ones: `nominal`, `axis`, `goal`, and under `edit` how they
                              were made OUT/truth.csv, published.csv  copied, where the tasks have
                              them
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from worldgym.errors import EditRefused, InputError, at_least
from worldgym.io.files import write_atomic
from worldgym.io.output_folder import check_apart
from worldgym.io.progress import progress
from worldgym.tasks.edits.edit_file import Edit, read_edits
from worldgym.tasks.known_results import TABLES
from worldgym.tasks.task_folder import load_tasks
from worldgym.tasks.write_tasks import remove_task, write_task
from worldgym.types import Task


@dataclass(frozen=True)
class PerturbConfig:
    """limit: nominal tasks per group, 0 = all.   budget_usd: what edits by a model may cost, None =
    no limit."""

    tasks: Path
    edits: Path
    out: Path
    limit: int = 0
    budget_usd: float | None = None


def perturb(config: PerturbConfig) -> tuple[int, dict[str, int], dict[str, str]]:
    """Writes the suite => (nominal tasks, edited tasks of each edit, refused edit => reason).

    What was written before an error stays, and what a model drew is kept in its cache: the same
    command continues."""
    check_apart(config.out, config.tasks)
    if config.tasks.resolve().is_relative_to(config.out.resolve()):
        raise InputError(
            f"{config.tasks}: lies inside the suite, {config.out}, and would be part of it; choose "
            f"another --out"
        )
    at_least("--limit", config.limit)
    tasks = nominal_tasks(config.tasks, config.limit)
    edits = read_edits(config.edits, config.budget_usd, config.out)
    if idle := next((edit for edit in edits if not any(edit.fits(task) for task in tasks)), None):
        raise InputError(
            f"{config.edits}: edit {idle.name} fits no task of {config.tasks}; fix its only = "
            f"{list(idle.only)}"
        )
    check_names(edits, tasks)
    _check_each(edits, tasks)
    for task in tasks:
        write_task(config.out, task)
    for table in TABLES:
        if (config.tasks / table).exists():
            write_atomic(config.out / table, (config.tasks / table).read_bytes())
    counts = dict.fromkeys((edit.name for edit in edits), 0)
    pairs = [(edit, task) for edit in edits for task in tasks if edit.fits(task)]
    refused: dict[str, str] = {}
    made = {f"{edit.name}/{task.name}" for edit, task in pairs} | {task.name for task in tasks}
    if others := [task.name for task in load_tasks(config.out) if task.name not in made]:
        left = f"{len(others)} tasks that {config.edits} does not make, {others[0]} among them"
        print(
            f"worldgym: {config.out} holds {left}; they stay in the suite unless you remove them",
            file=sys.stderr,
        )
    for edit, task in progress(pairs, len(pairs), "editing", "task"):
        try:
            write_task(config.out, edit.of(task))
        except EditRefused as reason:
            refused[f"{edit.name}/{task.name}"] = str(reason)
            # of a time when it was not refused
            remove_task(config.out, f"{edit.name}/{task.name}")
        else:
            counts[edit.name] += 1
    return len(tasks), counts, refused


def _check_each(edits: Sequence[Edit], tasks: Sequence[Task]) -> None:
    """InputError, before anything is written, for an edit that cannot be made of the first task of
    a group or of an instruction.

    Edits by a model are not tried: their answers cost something.
    """
    for edit in edits:
        if not edit.asks_a_model:
            some = {
                (task.group, task.instruction): task for task in reversed(tasks) if edit.fits(task)
            }
            for task in reversed(some.values()):
                with suppress(EditRefused):  # that leaves one task out, later
                    edit.of(task)


def check_names(edits: Sequence[Edit], tasks: Sequence[Task]) -> None:
    """InputError for an edited task that would have the name of another task."""
    taken = {task.name for task in tasks}
    for edit in edits:
        for task in tasks:
            if edit.fits(task) and (name := f"{edit.name}/{task.name}") in taken:
                raise InputError(
                    f"edit {edit.name} of task {task.name} would take the place of the task "
                    f"{name}; rename the edit"
                )


def nominal_tasks(folder: Path, limit: int = 0) -> list[Task]:
    """The tasks of a folder that are not edits themselves; the first `limit` of each group, 0 =
    all."""
    counts: dict[str, int] = {}
    chosen = []
    for task in load_tasks(folder):
        if task.nominal is None and (not limit or counts.get(task.group, 0) < limit):
            counts[task.group] = counts.get(task.group, 0) + 1
            chosen.append(task)
    if not chosen:
        raise InputError(
            f"{folder}: holds only edited tasks; give the folder of the original tasks"
        )
    return chosen


def edited(tasks: Sequence[Task], edits: Sequence[Edit]) -> list[Task]:
    """The tasks and, behind them, their twins by every edit that fits. A twin that a model refuses
    is left out."""
    suite = list(tasks)
    for edit in edits:
        for task in tasks:
            if edit.fits(task):
                with suppress(EditRefused):
                    suite.append(edit.of(task))
    return suite
