"""Tables of results as CSV files: success rates by policy and task, and single real trials."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from worldgym.errors import InputError
from worldgym.io.csv_tables import read_csv
from worldgym.stats.cells import CellPair
from worldgym.types import ROUNDING

Key = tuple[str, str]  # policy, task
SCORES = {"true": 1.0, "false": 0.0}
MAX_TRIALS = 10**9
ROUNDED = 0.005  # a rate beside its counts may be rounded to a whole percent


@dataclass(frozen=True)
class CellRate:
    """Success rate in [0, 1] of one policy on one task, and its number of trials where known."""

    rate: float
    trials: int | None


@dataclass(frozen=True)
class RealTrial:
    """One trial on the robot. score in [0, 1]; group is "" where the table does not say."""

    policy: str
    task: str
    group: str
    score: float


def read_rates(path: Path) -> dict[Key, CellRate]:
    """A table with the columns policy, task and either trials and successes, or rate in [0, 1] (and
    trials, if known).

    Partial credit makes `successes` fractional. InputError names the line of a wrong row.
    """
    cells: dict[Key, CellRate] = {}
    for line, row in read_csv(path, ("policy", "task"), ("trials", "successes", "rate")):
        where = f"{path}, line {line}"
        key = _key(f"{path}, line {line}", row)
        if key in cells:
            raise InputError(
                f"{where}: policy {key[0]} on task {key[1]} appears twice; keep one line"
            )
        cells[key] = _cell(where, row)
    if not cells:
        raise InputError(f"{path}: holds no row; write one for each policy and task")
    return cells


def read_real_trials(path: Path) -> list[RealTrial]:
    """A table with the columns policy, task (the initial frame's name), success (0, 1, true, false
    or partial credit between), and perhaps group; one line per trial, several of one policy and
    task being repeats."""
    trials = []
    for line, row in read_csv(path, ("policy", "task", "success"), ("group",)):
        where = f"{path}, line {line}"
        policy, task = _key(where, row)
        score = SCORES.get(row["success"].lower())
        trials.append(
            RealTrial(
                policy,
                task,
                row["group"],
                _number(where, row, "success", 1) if score is None else score,
            )
        )
    if not trials:
        raise InputError(f"{path}: holds no row; write one for each real trial")
    return trials


def paired_cells(world: Mapping[Key, CellRate], real: Mapping[Key, CellRate]) -> list[CellPair]:
    """The cells that both tables know, sorted. InputError where there is none."""
    keys = sorted(world.keys() & real.keys())
    if not keys:
        policy, task = min(world)
        raise InputError(
            f"the two tables share no policy and task; use the same names (one has {policy} on "
            f"{task}, the other "
            f"{' on '.join(min(real))})"
        )
    return [
        CellPair(*key, world[key].rate, real[key].rate, world[key].trials, real[key].trials)
        for key in keys
    ]


def _key(where: str, row: Mapping[str, str]) -> Key:
    if not (row["policy"] and row["task"]):
        raise InputError(f"{where}: policy or task is empty; fill it in or remove the line")
    return row["policy"], row["task"]


def _cell(where: str, row: Mapping[str, str]) -> CellRate:
    trials = _trials(where, row) if row["trials"] else None
    if not row["rate"] and (trials is None or not row["successes"]):
        raise InputError(f"{where}: needs trials and successes, or rate; fill in one or the other")
    counted = None
    if trials is not None and row["successes"]:
        counted = _number(where, row, "successes", trials) / trials
    if not row["rate"] and counted is not None:
        return CellRate(counted, trials)
    rate = _number(where, row, "rate", 1)
    if counted is not None and abs(rate - counted) > ROUNDED + ROUNDING:
        raise InputError(
            f"{where}: a rate of {row['rate']} is not {row['successes']} successes in {trials} "
            f"trials; correct one, or leave the rate empty"
        )
    return CellRate(rate, trials)


def _trials(where: str, row: Mapping[str, str]) -> int:
    trials = _number(where, row, "trials", MAX_TRIALS)
    if trials < 1 or not trials.is_integer():
        raise InputError(
            f"{where}: trials is {row['trials']}; write a whole number of 1 or more, or remove the "
            f"line"
        )
    return int(trials)


def _number(where: str, row: Mapping[str, str], column: str, highest: float) -> float:
    """A finite number in [0, highest]."""
    try:
        value = float(row[column])
    except ValueError:
        value = math.nan
    if not 0 <= value <= highest:
        raise InputError(
            f'{where}: {column} is "{row[column]}"; write a number from 0 to {highest:g}'
        )
    return value
