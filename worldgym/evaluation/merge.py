"""Shards of one run, evaluated apart with `--shard`, put together again: what a single process
would have logged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from worldgym.errors import InputError
from worldgym.io.attempted import TrialKey
from worldgym.io.files import write_atomic
from worldgym.io.run_log import LOG_NAME, RunLog, read_log
from worldgym.io.run_records import RunHeader, TrialRecord
from worldgym.report.page import write_results
from worldgym.stats.judge_calibration import CALIBRATION_NAME
from worldgym.stats.summary import Summary
from worldgym.stats.trusted import CHECK_NAME

Attempts = list[TrialRecord]


def merge(shards: Sequence[Path], out: Path, include_red: bool = False) -> Summary:
    """Writes OUT/log.jsonl, its videos and OUT/summary.json, and returns the summary. Run it again
    to resume.

    A trial that stands in several shards counts once, if they say the same of it. A check or
    calibration that lies in the shards comes along. include_red: see `write_results`. InputError if
    shards disagree, if they are not shards of one run, or if OUT holds something else.
    """
    header, merged, owner = _read(shards)
    order = {str(policy["name"]): i for i, policy in enumerate(header.policies)}
    keys = sorted(merged, key=lambda key: _place(order, merged[key][-1]))
    records = [record for key in keys for record in merged[key]]
    with RunLog.open(out, header) as log:
        there = read_log(log.path)[1]
        if there != records[: len(there)]:
            raise InputError(f"{out} holds other trials of this run; choose another --out")
        for beside in (CHECK_NAME, CALIBRATION_NAME):
            _adopt(shards, out, beside)
        for record in records[len(there) :]:
            for name in (record.video, record.actions_file, record.truth_video, record.frame):
                _copy(owner[record.key], out, name)
            log.append(record)
        return write_results(out, include_red)


def _read(
    shards: Sequence[Path],
) -> tuple[RunHeader, dict[TrialKey, Attempts], dict[TrialKey, Path]]:
    """=> (the header without its shard, all attempts of every trial, the folder each trial comes
    from)."""
    header: RunHeader | None = None
    merged: dict[TrialKey, Attempts] = {}
    owner: dict[TrialKey, Path] = {}
    for shard in shards:
        found, records = read_log(shard / LOG_NAME)
        whole = replace(
            found, config={key: value for key, value in found.config.items() if key != "shard"}
        )
        if header is not None and (difference := header.difference(whole)):
            raise InputError(
                f"{shard} is no shard of the run in {shards[0]}: {difference}; merge shards of one "
                f"run only"
            )
        header = header or whole
        for key, attempts in _by_trial(records).items():
            if merged.setdefault(key, attempts) != attempts:
                name = f"{key[0]} on {key[1]}, repeat {key[2]}"
                raise InputError(
                    f"{shard} and {owner[key]} say different things of {name}; leave one of the "
                    f"two out"
                )
            owner.setdefault(key, shard)
    if header is None:
        raise InputError("no shard is named: give the run folders to merge")
    return header, merged, owner


def _by_trial(records: Sequence[TrialRecord]) -> dict[TrialKey, Attempts]:
    trials: dict[TrialKey, Attempts] = {}
    for record in records:
        trials.setdefault(record.key, []).append(record)
    return trials


def _place(order: Mapping[str, int], last: TrialRecord) -> tuple[int, int, str, int, str]:
    """Where a single process would have logged the trial: policy by policy, trials of one length
    together."""
    return order[last.policy], last.steps, last.group, last.repeat, last.task


def _adopt(shards: Sequence[Path], out: Path, name: str) -> None:
    """What lies beside the shards' logs and shapes their summaries. InputError if two shards hold
    different ones."""
    holders = [shard for shard in shards if (shard / name).exists()]
    for shard in holders[1:]:
        if (shard / name).read_bytes() != (holders[0] / name).read_bytes():
            raise InputError(
                f"{shard / name} and {holders[0] / name} differ; give one to all shards by "
                f"`worldgym report`"
            )
    if holders:
        write_atomic(out / name, (holders[0] / name).read_bytes())


def _copy(shard: Path, out: Path, name: str | None) -> None:
    if name is not None and not (out / name).exists() and (shard / name).exists():
        write_atomic(out / name, (shard / name).read_bytes())
