"""The run log, RUN/log.jsonl: a header, then one line per trial attempt, and another header
wherever the run grew, the last of which counts. Append-only; everything later is derived from
it."""

from __future__ import annotations

import math
import re
import reprlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from worldgym.errors import InputError
from worldgym.io.attempts import TrialKey, Tried
from worldgym.io.jsonl import Line, LineFile, each_line, line_at
from worldgym.io.missing_run import missing_run
from worldgym.io.run_growth import growth_difference, joined_header, trials_of
from worldgym.io.run_outcomes import AttemptCost, TrialOutcome
from worldgym.io.run_records import DEVICE_SETTING, ENGINE_KEY, RunHeader, TrialRecord
from worldgym.io.trial_set import AttemptCounts, TrialSet

LOG_NAME = "log.jsonl"
SEARCHED = 2**20  # bytes read at once
CHECKED = 4  # the first version whose lines carry a checksum
HEADER = "header"  # type of its lines
GROWN = b'\n{"type": "header"'  # begins every header but the first, as `RunHeader.to_json` has it
ON_ANOTHER_DEVICE = (f"config.{ENGINE_KEY} ", f"config.judge.{DEVICE_SETTING} ")
WHAT = "the log of a run"
REMEDY = "restore the log from a copy or choose another folder"
ATTEMPTS = 3  # at a trial that breaks, in one start of the run


class RunLog:
    """The log of one run, open for appending.

    done: the trials with a finished attempt.   failed: the last attempt at each of the others that
    were tried.   paid_usd: over all attempts. Records are not kept: a run may have a million.

    The run is held for this one writer until the `with` around it ends, however it ends.
    """

    def __init__(self, file: LineFile, header: RunHeader) -> None:
        self.path = file.path
        self.header = header
        self.failed: dict[TrialKey, TrialRecord] = {}
        self._file = file
        self._paid: list[float] = []
        self._attempts = AttemptCounts()
        self._new = AttemptCounts()  # of this start alone

    @staticmethod
    def open(
        run_dir: Path,
        header: RunHeader,
        resume: bool = True,
        may_differ: Collection[str] = (),
        grows: bool = False,
    ) -> RunLog:
        """Starts RUN/log.jsonl, or continues with the one that is there (and keeps its header).

        may_differ: see `RunHeader.difference`.   grows: the header may have other policies, trials
        and tasks than the log's, which then gets the header of both.
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
            found, lines = _log_lines(path)
            differ = growth_difference if grows else RunHeader.difference
            difference = differ(found, header, may_differ)
            if difference is not None:
                remedy = "repeat its options or choose another folder"
                if grows:
                    remedy = (
                        "a run grows by policies, trials and tasks alone, so repeat its other "
                        "options or choose another folder"
                    )
                if difference.startswith(ON_ANOTHER_DEVICE):
                    remedy = (
                        "the numbers would differ a little, so give the --device and --engine that "
                        "it began on, choose another folder, or give --other-engine to mix them"
                    )
                raise InputError(f"{path} holds another run: {difference}; {remedy}")
            log = RunLog(file, found)
            log._read(lines)
            if grows:
                log._grow(joined_header(found, header))
            return log
        except BaseException:
            file.close()
            raise

    def __enter__(self) -> RunLog:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def done(self) -> TrialSet:
        return self._attempts.done

    @property
    def paid_usd(self) -> float:
        return math.fsum(self._paid)

    def append(self, *records: TrialRecord) -> None:
        """Writes their lines through to the disk, all or none. InputError if the disk refuses; the
        log is then as before."""
        self._file.append(*(record.to_json() for record in records))
        for record in records:
            self._new.add(record.key, record.finished)
            self._remember(record.key, None if record.finished else record, record.paid_usd)

    def append_lines(self, lines: Sequence[Line]) -> None:
        """Writes lines of another log of these trials, as they stand there; see `append`."""
        self._file.append_signed(line.as_signed for line in lines)
        self._read(lines)

    def attempts(self, policy: str, task: str, repeat: int) -> int:
        """How often this trial was tried so far, failed attempts included."""
        return self._attempts[policy, task, repeat]

    def last_attempt(self, policy: str, task: str, repeat: int) -> int:
        """The number of the last attempt that this start may make at a trial."""
        key = policy, task, repeat
        return self._attempts[key] - self._new[key] + ATTEMPTS

    def tried(self, policy: str, task: str, repeat: int) -> bool:
        """Whether this start made an attempt at the trial."""
        return self._new[policy, task, repeat] > 0

    def _grow(self, joined: RunHeader) -> None:
        """Appends the header where it says more than the log's."""
        if self.header.difference(joined) is not None:
            self._file.append(joined.to_json())
            self.header = joined

    def _read(self, lines: Iterable[Line]) -> None:
        """Attempts that this start did not make; all of one is wanted only where it failed."""
        for line in lines:
            tried = line.read(Tried.from_json)
            failed = None if tried.failure_reason is None else line.read(TrialRecord.from_json)
            self._remember((tried.policy, tried.task, tried.repeat), failed, tried.paid_usd)

    def _remember(self, key: TrialKey, failed: TrialRecord | None, paid_usd: float) -> None:
        self._attempts.add(key, failed is None)
        if paid_usd:
            self._paid.append(paid_usd)
        if failed is None:
            self.failed.pop(key, None)
        elif key not in self.done:
            self.failed[key] = failed


def read_header(path: Path) -> RunHeader:
    """Of a log: the last one, where the run has grown."""
    return _log_lines(path)[0]


def has_begun(run_dir: Path) -> bool:
    """Whether a run's log is there, and more than an empty file."""
    path = run_dir / LOG_NAME
    return path.exists() and path.stat().st_size > 0


def began_with(run_dir: Path) -> int | None:
    """How many trials of a policy the run began with; None where it has no log yet, or an older
    one, which does not tell."""
    if not has_begun(run_dir):
        return None
    path = run_dir / LOG_NAME
    return trials_of(_header(path, next(each_line(path, WHAT, REMEDY), None)))


def read_log(path: Path) -> tuple[RunHeader, list[TrialRecord]]:
    """The header and every attempt, see `each_record`: for what needs all of a record, of a run
    that fits into memory."""
    header, records = each_record(path)
    return header, list(records)


def each_record(path: Path) -> tuple[RunHeader, Iterator[TrialRecord]]:
    """The header, and every attempt one at a time, in the log's order. A torn last line is ignored;
    any other wrong line is an InputError with its number, when it is come to."""
    header, lines = _log_lines(path)
    return header, (line.read(TrialRecord.from_json) for line in lines)


def each_outcome(path: Path) -> tuple[RunHeader, Iterator[tuple[TrialOutcome, AttemptCost]]]:
    """As `each_record`, but only what statistics need of each attempt: 4 times as fast, and small.

    Only lines with a checksum are read so: what stands in them was a `TrialRecord` once. Of older
    lines all of the record is checked."""
    header, lines = _log_lines(path)

    def read(line: Line) -> tuple[TrialOutcome, AttemptCost]:
        if not line.signed:
            line.read(TrialRecord.from_json)
        outcome = line.read(partial(TrialOutcome.from_json, start=line.start))
        return outcome, line.read(AttemptCost.from_json)

    return header, map(read, lines)


def each_line_of(path: Path) -> Iterator[Line]:
    """The lines of attempts, checked as by `each_record` but not read."""
    return _log_lines(path)[1]


def record_at(path: Path, start: int) -> TrialRecord:
    """The whole record of an attempt, from `TrialOutcome.start`."""
    return line_at(path, start, WHAT, REMEDY).read(TrialRecord.from_json)


def _log_lines(path: Path) -> tuple[RunHeader, Iterator[Line]]:
    """The header, and the lines of attempts, each of them of a policy that the header names, and
    with a checksum where the log's version has them."""
    if path.name == LOG_NAME and not path.exists():
        raise missing_run(path)
    lines = each_line(path, WHAT, REMEDY)
    first = next(lines, None)
    header = _header(path, first)
    assert first is not None
    signed = first.data["version"] >= CHECKED
    if (last := _last_header(path)) is not None:
        header = _grown_header(path, last)
    names = {str(policy["name"]) for policy in header.policies}

    def checked() -> Iterator[Line]:
        for line in lines:
            policy = line.data.get("policy")
            if signed > line.signed or not isinstance(policy, str) or policy not in names:
                if line.data.get("type") == HEADER:
                    line.read(RunHeader.from_json, signed)
                    continue
                line.read(partial(_check_policy, names=names), signed)
            yield line

    return header, checked()


def _header(path: Path, first: Line | None) -> RunHeader:
    if first is None:
        raise InputError(
            f"{path}: holds no header, so it is not a run log; remove it or choose another folder"
        )
    return first.read(RunHeader.from_json)


def _grown_header(path: Path, start: int) -> RunHeader:
    """InputError with the number of a damaged one."""
    try:
        return line_at(path, start, WHAT, REMEDY).read(RunHeader.from_json)
    except InputError:
        for line in each_line(path, WHAT, REMEDY):  # counts them
            if line.start == start:
                line.read(RunHeader.from_json)
        raise


def _last_header(path: Path) -> int | None:
    """Where the last whole header after the first line begins; None where the run has not grown. A
    search of the bytes, block by block: lines of attempts are not decoded."""
    found = [-1]
    place, newline, text = 0, -1, b""
    with path.open("rb") as file:
        while block := file.read(SEARCHED):
            text = text[1 - len(GROWN) :] + block
            place += len(block)
            first = place - len(text)
            found += [first + hit.start() for hit in re.finditer(re.escape(GROWN), text)]
            newline = max(newline, first + text.rfind(b"\n") if b"\n" in block else -1)
    last = max(at for at in found if at < newline or at < 0)  # the line behind it is whole
    return None if last < 0 else last + 1


def _check_policy(data: Mapping[str, Any], names: Collection[str]) -> None:
    """ValueError unless it is a trial of one of these policies."""
    policy = TrialRecord.from_json(data).policy  # what else is wrong is told first
    if policy not in names:
        raise ValueError(f"policy {reprlib.repr(policy)} is not among those of the header")
