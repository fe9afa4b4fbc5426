from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_logs import header, record, run

from worldgym.errors import InputError
from worldgym.evaluation.trials import plan_trials, planned_repeats
from worldgym.io.run_records import PLANNED_KEY, results
from worldgym.stats.planned_trials import (
    ABSENT,
    Completeness,
    absent_trials,
    completeness,
    planned_trials,
)
from worldgym.types import Task

FRAME = np.zeros((16, 24, 3), np.uint8)


@settings(max_examples=40)
@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=3),
    st.integers(1, 6),
    st.integers(0, 3),
    st.integers(1, 5),
)
def test_the_header_tells_every_trial_and_that_of_every_shard(
    sizes: list[int], count: int, edited: int, parts: int
) -> None:
    """Against what `evaluate` rolls out: all planned trials, and those of each part."""
    tasks = [
        Task(f"g{g}/{i}", f"g{g}", FRAME, "push", 4)
        for g, size in enumerate(sizes)
        for i in range(size)
    ]
    twins = [replace(task, name=f"dark/{task.name}", nominal=task.name) for task in tasks[:edited]]
    plan = plan_trials([*twins, *tasks], count, seed=0)
    config = {PLANNED_KEY: planned_repeats(plan)}
    for part in range(1, parts + 1):
        shard = {} if parts == 1 else {"shard": f"{part}/{parts}"}
        told = planned_trials(replace(header(["p"]), config={**config, **shard}), [])
        mine = plan[part - 1 :: parts]
        assert told.edited == {(t.task.name, t.repeat) for t in mine if t.task.nominal}
        expected = {(t.task.name, t.repeat) for t in mine if not t.task.nominal}
        assert {trial for trials in told.groups.values() for trial in trials} == expected
        assert told.known and told.shard == shard.get("shard")


def test_an_older_log_tells_what_other_policies_have_and_how_many_were_asked_for() -> None:
    records = run({"a": {"door": [1.0, 0.0]}, "b": {"door": [1.0, 1.0, 1.0], "drawer": [0.0]}})
    told = planned_trials(header(["a", "b"]), records)
    assert {group: len(trials) for group, trials in told.groups.items()} == {
        "door": 3,
        "drawer": 1,
    } and not told.known
    assert told.lacking([r for r in records if r.policy == "a"]) == 2
    asked = planned_trials(header(["a", "b"], trials=5), records)
    assert {group: len(trials) for group, trials in asked.groups.items()} == {
        "door": 5,
        "drawer": 5,
    }
    there = [r for r in records if r.policy == "b"]
    assert asked.lacking(there) == 2 + 4 and asked.frames("door") == 3
    assert absent_trials(asked.missing(there, "drawer")) == (), "an older log knows no names"
    assert len(asked.missing(there, "drawer")) == 4


@given(st.sets(st.tuples(st.sampled_from("abc"), st.integers(0, 30)), max_size=60))
def test_absent_trials_are_rows_of_repeats_without_gaps(missing: set[tuple[str, int]]) -> None:
    rows = absent_trials(missing)
    told = [(row.initial_frame, i) for row in rows for i in range(row.first, row.last + 1)]
    assert told == sorted(missing)[: len(told)]
    assert len(told) == len(missing) or len(rows) == ABSENT
    assert all((row.initial_frame, row.last + 1) not in missing for row in rows)


def test_missing_trials_of_edited_twins_are_counted_apart() -> None:
    plan = {"tasks": {"door": {"door/0": 2}}, "edited": {"dark": {"dark/0": 2}}}
    told = planned_trials(replace(header(["a", "b"]), config={PLANNED_KEY: plan}), [])
    there = [record("a", "dark/0", 1.0, nominal="door/0")]
    found = completeness(told, ["a", "b"], results(there), there, missing=1)
    assert found == Completeness(
        known=True, shard=None, planned=4, missing=1, edited_missing=3, finished=1, failed=0
    )


@pytest.mark.parametrize(
    "plan", [{}, {"tasks": 3, "edited": {}}, {"tasks": {"door": {"door/0": "two"}}, "edited": {}}]
)
def test_a_plan_that_makes_no_sense_gets_one_sentence(plan: object) -> None:
    with pytest.raises(InputError, match="plan that cannot be read"):
        planned_trials(replace(header(["a"]), config={PLANNED_KEY: plan}), [])
