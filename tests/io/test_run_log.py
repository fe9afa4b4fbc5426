from __future__ import annotations

import errno
import json
import os
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from logs import signed

from worldgym.errors import InputError
from worldgym.io import run_log
from worldgym.io.run_log import LOG_NAME, RunLog, read_log
from worldgym.io.run_records import RunHeader, TrialRecord, results
from worldgym.io.text import clean
from worldgym.types import Vote, trial_seed

HEADER = RunHeader(
    config={"trials": 20, "sampler": {"steps": 10, "sizes": [1, 2]}},
    command="worldgym evaluate",
    policies=(
        {"name": "good", "spec": {"names": ["x"]}, "chunk": 4},
        {"name": "poor", "spec": {"names": ["x"]}, "chunk": 1},
    ),
    world="world-1",
    judge="judge-1",
    run_seed=7,
    environment={"python": "3.11", "git_commit": None},
    started="2026-01-01T00:00:00+00:00",
)


def record(**fields: Any) -> TrialRecord:
    known = {
        "policy": "good",
        "task": "door/1",
        "group": "door",
        "instruction": "open the door",
        "repeat": 0,
    }
    known["seed"] = trial_seed(HEADER.run_seed, fields.get("task", "door/1"), 0)
    if "failure_reason" not in fields:
        known["score"] = 1.0
    return TrialRecord(**{**known, **fields})


RECORDS = [
    record(),
    record(
        task="door/2",
        score=0.5,
        probability=0.5,
        progress=0.25,
        flags=("frozen", "dark"),
        truth=True,
        video="v/2.mp4",
    ),
    record(task="door/3", score=None, reason="the judge saw no door"),
    record(task="door/4", failure_reason="the server hung up"),
    record(task="door/4", attempt=2, score=0.0, truth=False),
]


def written(folder: Path) -> Path:
    log = RunLog.open(folder, HEADER)
    for r in RECORDS:
        log.append(r)
    return folder / LOG_NAME


def test_what_is_written_is_read(tmp_path: Path) -> None:
    assert read_log(written(tmp_path)) == (HEADER, RECORDS)


def test_each_line_says_what_it_is(tmp_path: Path) -> None:
    header, *trials = [json.loads(line) for line in written(tmp_path).read_text().splitlines()]
    assert (header["type"], header["version"]) == ("header", 5)
    assert {line["type"] for line in trials} == {"trial"}
    assert trials[1]["flags"] == ["frozen", "dark"]


@given(
    unit=st.one_of(st.none(), st.floats(0, 1)),
    seed=st.integers(0, 2**63 - 1),
    text=st.text(),
    truth=st.sampled_from([None, True, False]),
)
def test_a_record_survives_json(
    unit: float | None, seed: int, text: str, truth: bool | None
) -> None:
    r = record(
        score=unit,
        probability=unit,
        reason=text + ".",
        instruction=text,
        seed=seed,
        truth=truth,
        flags=(text,),
    )
    assert TrialRecord.from_json(json.loads(json.dumps(r.to_json(), allow_nan=False))) == r


def test_seconds_and_time_are_no_part_of_equality() -> None:
    early = record(seconds=1.5, timing={"world": 1.0}, time="now")
    assert early == record(seconds=2.5, timing={"judge": 1.0}, time="then") != record(steps=3)


def test_logs_of_the_first_version_are_read_and_go_on(tmp_path: Path) -> None:
    path = written(tmp_path)
    header, *trials = [json.loads(line) for line in path.read_text().splitlines()]
    for trial in trials:
        del trial["timing"]
    for line in (header, *trials):
        del line["crc32"]
    path.write_text(
        "".join(json.dumps(line) + "\n" for line in ({**header, "version": 1}, *trials))
    )
    assert read_log(path) == (HEADER, RECORDS)
    assert read_log(tmp_path / LOG_NAME)[1] == RECORDS


def test_an_open_log_knows_what_is_done(tmp_path: Path) -> None:
    written(tmp_path)
    log = RunLog.open(tmp_path, HEADER)
    assert log.done == {("good", f"door/{i}", 0) for i in (1, 2, 3, 4)}
    assert log.attempts("good", "door/4", 0) == 2
    assert log.attempts("good", "door/9", 0) == 0
    log.append(record(task="door/9", failure_reason="broke"))
    assert log.attempts("good", "door/9", 0) == 1
    assert ("good", "door/9", 0) not in log.done
    assert log.failed == {("good", "door/9", 0): read_log(log.path)[1][-1]}


def test_a_log_cut_anywhere_keeps_its_whole_lines(tmp_path: Path) -> None:
    path = written(tmp_path)
    whole = path.read_bytes()
    for size in range(whole.index(b"\n") + 1, len(whole), 7):
        path.write_bytes(whole[:size])
        assert read_log(path)[1] == RECORDS[: whole[:size].count(b"\n") - 1]


@pytest.mark.parametrize("kept", [0, 1, 3, 4])
@pytest.mark.parametrize("torn", [0, 1, 60, -1])
def test_a_killed_run_resumes_to_the_same_log(tmp_path: Path, kept: int, torn: int) -> None:
    path = written(tmp_path)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    path.write_bytes(b"".join(lines[: kept + 1]) + lines[kept + 1][:torn])
    log = RunLog.open(tmp_path, HEADER)
    assert read_log(log.path)[1] == RECORDS[:kept]
    for r in RECORDS[kept:]:
        log.append(r)
    assert path.read_bytes() == whole


def test_reading_a_torn_log_leaves_it_alone(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.write_bytes(path.read_bytes() + b'{"type": "tri')
    before = path.read_bytes()
    read_log(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "line",
    [b"{", b"[]", b"", b"\xff\xfe", b'{"type": "trial"}', b'{"type": "header"}'],
    ids=["cut", "list", "empty", "binary", "fields", "header"],
)
def test_a_corrupt_middle_line_is_named(tmp_path: Path, line: bytes) -> None:
    path = written(tmp_path)
    lines = path.read_bytes().split(b"\n")
    lines[2] = line
    path.write_bytes(b"\n".join(lines))
    for reading in (lambda: read_log(path), lambda: RunLog.open(tmp_path, HEADER)):
        with pytest.raises(InputError, match=r"log\.jsonl, line 3: "):
            reading()


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"score": "high"}, "\"score\" holds 'high'"),
        ({"score": True}, '"score" holds True'),
        ({"score": 2.0}, "score must lie in"),
        ({"repeat": 0.5}, '"repeat" holds 0.5'),
        ({"flags": "dark"}, '"flags" holds'),
        ({"mood": "good"}, '"mood" is unknown'),
        ({"flags": [1, {}]}, r'"flags\[0\]" holds 1; it must be a text'),
        ({"timing": {"world": "long"}}, '"timing.world" holds'),
        ({"timing": {"world": None}}, '"timing.world" holds'),
        ({"seconds": 10**400}, "line 2"),
        ({"video": "/etc/passwd"}, "lies outside the run's folder"),
        ({"truth_video": "../secret.mp4"}, "lies outside the run's folder"),
        ({"frame": "frames/../../x.png"}, "lies outside the run's folder"),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, changes: dict[str, Any], fault: str) -> None:
    path = tmp_path / LOG_NAME
    RunLog.open(tmp_path, HEADER)
    with path.open("a") as file:
        file.write(signed(record().to_json() | changes) + "\n")
    with pytest.raises(InputError, match=fault):
        read_log(path)


@pytest.mark.parametrize("line", [b"[" * 100_000, b'{"a":' * 100_000])
def test_a_deep_line_is_named(tmp_path: Path, line: bytes) -> None:
    RunLog.open(tmp_path, HEADER)
    with (tmp_path / LOG_NAME).open("ab") as file:
        file.write(line + b"\n")
    with pytest.raises(InputError, match="line 2"):
        read_log(tmp_path / LOG_NAME)


def test_policies_that_are_no_objects_are_named(tmp_path: Path) -> None:
    # no checksum is needed to see that
    (tmp_path / LOG_NAME).write_text(json.dumps({**HEADER.to_json(), "policies": [1]}) + "\n")
    with pytest.raises(InputError, match="line 1"):
        read_log(tmp_path / LOG_NAME)


def test_nan_is_refused_on_both_ways(tmp_path: Path) -> None:
    for name in ("score", "probability", "progress", "seconds"):
        with pytest.raises(ValueError, match=name):
            record(**{name: float("nan")})
    with pytest.raises(ValueError, match="JSON"):
        RunLog.open(tmp_path / "other", replace(HEADER, config={"cfg": float("inf")}))
    path = written(tmp_path)
    lines = path.read_text().splitlines()
    lines[2] = signed(json.loads(lines[2]) | {"probability": float("nan")})
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match="line 3: NaN"):
        read_log(path)


@pytest.mark.parametrize(
    "fields",
    [
        {"attempt": 0},
        {"failure_reason": "broke", "score": 1.0},
        {"score": None},
        {"score": -0.1},
        {"progress": 1.1},
    ],
)
def test_contradictions_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        record(**fields)


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        (
            {"config": {"trials": 20, "sampler": {"steps": 5, "sizes": [1, 2]}}},
            "config.sampler.steps is 10 there and 5 now",
        ),
        (
            {"config": {"trials": 20, "sampler": {"steps": 10, "sizes": [1, 3]}}},
            r"config.sampler.sizes\[1\] is 2 there and 3 now",
        ),
        ({"config": {"trials": 20}}, "config.sampler is .* there and None now"),
        ({"policies": HEADER.policies[:1]}, "policies.poor is .* there and None now"),
        ({"world": "world-2"}, "world is 'world-1' there and 'world-2' now"),
        ({"run_seed": 8, "judge": "judge-2"}, "judge is"),
    ],
)
def test_another_run_is_not_resumed(
    tmp_path: Path, changes: dict[str, Any], difference: str
) -> None:
    written(tmp_path)
    with pytest.raises(InputError, match=difference):
        RunLog.open(tmp_path, replace(HEADER, **changes))


def test_command_environment_and_start_may_differ_and_the_first_header_stays(
    tmp_path: Path,
) -> None:
    written(tmp_path)
    again = replace(
        HEADER,
        command="again",
        environment={"python": "3.12"},
        started="later",
        config=dict(HEADER.config),
    )
    assert RunLog.open(tmp_path, again).header == HEADER


def test_without_resume_an_old_log_is_refused(tmp_path: Path) -> None:
    RunLog.open(tmp_path, HEADER, resume=False)
    with pytest.raises(InputError, match="already holds a run"):
        RunLog.open(tmp_path, HEADER, resume=False)


def test_files_that_are_no_log(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no run"):
        read_log(tmp_path / LOG_NAME)
    (tmp_path / LOG_NAME).write_bytes(b"")
    with pytest.raises(InputError, match="no header"):
        read_log(tmp_path / LOG_NAME)
    (tmp_path / LOG_NAME).write_bytes(b'{"type": "header", "version": 6}\n')
    with pytest.raises(InputError, match="version 1"):
        read_log(tmp_path / LOG_NAME)
    with pytest.raises(InputError, match="cannot write"):
        RunLog.open(tmp_path / LOG_NAME / "below-a-file", HEADER)


def test_a_policy_needs_a_name() -> None:
    with pytest.raises(ValueError, match="name"):
        replace(HEADER, policies=({"chunk": 1},))


def test_a_write_that_fails_leaves_the_log_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = RunLog.open(tmp_path, HEADER)
    log.append(RECORDS[0])

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(InputError, match="No space left"):
            log.append(RECORDS[1])
    log.append(RECORDS[2])
    assert read_log(log.path)[1] == [RECORDS[0], RECORDS[2]]


def test_results_keep_the_last_finished_attempt() -> None:
    first, later = record(score=0.0), record(score=1.0, attempt=2)
    broke = record(failure_reason="broke", attempt=3)
    never = [
        record(task="door/2", failure_reason=reason, attempt=i)
        for i, reason in ((1, "a"), (2, "b"))
    ]
    outcome = results(
        [first, never[0], later, broke, never[1], record(task="door/3", score=None, reason="dark")]
    )
    assert outcome.finished == (later, record(task="door/3", score=None, reason="dark"))
    assert outcome.failed == (never[1],)
    assert results([]).finished == ()


def test_repeats_and_policies_are_trials_of_their_own() -> None:
    assert len(results([record(), record(repeat=1), record(policy="poor")]).finished) == 3


@pytest.mark.parametrize(
    ("score", "truth", "succeeded", "right"),
    [
        (1.0, True, True, True),
        (0.5, True, False, False),
        (0.5, False, False, True),
        (0.0, None, False, None),
        (None, True, None, None),
    ],
)
def test_the_verdict_against_the_truth(
    score: float | None, truth: bool | None, succeeded: bool | None, right: bool | None
) -> None:
    r = record(score=score, truth=truth, reason="why")
    assert (r.succeeded, r.right) == (succeeded, right)


def test_no_flipped_bit_is_believed(tmp_path: Path) -> None:
    """3,000 of them, anywhere: a damaged log is refused with the line; without its last newline, it
    is one trial shorter."""
    path, rng = written(tmp_path), random.Random(0)
    whole = path.read_bytes()
    for bit in rng.sample(range(8 * len(whole)), 3000):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        if bit // 8 == len(whole) - 1:
            assert read_log(path) == (HEADER, RECORDS[:-1])
        else:
            with pytest.raises(InputError, match="line"):
                read_log(path)


def test_a_line_without_its_checksum_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path)
    lines = path.read_text().splitlines()
    lines[3] = json.dumps(
        {key: value for key, value in json.loads(lines[3]).items() if key != "crc32"}
    )
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match="line 4: it carries no checksum"):
        read_log(path)


def test_logs_of_before_the_checksums_open_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / LOG_NAME
    path.write_text(
        f"{json.dumps({**HEADER.to_json(), 'version': 3})}\n"
        f"{json.dumps(record().to_json() | {'seed': 12})}\n"
    )
    assert read_log(path)[1][0].seed == 12


def test_a_trial_of_a_policy_that_the_header_lacks_is_refused(tmp_path: Path) -> None:
    RunLog.open(tmp_path, HEADER).append(record(policy="stranger"))
    with pytest.raises(
        InputError, match="line 2: policy 'stranger' is not among those of the header"
    ):
        read_log(tmp_path / LOG_NAME)


ANY_TEXT = st.text(st.characters(codec=None))  # lone surrogates and control characters too


@given(text=ANY_TEXT)
def test_whatever_is_said_can_be_logged_and_read(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    folder = tmp_path_factory.mktemp("run")
    header = replace(HEADER, config={"tasks": text, text: 1}, command=text)
    said = record(
        instruction=text,
        reason=text + ".",
        flags=(text,),
        votes=(Vote(1.0, text),),
        provenance={"prompt": text},
    )
    with RunLog.open(folder, header) as log:
        log.append(said)
    assert read_log(folder / LOG_NAME)[1] == [said] and said.instruction == clean(text)
    with RunLog.open(folder, header) as log:
        assert log.done == {said.key}


@pytest.mark.parametrize(
    ("key", "where"), [("tasks_sha256", "config"), ("engine", "config"), ("code", "policies")]
)
def test_what_older_runs_did_not_keep_is_not_compared_with_them(
    tmp_path: Path, key: str, where: str
) -> None:
    def header(value: str | None) -> RunHeader:
        known = {} if value is None else {key: value}
        config = {**HEADER.config, **known} if where == "config" else HEADER.config
        return replace(
            HEADER,
            config=config,
            policies=(
                {**HEADER.policies[0], **known} if where == "policies" else HEADER.policies[0],
            ),
        )

    RunLog.open(tmp_path / "older", header(None))
    RunLog.open(tmp_path / "older", header("a"))
    RunLog.open(tmp_path / "newer", header("a"))
    with pytest.raises(InputError, match=f"{key} is 'a' there and 'b' now"):
        RunLog.open(tmp_path / "newer", header("b"))


def test_words_for_what_was_changed_are_not_compared(tmp_path: Path) -> None:
    """They follow from the two conventions, and older versions said less."""
    for changes in ({}, {"changes": ["a told as b"]}, {"changes": ["a told as b", "5 Hz"]}):
        policy = {**HEADER.policies[0], **changes}
        RunLog.open(tmp_path, replace(HEADER, policies=(policy,)))


def test_another_engine_goes_on_only_where_that_is_said(tmp_path: Path) -> None:
    def header(engine: str) -> RunHeader:
        return replace(HEADER, config={**HEADER.config, "engine": engine})

    RunLog.open(tmp_path, header("compiled, bfloat16, cpu"))
    with pytest.raises(InputError, match="give --other-engine"):
        RunLog.open(tmp_path, header("torch, bfloat16, cpu"))
    RunLog.open(tmp_path, header("torch, bfloat16, cpu"), may_differ=("engine",))


@pytest.mark.parametrize("block", [1, 7, 40, 2**20])
def test_the_last_whole_header_is_found_across_blocks(
    tmp_path: Path, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_log, "SEARCHED", block)
    path = tmp_path / LOG_NAME
    header, trial = b'{"type": "header", "x": 1}\n', b'{"type": "trial", "t": "\\n{"}\n'
    for parts, last in (
        ([header], None),
        ([header, trial, trial], None),
        ([header, trial, header, trial, header, trial], len(header + trial + header + trial)),
        ([header, header], len(header)),
        ([header, header, trial, header[:-1]], len(header)),  # the last one is torn
        ([header, trial, header[:20]], None),
    ):
        path.write_bytes(b"".join(parts))
        assert run_log._last_header(path) == last
