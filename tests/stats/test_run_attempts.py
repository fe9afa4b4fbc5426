"""A run that is read line by line has the numbers of its whole records, to the bit; and the tables
that serve a million trials have those of plain loops."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_logs import header, record

from worldgym.errors import InputError
from worldgym.io.records import field_types
from worldgym.io.run_log import LOG_NAME, RunLog, read_log, record_at
from worldgym.io.run_outcomes import FILMED, AttemptCost, TrialOutcome
from worldgym.io.run_records import TrialRecord, results
from worldgym.stats.betting import STAKES, wealth
from worldgym.stats.frame_rounds import FrameRounds
from worldgym.stats.per_frame import Numbers, label_numbers
from worldgym.stats.planned_trials import Planned, planned_trials
from worldgym.stats.policy_trials import ScoreTable
from worldgym.stats.run_attempts import RunAttempts
from worldgym.stats.sequential import Looks, frame_order, in_rounds
from worldgym.stats.summarize import summarize, summary_of
from worldgym.types import Vote

POLICIES = ["a", "b", "c"]
PLAN = {"tasks": {g: {f"{g}/{i}": 3 for i in range(n)} for g, n in (("door", 6), ("tap", 4))}}


def random_log(seed: int) -> list[TrialRecord]:
    """Partial credit, failures, retries, unscored and edited trials, some not run."""
    rng = np.random.default_rng(seed)
    found = []
    for policy in POLICIES:
        for tasks in PLAN["tasks"].values():
            for task in tasks:
                for repeat in range(3):
                    if rng.random() < 0.9:
                        found += _attempts(rng, policy, task, repeat)
    return found


def _attempts(rng: np.random.Generator, policy: str, task: str, repeat: int) -> list[TrialRecord]:
    cost = {
        "seconds": float(rng.random()),
        "timing": {"world": float(rng.random())},
        "cost_usd": float(rng.integers(2)) * 0.1,
        "votes": (Vote(1.0, "", 10, 1),) * int(rng.integers(2)),
        "time": f"2026-11-29T00:0{rng.integers(9)}:00+00:00",
    }
    broke = [record(policy, task, failure_reason="gone 7", repeat=repeat, **cost)]
    if rng.random() < 0.1:
        return broke
    score = [None, 0.0, 1.0, 1.0, 0.3][rng.integers(5)]
    truth = bool(sum(map(ord, policy + task)) % 2)
    ran = record(
        policy,
        task,
        score,
        repeat=repeat,
        attempt=2,
        truth=truth,
        video="v.mp4",
        flags=("dark",) * int(rng.integers(2)),
        **cost,
    )
    return [*broke, ran] if rng.random() < 0.2 else [ran]


@pytest.fixture(params=[0, 1])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    with RunLog.open(tmp_path, header(POLICIES, {**PLAN, "edited": {}})) as log:
        log.append(*random_log(request.param))
    return tmp_path


def test_reading_line_by_line_changes_no_number(run: Path) -> None:
    whole = summarize(*read_log(run / LOG_NAME))
    assert summary_of(RunAttempts.read(run)) == whole
    assert whole.completeness.finished and whole.completeness.failed and whole.flags


def test_an_outcome_is_part_of_its_record(run: Path) -> None:
    _, records = read_log(run / LOG_NAME)
    outcomes = RunAttempts.read(run).attempts
    for attempt, whole in zip(outcomes, records, strict=True):
        assert isinstance(attempt, TrialOutcome)
        assert record_at(run / LOG_NAME, attempt.start) == whole
        for name in {f.name for f in fields(TrialOutcome)} - {"start", "video"}:
            assert getattr(attempt, name) == getattr(whole, name)
        assert attempt.video == (whole.video and FILMED)
        assert (attempt.key, attempt.right) == (whole.key, whole.right)


@pytest.mark.parametrize("kind", [TrialOutcome, AttemptCost])
def test_fields_mean_what_they_mean_in_a_record(kind: type) -> None:
    whole = field_types(TrialRecord)
    own = {name: hint for name, hint in field_types(kind).items() if name != "start"}
    assert own == {name: whole[name] for name in own}


def test_a_score_out_of_range_is_refused_here_too(run: Path) -> None:
    lines = (run / LOG_NAME).read_bytes()
    (run / LOG_NAME).write_bytes(lines.replace(b'"score": 1.0', b'"score": 1.5', 1))
    with pytest.raises(InputError, match="checksum is wrong"):
        RunAttempts.read(run)


@given(st.lists(st.sampled_from([-1.0, 0.0, 0.5, 1.0]), min_size=1, max_size=40), st.data())
def test_wealth_is_that_of_one_sum(values: list[float], data: st.DataObject) -> None:
    stakes = (np.arange(2 * STAKES) + 0.5) / STAKES - 1
    plain = np.exp(np.cumsum(np.log1p(np.outer(values, stakes)), axis=0)).mean(axis=1)
    assert wealth(np.array(values)).tolist() == plain.tolist()
    ends = np.array(sorted(data.draw(st.sets(st.integers(1, len(values)), min_size=1))))
    assert wealth(np.array(values), ends).tolist() == plain[ends - 1].tolist()


def test_wealth_in_parts_is_that_of_one_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).choice([-1.0, 0.0, 1.0], 50)
    whole = wealth(values)
    monkeypatch.setattr("worldgym.stats.betting.ROWS", 7)
    assert wealth(values).tolist() == whole.tolist()


def rounds_by_loop(
    arrived: Mapping[str, Sequence[float | None]], planned: Mapping[str, int]
) -> tuple[list[float], list[int]]:
    R = max(planned.values(), default=0)
    used: list[float] = []
    taken = dict.fromkeys(sorted(planned), 0)
    ends: list[int] = []
    for j in range(1, R + 1):
        wanted = {group: (2 * j * planned[group] + R) // (2 * R) for group in taken}
        if any(wanted[group] > len(arrived.get(group, ())) for group in taken):
            break
        for group, count in wanted.items():
            used += [d for d in arrived.get(group, ())[taken[group] : count] if d is not None]
        taken = wanted
        if len(used) > (ends[-1] if ends else 0):
            ends.append(len(used))
    return used, ends


DIFFERENCE = st.sampled_from([None, -1.0, 0.0, 0.5, 1.0])


@given(
    st.dictionaries(st.sampled_from("abcd"), st.lists(DIFFERENCE, max_size=9)),
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 9)),
)
def test_rounds_are_those_of_a_loop(
    arrived: dict[str, list[float | None]], planned: dict[str, int]
) -> None:
    looks = in_rounds(arrived, planned)
    assert (looks.differences.tolist(), looks.ends.tolist()) == rounds_by_loop(arrived, planned)


def looks_by_loop(records: Sequence[TrialRecord], a: str, b: str, planned: Planned) -> Looks:
    outcome = results(records)
    trials = [*outcome.finished, *outcome.failed]
    of = {(r.policy, r.task, r.repeat): r for r in trials}
    arrived: dict[str, list[tuple[str, str, float | None]]] = defaultdict(list)
    for task, count in planned.repeats.items():
        both = [(of.get((a, task, i)), of.get((b, task, i))) for i in range(9)]
        ended = [(x, y) for x, y in both if x is not None and y is not None]
        if ended and len(ended) >= count:
            d = [x.score - y.score for x, y in ended if None not in (x.score, y.score)]
            moment = max(r.time for r in trials if r.task == task and r.policy in (a, b))
            group = ended[0][0].group
            arrived[group].append((moment, frame_order(task), float(np.mean(d)) if d else None))
    ordered = {g: [d for _, _, d in sorted(own, key=lambda f: f[:2])] for g, own in arrived.items()}
    found, ends = rounds_by_loop(ordered, {g: planned.frames(g) for g in planned.groups})
    return Looks(np.array(found), np.array(ends))


@pytest.mark.parametrize("seed", range(6))
def test_looks_are_those_of_a_loop(seed: int) -> None:
    records = random_log(seed)
    planned = planned_trials(header(POLICIES, {**PLAN, "edited": {}}), records)
    rounds = FrameRounds.of(ScoreTable.of(records, POLICIES), planned)
    for a, b in (("a", "b"), ("c", "a")):
        found, plain = rounds.looks(a, b), looks_by_loop(records, a, b, planned)
        assert found.differences.tolist() == plain.differences.tolist()
        assert found.ends.tolist() == plain.ends.tolist()


@given(st.lists(st.sampled_from(["door/10", "door/9", "a", "ä", "Z"])))
def test_labels_are_numbered_as_by_sorting(labels: list[str]) -> None:
    plain = np.unique(np.array(labels, np.str_), return_inverse=True)[1]
    assert label_numbers(labels).tolist() == plain.tolist()
    assert label_numbers(plain).tolist() == plain.tolist()
    order: Numbers = np.sort(plain)
    assert label_numbers(order).tolist() == order.tolist()
