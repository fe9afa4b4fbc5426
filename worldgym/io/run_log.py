"""The run log, RUN/log.jsonl: a header, then one line a trial attempt. Append-only; everything
later is derived from it."""

from __future__ import annotations

import reprlib
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from worldgym.errors import InputError
from worldgym.io.jsonl import LineFile, read_lines
from worldgym.io.run_records import DEVICE_SETTING, ENGINE_KEY, RunHeader, TrialKey, TrialRecord

LOG_NAME = "log.jsonl"
CHECKED = 4  # the first version whose lines carry a checksum
ON_ANOTHER_DEVICE = (f"config.{ENGINE_KEY} ", f"config.judge.{DEVICE_SETTING} ")
ATTEMPTS = 3  # at a trial that breaks, in one start of the run


class RunLog:
    """The log of one run, open for appending. `done` holds the trials with a finished attempt;
    `records` all attempts.

    The run is held for this one writer until the `with` around it ends, however it ends.
    """

    def __init__(
        self, file: LineFile, header: RunHeader, records: Iterable[TrialRecord] = ()
    ) -> None:
        self.path = file.path
        self.header = header
        self._file = file
        self.records: list[TrialRecord] = []
        self.done: set[TrialKey] = set()
        self._attempts: Counter[TrialKey] = Counter()
        for record in records:
            self._remember(record)
        self._before = Counter(self._attempts)

    @staticmethod
    def open(
        run_dir: Path, header: RunHeader, resume: bool = True, may_differ: Collection[str] = ()
    ) -> RunLog:
        """Starts RUN/log.jsonl, or goes on with the one that is there (and keeps its header).

        may_differ: see `RunHeader.difference`.
        InputError if the log belongs to another run, is corrupt, cannot be written, is being
        written by another process, or exists and `resume` is false.
        """
        file = LineFile(run_dir / LOG_NAME)
        path = file.path
        try:
            if path.stat().st_size == 0:
                file.append(header.to_json())
                return RunLog(file, header)
            if not resume:
                raise InputError(f"{path} already holds a run; resume it or choose another folder")
            found, records = read_log(path)
            difference = found.difference(header, may_differ)
            if difference is not None:
                remedy = "repeat its options or choose another folder"
                if difference.startswith(ON_ANOTHER_DEVICE):
                    remedy = (
                        "the numbers would differ a little, so give the --device that it began on, "
                        "choose another folder, or give --other-engine to mix them"
                    )
                raise InputError(f"{path} holds another run: {difference}; {remedy}")
            return RunLog(file, found, records)
        except BaseException:
            file.close()
            raise

    def __enter__(self) -> RunLog:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def append(self, record: TrialRecord) -> None:
        """Writes one line through to the disk. InputError if the disk refuses; the log is then as
        before."""
        self._file.append(record.to_json())
        self._remember(record)

    def attempts(self, policy: str, task: str, repeat: int) -> int:
        """How often this trial was tried so far, failed attempts included."""
        return self._attempts[policy, task, repeat]

    def last_attempt(self, policy: str, task: str, repeat: int) -> int:
        """The number of the last attempt that this start may make at a trial."""
        return self._before[policy, task, repeat] + ATTEMPTS

    def _remember(self, record: TrialRecord) -> None:
        self.records.append(record)
        self._attempts[record.key] += 1
        if record.finished:
            self.done.add(record.key)


def read_log(path: Path) -> tuple[RunHeader, list[TrialRecord]]:
    """The header and every attempt. A torn last line is ignored; any other wrong line is an
    InputError with its number."""
    lines = read_lines(
        path, "the log of a run", "restore the log from a copy or choose another folder"
    )
    if not lines:
        raise InputError(
            f"{path}: holds no header, so it is not a run log; remove it or choose another folder"
        )
    header = lines[0].read(RunHeader.from_json)
    names = {str(policy["name"]) for policy in header.policies}

    def record(data: dict[str, Any]) -> TrialRecord:
        found = TrialRecord.from_json(data)
        if found.policy not in names:
            raise ValueError(
                f"policy {reprlib.repr(found.policy)} is not among those of the header"
            )
        return found

    signed = lines[0].data["version"] >= CHECKED
    return header, [line.read(record, signed) for line in lines[1:]]
