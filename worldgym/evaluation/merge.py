"""Joins runs: shards of one run (`--shard`), and runs of different policies, trials or tasks in the
same world. The result equals the log of a single process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from sys import intern

from worldgym.errors import InputError
from worldgym.io.attempted import TrialKey
from worldgym.io.files import write_atomic
from worldgym.io.run_files import copy_missing
from worldgym.io.run_growth import SHARD_KEY, growth_difference, joined_header
from worldgym.io.run_log import LOG_NAME, RunLog, each_line_of, each_record, read_header, record_at
from worldgym.io.run_records import RunHeader, TrialRecord
from worldgym.report.page import write_results
from worldgym.stats.judge_calibration import CALIBRATION_NAME
from worldgym.stats.summary import Summary
from worldgym.stats.trusted import CHECK_NAME

NAMED = 5  # trials in a message


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
    good in some of them is taken from one in which it did not. A check or calibration that lies in
    the runs comes along. include_red: see `write_results`. InputError if the runs are of different
    worlds, judges, seeds or tasks, if they contradict each other, or if OUT holds something else.
    """
    header = _joined(runs)
    found = _read(runs)
    order = {str(policy["name"]): i for i, policy in enumerate(header.policies)}
    keys = sorted(found, key=lambda key: _place(order, key, found[key]))
    with RunLog.open(out, header) as log:
        left = _behind(log.path, _records(keys, found))
        for beside in (CHECK_NAME, CALIBRATION_NAME):
            _adopt(runs, out, beside)
        for run, record in left:
            copy_missing(record.files, run, out)
            log.append(record)
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
            elif attempts.finished and not _agree(before, attempts):
                policy, task, repeat = key
                against.append(f"{before.run} and {run} of {policy} on {task}, repeat {repeat}")
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
        record = line.read(TrialRecord.from_json)
        key = intern(record.policy), intern(record.task), record.repeat
        attempts = found.setdefault(key, _Attempts(run, intern(record.group), 0, [], False))
        attempts.starts.append(line.start)
        attempts.steps = record.steps
        attempts.finished |= record.finished
    return found


def _agree(one: _Attempts, other: _Attempts) -> bool:
    """Whether both finished to the same record, however many attempts it took."""
    first, second = (_results(attempts) for attempts in (one, other))
    return replace(first, attempt=1) == replace(second, attempt=1)


def _results(attempts: _Attempts) -> TrialRecord:
    path = attempts.run / LOG_NAME
    records = [record_at(path, start) for start in attempts.starts]
    return [record for record in records if record.finished][-1]


def _records(keys: Sequence[TrialKey], found: Found) -> Iterator[tuple[Path, TrialRecord]]:
    """Every attempt with the run it comes from, in the order of the merged log."""
    for key in keys:
        attempts = found[key]
        for start in attempts.starts:
            yield attempts.run, record_at(attempts.run / LOG_NAME, start)


def _behind(
    path: Path, records: Iterator[tuple[Path, TrialRecord]]
) -> Iterator[tuple[Path, TrialRecord]]:
    """What an earlier merge has not written yet. InputError if it wrote something else."""
    for there in each_record(path)[1]:
        _, due = next(records, (None, None))
        if there != due:
            raise InputError(f"{path.parent} holds other trials of this run; choose another --out")
    return records


def _place(
    order: Mapping[str, int], key: TrialKey, attempts: _Attempts
) -> tuple[int, int, str, int, str]:
    """Where a single process would have logged the trial: policy by policy, trials of one length
    together."""
    policy, task, repeat = key
    return order[policy], attempts.steps, attempts.group, repeat, task


def _adopt(runs: Sequence[Path], out: Path, name: str) -> None:
    """The files next to the runs' logs that shape their summaries. InputError if two runs hold
    different ones."""
    holders = [run for run in runs if (run / name).exists()]
    for run in holders[1:]:
        if (run / name).read_bytes() != (holders[0] / name).read_bytes():
            raise InputError(
                f"{run / name} and {holders[0] / name} differ; give one to all runs by "
                f"`worldgym report`"
            )
    if holders:
        write_atomic(out / name, (holders[0] / name).read_bytes())
