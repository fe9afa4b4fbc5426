"""Sharded is single process: the merged log is the one that would have been written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from logs import rewrite

from worldgym.errors import InputError, JudgeOutage, WorldGymError
from worldgym.evaluation.merge import merge
from worldgym.evaluation.plan import EvaluateConfig
from worldgym.evaluation.run import evaluate_parts
from worldgym.io.jsonl import append_line, read_lines
from worldgym.io.run_log import read_log
from worldgym.stats.run_attempts import RunAttempts
from worldgym.stats.summarize import write_summary
from worldgym.stats.summary import Summary
from worldgym.stats.world_trust import adopt_trust
from worldgym.testing import FakeJudge, FakePolicy, FakeWorld
from worldgym.types import Rollout, Task, Verdict


def run(out: Path, shard: tuple[int, int] = (1, 1), **changes: int) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (6, 16, 24, 3), np.uint8)
    tasks = [
        Task(f"{group}/{i}", group, frames[3 * g + i], f"do {group}", 4)
        for g, group in enumerate("ab")
        for i in range(3)
    ]
    config = replace(EvaluateConfig(out, trials=4, batch=3, shard=shard), **changes)
    evaluate_parts(
        config,
        FakeWorld(),
        [FakePolicy(level=0.9, name="high"), FakePolicy(level=0.1, name="low")],
        tasks,
        FakeJudge(),
    )


@pytest.mark.parametrize("parts", [2, 3, 11])
def test_merged_shards_are_the_single_run(tmp_path: Path, parts: int) -> None:
    run(tmp_path / "whole")
    shards = [tmp_path / f"shard-{part}" for part in range(1, parts + 1)]
    for part, shard in enumerate(shards, 1):
        run(shard, (part, parts))
    # any order, and one of them twice
    summary = merge([*shards[::-1], shards[0]], tmp_path / "merged")
    (whole, expected), (header, records) = (
        read_log(tmp_path / name / "log.jsonl") for name in ("whole", "merged")
    )
    assert records == expected and header.difference(whole) is None
    single = Summary.read(tmp_path / "whole")
    assert replace(summary, expenses=single.expenses) == single  # times differ
    assert summary.expenses.attempts == single.expenses.attempts
    for record in records:
        assert record.video is not None
        for name in (record.video, str(record.actions_file)):
            assert (tmp_path / "merged" / name).read_bytes() == (
                tmp_path / "whole" / name
            ).read_bytes()


def test_the_trust_report_and_the_calibration_of_the_shards_come_along(tmp_path: Path) -> None:
    run(tmp_path / "whole")
    shards = [tmp_path / f"shard-{part}" for part in (1, 2)]
    for part, shard in enumerate(shards, 1):
        run(shard, (part, 2))
    check = {
        "world": "fake-world",
        "tasks": {"a": {"colour": "red", "reason": "shuffled actions succeed"}},
    }
    (tmp_path / "trust.json").write_text(json.dumps(check))
    for folder in (tmp_path / "whole", *shards):
        adopt_trust(folder, tmp_path / "trust.json", "fake-world")
    for include_red in (False, True):
        whole = write_summary(tmp_path / "whole", RunAttempts.read(tmp_path / "whole"), include_red)
        merged = merge(shards, tmp_path / "merged", include_red)
        assert merged.trust == whole.trust and merged.policies == whole.policies
    assert merged.trust is not None and merged.trust.left_out == ()
    assert len({policy.trials for policy in merged.policies}) == 1
    (shards[1] / "trust.json").write_text(json.dumps({**check, "tasks": {}}))
    with pytest.raises(InputError, match=r"trust\.json differ"):
        merge(shards, tmp_path / "other")


def test_labels_preferences_and_lost_batches_come_along(tmp_path: Path) -> None:
    """Once each, the last of a labeller last; what was added to the merged run since stays."""
    shards = [tmp_path / f"shard-{part}" for part in (1, 2)]
    for part, shard in enumerate(shards, 1):
        run(shard, (part, 2))
    said = [
        {"video": "videos/a.mp4", "score": score, "labeller": "anna", "time": f"2026-11-30T10:0{i}"}
        for i, score in enumerate((1.0, 0.0, 0.5))
    ]
    for shard, rows in zip(shards, ([said[0], said[2]], [said[1], said[0]]), strict=True):
        for name in ("labels.jsonl", "preferences.jsonl", "lost.jsonl"):
            for row in rows:
                append_line(shard / name, row)
    merge(shards, tmp_path / "merged")
    later = {**said[0], "time": "2026-11-30T09:00", "labeller": "ben"}
    append_line(tmp_path / "merged" / "labels.jsonl", later)
    merge(shards, tmp_path / "merged")

    def rows_of(name: str) -> list[Mapping[str, object]]:
        lines = read_lines(tmp_path / "merged" / name, "a file", "remove it")
        return [line.data for line in lines]

    assert rows_of("labels.jsonl") == [*said, later]
    assert rows_of("preferences.jsonl") == rows_of("lost.jsonl") == said


def test_a_shard_that_was_not_merged_is_missed(tmp_path: Path) -> None:
    for part in (1, 2):
        run(tmp_path / str(part), (part, 3))
    summary = merge([tmp_path / "1", tmp_path / "2"], tmp_path / "merged")
    told = summary.completeness
    assert (told.known, told.planned, told.missing, told.finished) == (True, 16, 4, 12)
    assert sum(cell.missing for cell in summary.cells) == 4
    part = Summary.read(tmp_path / "1")
    assert (part.completeness.shard, part.completeness.missing) == ("1/3", 0)


def test_a_merge_cut_short_goes_on(tmp_path: Path) -> None:
    for part in (1, 2):
        run(tmp_path / str(part), (part, 2))
    shards = [tmp_path / "1", tmp_path / "2"]
    merge(shards, tmp_path / "merged")
    log = tmp_path / "merged" / "log.jsonl"
    data = log.read_bytes()
    log.write_bytes(data[: len(data) // 2])
    merge(shards, tmp_path / "merged")
    assert log.read_bytes() == data


def test_what_does_not_belong_together_is_refused(tmp_path: Path) -> None:
    run(tmp_path / "one", (1, 2))
    run(tmp_path / "other", (2, 2), seed=5)
    with pytest.raises(
        InputError,
        match=r"other does not belong to the run in .*one: run_seed is 0 there and 5 now",
    ):
        merge([tmp_path / "one", tmp_path / "other"], tmp_path / "merged")
    assert not (tmp_path / "merged").exists()
    with pytest.raises(InputError, match="no run is given"):
        merge([], tmp_path / "merged")


def test_shards_that_contradict_each_other_are_named(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        run(tmp_path / folder)
    log = tmp_path / "two" / "log.jsonl"
    rewrite(
        log,
        lambda line: (
            {**line, "score": 0.0}
            if (line.get("task"), line.get("policy")) == ("a/0", "high")
            else line
        ),
    )
    with pytest.raises(
        InputError,
        match=r"contradict each other: .*one and .*two of high on a/0, repeat 0; .*repeat 1; leave",
    ):
        merge([tmp_path / "one", tmp_path / "two"], tmp_path / "merged")


def test_a_file_outside_the_run_is_not_copied(tmp_path: Path) -> None:
    run(tmp_path / "one")
    (tmp_path / "secret.mp4").write_bytes(b"secret")
    rewrite(
        tmp_path / "one" / "log.jsonl",
        lambda line: {**line, "video": "../secret.mp4"} if line.get("task") == "a/0" else line,
    )
    with pytest.raises(InputError, match=r"'\.\./secret\.mp4' lies outside the run's folder"):
        merge([tmp_path / "one"], tmp_path / "out" / "merged")
    assert not (tmp_path / "out" / "secret.mp4").exists()


def evaluated(
    out: Path, policies: tuple[str, ...], trials: int, groups: str, seed: int = 0
) -> Summary:
    frames = np.random.default_rng(0).integers(0, 256, (4, 16, 24, 3), np.uint8)
    tasks = [
        Task(f"{group}/{i}", group, frames["abc".index(group)], f"do {group}", 3)
        for group in groups
        for i in range(2)
    ]
    chosen = [FakePolicy(level=0.9 if name == "high" else 0.1, name=name) for name in policies]
    return evaluate_parts(
        EvaluateConfig(out, trials, seed), FakeWorld(), chosen, tasks, FakeJudge()
    )


def test_runs_of_other_policies_trials_and_tasks_become_one(tmp_path: Path) -> None:
    """Whatever of it overlaps: the records of the run planned whole."""
    evaluated(tmp_path / "whole", ("low", "high"), 3, "ab")
    parts = [
        (("low",), 3, "a"),
        (("low", "high"), 2, "ab"),
        (("high",), 3, "ab"),
        (("low",), 3, "b"),
    ]
    for i, part in enumerate(parts):
        evaluated(tmp_path / str(i), *part)
    summary = merge([tmp_path / str(i) for i in range(4)], tmp_path / "merged")
    (whole, expected), (header, records) = (
        read_log(tmp_path / name / "log.jsonl") for name in ("whole", "merged")
    )
    assert header.difference(whole) is None
    assert records == expected and summary.completeness.missing == 0
    assert (tmp_path / "merged" / str(records[0].video)).exists()
    partly = merge([tmp_path / "0", tmp_path / "1"], tmp_path / "partly")
    cells = {(cell.policy, cell.task): cell.missing for cell in partly.cells if cell.missing}
    assert cells == {("high", "a"): 1}


def test_a_merged_run_grows(tmp_path: Path) -> None:
    for name in ("low", "high"):
        evaluated(tmp_path / name, (name,), 2, "a")
    merge([tmp_path / "low", tmp_path / "high"], tmp_path / "merged")
    evaluated(tmp_path / "merged", ("low", "high", "new"), 3, "ab")
    evaluated(tmp_path / "whole", ("low", "high", "new"), 3, "ab")
    merged, whole = (read_log(tmp_path / name / "log.jsonl")[1] for name in ("merged", "whole"))
    assert {r.key: r for r in merged} == {r.key: r for r in whole} and len(merged) == len(whole)


def test_a_trial_that_failed_in_one_run_is_taken_from_the_other(tmp_path: Path) -> None:
    for name in ("one", "two"):
        evaluated(tmp_path / name, ("low",), 2, "a")
    log = tmp_path / "one" / "log.jsonl"

    def break_first(line: dict[str, object]) -> dict[str, object]:
        if line.get("task") != "a/0":
            return line
        return {**line, "score": None, "failure_reason": "the server hung up"}

    rewrite(log, break_first)
    expected = {r.key: r for r in read_log(tmp_path / "two" / "log.jsonl")[1]}
    for i, order in enumerate((("one", "two"), ("two", "one"))):
        merge([tmp_path / name for name in order], tmp_path / f"merged-{i}")
        found = {r.key: r for r in read_log(tmp_path / f"merged-{i}" / "log.jsonl")[1]}
        assert found == expected


def test_runs_of_other_seeds_or_contents_do_not_go_together(tmp_path: Path) -> None:
    evaluated(tmp_path / "one", ("low",), 2, "a")
    evaluated(tmp_path / "two", ("high",), 2, "a", seed=1)
    with pytest.raises(InputError, match=r"two does not belong to .*: run_seed is 0 there and 1"):
        merge([tmp_path / "one", tmp_path / "two"], tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_a_shard_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    for shard in ((0, 2), (3, 2)):
        with pytest.raises(InputError, match="no shard"):
            EvaluateConfig(tmp_path, trials=1, shard=shard)


class Away(FakeJudge):
    """Answers for the trials of a few tasks alone, and remembers what it saw."""

    def __init__(self, away: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.away = away
        self.seen: dict[tuple[str, int], bytes] = {}

    def __call__(self, rollout: Rollout, task: Task) -> Verdict:
        if task.name in self.away:
            raise JudgeOutage("the judge is away")
        self.seen[task.name, rollout.trial.repeat] = rollout.frames.tobytes()
        return super().__call__(rollout, task)


def some_tasks(count: int = 2) -> list[Task]:
    frames = np.random.default_rng(0).integers(0, 256, (count, 16, 24, 3), np.uint8)
    return [Task(f"a/{i}", "a", frame, "do a", 4) for i, frame in enumerate(frames)]


def test_what_waits_for_a_verdict_keeps_its_pixels(tmp_path: Path) -> None:
    """A video is compressed, and another verdict might come of it."""
    tasks = some_tasks()

    def judged(out: Path, judge: Away, shard: tuple[int, int] = (1, 1)) -> Away:
        config = EvaluateConfig(out, trials=2, shard=shard)
        with suppress(WorldGymError):  # trials are missing
            evaluate_parts(config, FakeWorld(), [FakePolicy()], tasks, judge)
        return judge

    whole = judged(tmp_path / "whole", Away())
    for part in (1, 2):
        judged(tmp_path / f"{part}", Away(("a/0", "a/1")), (part, 2))
    merge([tmp_path / "1", tmp_path / "2"], tmp_path / "merged")
    assert judged(tmp_path / "merged", Away()).seen == whole.seen
    assert not list((tmp_path / "merged" / "unjudged").rglob("*.npy"))


@pytest.mark.parametrize("plain_first", [True, False])
def test_a_run_with_edited_twins_agrees_with_one_without(tmp_path: Path, plain_first: bool) -> None:
    """Only the former keeps initial frames, which a report shows beside each other."""
    plain = some_tasks()
    edited = [
        replace(
            task, name=f"mug/{task.name}", frame=255 - task.frame, nominal=task.name, axis="mug"
        )
        for task in plain
    ]
    for name, tasks in (("plain", plain), ("both", [*plain, *edited])):
        config = EvaluateConfig(tmp_path / name, trials=2)
        evaluate_parts(config, FakeWorld(), [FakePolicy()], tasks, FakeJudge())
    runs = [tmp_path / "plain", tmp_path / "both"]
    merge(runs if plain_first else runs[::-1], tmp_path / "merged")
    _, records = read_log(tmp_path / "merged" / "log.jsonl")
    assert records == read_log(tmp_path / "both" / "log.jsonl")[1]
    shared = {record.key for record in read_log(tmp_path / "plain" / "log.jsonl")[1]}
    assert shared and shared < {record.key for record in records}
    assert all(record.frame is not None for record in records)
    assert all((tmp_path / "merged" / str(record.frame)).exists() for record in records)
