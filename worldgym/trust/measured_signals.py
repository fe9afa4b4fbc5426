"""Signals of the rollouts of a run, in a file that a stopped measurement continues from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worldgym.errors import InputError
from worldgym.evaluation.judge_recorded import rollout_of, task_of
from worldgym.evaluation.rejudge import tasks_of_run
from worldgym.io.devices import CPU, device_name
from worldgym.io.jsonl import Line, LineFile, each_line, read_lines
from worldgym.io.migration import migrated_signals
from worldgym.io.progress import progress
from worldgym.io.records import from_mapping
from worldgym.io.run_log import LOG_NAME, read_header
from worldgym.io.run_records import RunHeader, TrialRecord
from worldgym.trust.error_signals import Instruments, measure, other_trial_signals

BATCH = 20  # rollouts measured between two writes
SIGNALS_NAME = "signals.jsonl"


@dataclass(frozen=True)
class MeasuredWith:
    """First line of OUT/signals.jsonl: what the signals depend on."""

    measured_with: Mapping[str, Any]


@dataclass(frozen=True)
class MeasuredTrial:
    """Line of OUT/signals.jsonl. trial: "POLICY TASK REPEAT"."""

    trial: str
    signals: Mapping[str, float]


def measured_signals(
    run: Path,
    out: Path,
    records: Sequence[TrialRecord],
    instruments: Instruments,
    tasks: Path | None = None,
) -> list[dict[str, float]]:
    """The signals of these trials of a run, from OUT/signals.jsonl where they were measured before.

    Signals from a trial's other trials are computed again over all `records`, because a resumed run
    may have more."""
    header = read_header(run / LOG_NAME)
    identity = {
        "run": header.started,
        "world": instruments.world.name,
        "judge": instruments.judge.name,
        "inverse_dynamics": instruments.inverse_dynamics.name,
        "futures": instruments.futures,
        **instruments.motions_fact,
    }
    folder = tasks_of_run(run, tasks)
    if (device := device_name(instruments.inverse_dynamics.device)) != CPU:
        identity["device"] = device
    with LineFile(out / SIGNALS_NAME) as file:
        done = _resume(file, identity)
        left = [record for record in records if _key(record) not in done]
        batches = [left[i : i + BATCH] for i in range(0, len(left), BATCH)]
        for batch in progress(batches, len(batches), "measuring", "batch"):
            rollouts = [rollout_of(run, header, r, task_of(folder, r)) for r in batch]
            found = dict(zip(map(_key, batch), measure(instruments, rollouts, batch), strict=True))
            file.append(*({"trial": key, "signals": row} for key, row in found.items()))
            done |= found
    return [
        done[_key(record)] | company
        for record, company in zip(records, other_trial_signals(records), strict=True)
    ]


def kept_signals(
    run: Path, header: RunHeader, record: TrialRecord
) -> tuple[dict[str, float], Path]:
    """What a trust report or a fit measured of a trial before, and the folder that it left it
    in: that of the run, the one that this lies in, or one beside it. ({}, run) where nothing was
    measured of this run."""
    remedy = "remove the file, and measure again"
    places = (run, run.parent, *sorted(run.parent.glob("*/")), *sorted(run.parent.glob("*/run-*/")))
    for place in places:
        file = place / SIGNALS_NAME
        lines = each_line(file, "a file of signals", remedy) if file.is_file() else iter(())
        first = next(lines, None)
        if first is not None and _measured_with(first).get("run") == header.started:
            known = map(_measured, lines)
            found = [dict(row.signals) for row in known if row.trial == _key(record)]
            return (found[-1], place) if found else ({}, run)
    return {}, run


def _key(record: TrialRecord) -> str:
    return f"{record.policy} {record.task} {record.repeat}"


def _resume(file: LineFile, identity: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """What was measured before. InputError if it was measured with something else."""
    remedy = "remove the file, and everything is measured again"
    lines = read_lines(file.path, "a file of signals", remedy)
    if not lines:
        file.append({"measured_with": identity})
        return {}
    first = _measured_with(lines[0])
    if first != identity:
        raise InputError(
            f"{file.path}: was measured with {first}, now it is {dict(identity)}; choose another "
            f"--out"
        )
    rows = map(_measured, lines[1:])
    return {row.trial: dict(row.signals) for row in rows}


def _measured_with(line: Line) -> Mapping[str, Any]:
    return line.read(lambda data: from_mapping(MeasuredWith, migrated_signals(data))).measured_with


def _measured(line: Line) -> MeasuredTrial:
    return line.read(lambda data: from_mapping(MeasuredTrial, migrated_signals(data)))
