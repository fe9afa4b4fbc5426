"""Joins runs: shards of one run (`--shard`), and runs of different policies, trials or tasks in the
same world. The result equals the log of a single process."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby, islice
from pathlib import Path
from sys import intern
from typing import Any

from worldgym.errors import InputError
from worldgym.io.attempts import LogOrder, TrialKey, Tried
from worldgym.io.files import write_atomic
from worldgym.io.jsonl import Line, LineFile, json_line, lines_at, read_lines
from worldgym.io.migration import found_beside
from worldgym.io.run_files import (
    LABELS_NAME,
    LOST_NAME,
    PREFERENCES_NAME,
    check_inside,
    copy_missing,
    files_named,
    unjudged_name,
)
from worldgym.io.run_growth import SHARD_KEY, growth_difference, joined_header
from worldgym.io.run_log import (
    LOG_NAME,
    REMEDY,
    WHAT,
    RunLog,
    each_line_of,
    each_record,
    read_header,
    record_at,
)
from worldgym.io.run_records import RunHeader, TrialRecord
from worldgym.report.page import write_results
from worldgym.stats.judge_calibration import CALIBRATION_NAME
from worldgym.stats.summary import Summary
from worldgym.stats.world_trust import TRUST_NAME

NAMED = 5  # trials in a message
# of a record, what depends on the other trials and truths of its run
BESIDE = ("frame", "truth", "truth_video")
TOGETHER = 256  # lines that wait for the disk at once, with their files


@dataclass(slots=True)
class _Attempts:
    """All attempts at a trial in one of the runs.   starts: of their lines.   finished: one did."""

    run: Path
    group: str
    steps: int
    starts: list[int]
    finished: bool


Found = dict[TrialKey, _Attempts]


def merge(runs: Sequence[Path], out: Path, include_red: bool = False) -> Summary:
    """Writes OUT/log.jsonl, its videos and OUT/summary.json, and returns the summary. Run it again
    to resume.

    A trial that is in several runs counts once, if its results are equal; one that failed for
    good in some of them is taken from one in which it did not. A trust report or calibration that
    lies in the runs comes along, and so do labels, preferences and notes of lost batches.
    include_red: see `write_results`. InputError if the runs are of different worlds, judges, seeds
    or tasks, if they contradict each other, or if OUT holds something else.
    """
    header = _joined(runs)
    lines = _lines(header, _read(runs))
    with RunLog.open(out, header) as log:
        left = _behind(log.path, lines)
        for beside in (TRUST_NAME, CALIBRATION_NAME):
            _adopt(runs, out, beside)
        for beside in (LABELS_NAME, PREFERENCES_NAME, LOST_NAME):
            _gather(runs, out, beside)
        while some := list(islice(left, TOGETHER)):
            for path, own in groupby(sorted(some, key=_path_of), _path_of):
                names = (name for line in own for name in line.read(_files_named))
                copy_missing(names, Path(path).parent, out)
            log.append_lines(some)
        return write_results(out, include_red)


def _joined(runs: Sequence[Path]) -> RunHeader:
    """The header of all, without a shard."""
    if not runs:
        raise InputError("no run is given: name the run folders to merge")
    whole, *others = [_whole(read_header(run / LOG_NAME)) for run in runs]
    for run, other in zip(runs[1:], others, strict=True):
        if difference := growth_difference(whole, other):
            raise InputError(
                f"{run} does not belong to the run in {runs[0]}: {difference}; merge runs of one "
                f"world, judge, seed and tasks only"
            )
        whole = joined_header(whole, other)
    return whole


def _whole(header: RunHeader) -> RunHeader:
    config = {key: value for key, value in header.config.items() if key != SHARD_KEY}
    return replace(header, config=config)


def _read(runs: Sequence[Path]) -> Found:
    """Where every trial is taken from: its place in a log, not the record itself."""
    found: Found = {}
    against: list[str] = []
    for run in dict.fromkeys(runs):
        for key, attempts in _trials(run).items():
            before = found.setdefault(key, attempts)
            if before is attempts:
                continue
            if attempts.finished and not before.finished:
                found[key] = attempts
            elif attempts.finished:
                ours, theirs = _results(before), _results(attempts)
                if not _agree(ours, theirs):
                    policy, task, repeat = key
                    against.append(f"{before.run} and {run} of {policy} on {task}, repeat {repeat}")
                elif _beside(theirs) > _beside(ours):
                    found[key] = attempts
    if against:
        more = f", and {len(against) - NAMED} more" if len(against) > NAMED else ""
        raise InputError(
            f"the runs contradict each other: {'; '.join(against[:NAMED])}{more}; leave one of "
            f"them out"
        )
    return found


def _trials(run: Path) -> Found:
    """The trials of one run."""
    found: Found = {}
    for line in each_line_of(run / LOG_NAME):
        if not line.signed:
            line.read(TrialRecord.from_json)
        one = line.read(Tried.from_json)
        key = intern(one.policy), intern(one.task), one.repeat
        attempts = found.setdefault(key, _Attempts(run, intern(one.group), 0, [], False))
        attempts.starts.append(line.start)
        attempts.steps = one.steps
        attempts.finished |= one.failure_reason is None
    return found


def _agree(one: TrialRecord, other: TrialRecord) -> bool:
    """Whether both are the same, however many attempts it took, in all that both know."""
    unknown = [name for name in BESIDE if None in (getattr(one, name), getattr(other, name))]
    same: dict[str, Any] = {"attempt": 1, **dict.fromkeys(unknown)}
    return replace(one, **same) == replace(other, **same)


def _beside(record: TrialRecord) -> int:
    return sum(getattr(record, name) is not None for name in BESIDE)


def _results(attempts: _Attempts) -> TrialRecord:
    path = attempts.run / LOG_NAME
    records = [record_at(path, start) for start in attempts.starts]
    return [record for record in records if record.finished][-1]


def _lines(header: RunHeader, found: Found) -> Iterator[Line]:
    """Every attempt, in the order of the merged log."""
    place = LogOrder.of(header.policies)
    of: list[Path] = []
    starts: defaultdict[Path, array[int]] = defaultdict(lambda: array("q"))
    for key in sorted(found, key=lambda key: place(key, found[key].group, found[key].steps)):
        attempts = found[key]
        of += [attempts.run] * len(attempts.starts)
        starts[attempts.run].extend(attempts.starts)
    found.clear()  # of a million trials it takes more memory than their report has left
    lines = {run: lines_at(run / LOG_NAME, own, WHAT, REMEDY) for run, own in starts.items()}
    for run in of:
        yield next(lines[run])


def _path_of(line: Line) -> str:
    return str(line.path)


def _files_named(data: Mapping[str, Any]) -> tuple[str, ...]:
    names = files_named(*(data.get(key) for key in ("video", "truth_video", "frame")))
    if data.get("failure_reason") is None:
        return names
    waiting = unjudged_name(*(data[key] for key in ("policy", "task", "repeat")))
    check_inside(waiting)
    return *names, waiting


def _behind(path: Path, lines: Iterator[Line]) -> Iterator[Line]:
    """What an earlier merge has not written yet. InputError if it wrote something else."""
    for there in each_record(path)[1]:
        due = next(lines, None)
        if due is None or there != due.read(TrialRecord.from_json):
            raise InputError(f"{path.parent} holds other trials of this run; choose another --out")
    return lines


def _adopt(runs: Sequence[Path], out: Path, name: str) -> None:
    """The files next to the runs' logs that shape their summaries. InputError if two runs hold
    different ones."""
    held = [path for path in (found_beside(name, run) for run in runs) if path is not None]
    for path in held[1:]:
        if path.read_bytes() != held[0].read_bytes():
            raise InputError(
                f"{path} and {held[0]} differ; give one to all runs by `worldgym report`"
            )
    if held:
        write_atomic(out / name, held[0].read_bytes())


def _gather(runs: Sequence[Path], out: Path, name: str) -> None:
    """The lines of such a file in all runs, the oldest first, behind what OUT holds of them: of a
    labeller's lines on a video, the last one counts."""
    here, *others = (
        [line.data for line in read_lines(run / name, "a file of a run", "remove it")]
        if (run / name).exists()
        else []
        for run in (out, *dict.fromkeys(runs))
    )
    known = {json_line(row) for row in here}
    rows = {json_line(row): row for row in sorted(chain(*others), key=_time_of)}
    if new := [row for line, row in rows.items() if line not in known]:
        with LineFile(out / name, wait=True) as file:
            file.append(*new)


def _time_of(row: Mapping[str, Any]) -> str:
    return str(row.get("time", ""))
