"""A run's log as a table that grows with it: the data of every trial for lists, live pages and
galleries, in a few bytes each. Everything else of a trial is read from its line when it is shown.

The log is followed from the last whole line on, by its bytes alone; the process that writes it is
not affected. Only this module of the app reads a log.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from worldgym.errors import InputError
from worldgym.io.jsonl import Line, each_line
from worldgym.io.run_log import HEADER, LOG_NAME, REMEDY, WHAT, record_at
from worldgym.io.run_records import RunHeader, TrialRecord
from worldgym.io.text import clean
from worldgym.types import is_success

VERDICTS = ("success", "partial", "failure", "unscored", "failed")
UNKNOWN = -1.0
KINDS = {  # column => type code of `array`
    "offset": "q",
    "policy": "H",
    "task": "L",
    "group": "L",
    "repeat": "L",
    "verdict": "B",
    "truth": "B",
    "flags": "L",
    "reason": "L",
    "nominal": "l",
    "score": "d",
    "uncertainty": "d",
    "disagreement": "d",
    "seconds": "d",
    "time": "d",
    "cost": "d",
    "filmed": "B",
}
Numbers = npt.NDArray[Any]


class Names:
    """Texts by number, each kept once."""

    def __init__(self) -> None:
        self.texts = list[str]()
        self._numbers = dict[str, int]()
        self._ranks = np.empty(0, np.int64)

    def number(self, text: str) -> int:
        if (known := self._numbers.get(text)) is None:
            known = self._numbers[text] = len(self.texts)
            self.texts.append(text)
        return known

    def find(self, text: str) -> int | None:
        return self._numbers.get(text)

    @property
    def ranks(self) -> npt.NDArray[np.int64]:
        """The place of each text in alphabetical order, by its number."""
        if len(self._ranks) < len(self.texts):
            order = sorted(range(len(self.texts)), key=self.texts.__getitem__)
            self._ranks = np.empty(len(order), np.int64)
            self._ranks[order] = np.arange(len(order))
        return self._ranks


class LogIndex:
    """Grows by `update`. A row is an attempt; `rows` names the one that counts of every trial.

    header: of the log, the last one.   headers: how many there are.   policies, tasks, groups,
    flags, reasons: the texts behind the columns' numbers; a text of `flags` is a JSON list.
    changed: (policy, group) numbers of the cells that the last update touched.   restarts: how
    often another log lay there."""

    def __init__(self, run: Path) -> None:
        """InputError where the run has no log, or one whose header is damaged."""
        self.run = run
        self.restarts = -1
        self._restart()

    def _restart(self) -> None:
        self.restarts += 1
        self.offset = 0
        self._read_lines = dict[str, tuple[int, bytes]]()  # the first and the last: place and bytes
        self.lines = 0
        self.header: RunHeader | None = None
        self.headers = 0
        self.columns = {name: array(kind) for name, kind in KINDS.items()}
        self.policies, self.tasks, self.groups = Names(), Names(), Names()
        self.flags, self.reasons = Names(), Names()
        self.flags.number("[]")
        self.reasons.number("")
        self.changed = set[tuple[int, int]]()
        self._row_of = dict[tuple[int, int, int], int]()

    def update(self) -> bool:
        """Reads what was appended since. => whether there was anything. InputError with the number
        of a damaged line."""
        path = self.run / LOG_NAME
        self.changed = set()
        if _size(path) < self.offset or not _holds(path, self._read_lines.values()):
            self._restart()  # another log lies there now
        before = self.offset
        for line in each_line(path, WHAT, REMEDY, self.offset, self.lines):
            line.read(partial(self._read, line))
            self._read_lines.setdefault("first", (line.start, line.raw))
            self._read_lines["last"] = (line.start, line.raw)
            self.lines = line.number
            self.offset = line.end
        return self.offset > before

    def _read(self, line: Line, data: Mapping[str, Any]) -> None:
        if self.header is not None and data.get("type") != HEADER:
            try:
                self._add(line.start, data)
            except (KeyError, AttributeError) as error:
                raise ValueError(f"not a trial ({error!r})") from error
            return
        self.header = RunHeader.from_json(data)
        self.headers += 1
        for policy in self.header.policies:
            self.policies.number(clean(str(policy["name"])))

    def _add(self, offset: int, data: Mapping[str, Any]) -> None:
        policy = self.policies.number(data["policy"])
        task = self.tasks.number(data["task"])
        group = self.groups.number(data["group"])
        repeat = data["repeat"]
        failure = data.get("failure_reason")
        score = data.get("score")
        probability = data.get("probability")
        truth = data.get("truth")
        nominal = data.get("nominal")
        values = {
            "offset": offset,
            "policy": policy,
            "task": task,
            "group": group,
            "repeat": repeat,
            "verdict": _verdict(score, failure),
            "truth": 0 if truth is None else 1 if truth else 2,
            "flags": self.flags.number(json.dumps(list(data.get("flags", ())))),
            "reason": self.reasons.number(
                failure or (data.get("reason", "") if score is None else "")
            ),
            "nominal": -1 if nominal is None else self.tasks.number(nominal),
            "score": UNKNOWN if score is None else score,
            "uncertainty": _uncertainty(probability),
            "disagreement": _disagreement(data.get("votes", ())),
            "seconds": data.get("seconds", 0.0),
            "time": _moment(data.get("time", "")),
            "cost": data.get("paid_usd", 0.0),
            "filmed": data.get("video") is not None,
        }
        row = len(self.columns["offset"])
        for name, column in self.columns.items():
            column.append(values[name])
        key = (policy, task, repeat)
        before = self._row_of.get(key)
        if failure is None or before is None or self.columns["verdict"][before] == FAILED:
            self._row_of[key] = row
        self.changed.add((policy, group))

    @property
    def attempts(self) -> int:
        return len(self.columns["offset"])

    def rows(self) -> npt.NDArray[np.int64]:
        """The attempt that counts of every trial, as `worldgym.io.run_records.results` says."""
        return np.fromiter(self._row_of.values(), np.int64, len(self._row_of))

    def column(self, name: str, rows: npt.NDArray[np.int64]) -> Numbers:
        """Values of some rows, copied."""
        return np.frombuffer(self.columns[name], KINDS[name])[rows]

    def ordinary(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Those of no edited task whose original is in the log: these enter no headline number."""
        tasks = np.unique(self.column("task", rows)) if len(rows) else rows
        return rows[~np.isin(self.column("nominal", rows), tasks)]

    def find(self, policy: str, task: str, repeat: int) -> int | None:
        """The row that counts of a trial; None where the log lacks it."""
        numbers = self.policies.find(policy), self.tasks.find(task)
        if numbers[0] is None or numbers[1] is None:
            return None
        return self._row_of.get((numbers[0], numbers[1], repeat))

    def record(self, row: int) -> TrialRecord:
        """The whole record of a row, validated. InputError where the line is not what it was."""
        return record_at(self.run / LOG_NAME, self.columns["offset"][row])

    def records(self, rows: Sequence[int]) -> list[TrialRecord]:
        return [self.record(row) for row in rows]


FAILED = VERDICTS.index("failed")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); name a run") from error


def _holds(path: Path, lines: Iterable[tuple[int, bytes]]) -> bool:
    """Whether these bytes stand at these places."""
    try:
        with path.open("rb") as file:
            return all(file.seek(at) == at and file.read(len(raw)) == raw for at, raw in lines)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); name a run") from error


def _verdict(score: float | None, failure: str | None) -> int:
    if failure is not None:
        return FAILED
    if score is None:
        return VERDICTS.index("unscored")
    if is_success(score):
        return VERDICTS.index("success")
    return VERDICTS.index("partial" if score > 0 else "failure")


def _uncertainty(probability: float | None) -> float:
    """1 for a judge's probability of one half, 0 for one of 0 or 1."""
    return UNKNOWN if probability is None else 1.0 - 2.0 * abs(probability - 0.5)


def _disagreement(votes: Sequence[Mapping[str, Any]]) -> float:
    """Share of the usable votes that say otherwise than most: 0 to one half."""
    said = [is_success(vote["score"]) for vote in votes if vote.get("score") is not None]
    return min(sum(said), len(said) - sum(said)) / len(said) if said else 0.0


def _moment(time: str) -> float:
    """Seconds since 1970 of an ISO time; 0 where there is none."""
    try:
        return datetime.fromisoformat(time).timestamp() if time else 0.0
    except ValueError:
        return 0.0
