from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldgym.errors import InputError
from worldgym.evaluation.trials import even_batch, in_batches, plan_trials
from worldgym.testing import FakePolicy
from worldgym.types import Task


def tasks() -> list[Task]:
    frame = np.zeros((16, 24, 3), np.uint8)
    return [
        Task(name, name[0], frame, "push", 4) for name in ("a/0", "a/1", "a/2", "b/0", "b/1", "b/2")
    ]


def test_trials_take_initial_frames_in_order_then_again() -> None:
    plan = plan_trials(tasks(), 5, seed=3)
    assert [(trial.task.name, trial.repeat) for trial in plan[:5]] == [
        ("a/0", 0),
        ("a/1", 0),
        ("a/2", 0),
        ("a/0", 1),
        ("a/1", 1),
    ]
    assert len({trial.seed for trial in plan}) == 10
    with pytest.raises(InputError, match="--trials"):
        plan_trials(tasks(), 0, 0)


def test_an_edited_task_is_tried_as_often_as_its_twin_with_the_same_seeds() -> None:
    dark = [
        replace(task, name=f"dark/{task.name}", group=f"dark/{task.group}", nominal=task.name)
        for task in tasks()
    ]
    plan = plan_trials([*dark[:4], *tasks()], 4, seed=3)
    seeds = {(trial.task.name, trial.repeat): trial.seed for trial in plan}
    assert len(seeds) == len(plan) == 8 + 6  # a/0 and b/0 twice, a/1 and a/2 once
    assert {
        (name.removeprefix("dark/"), repeat) for name, repeat in seeds if name.startswith("dark/")
    } == {
        ("a/0", 0),
        ("a/1", 0),
        ("a/2", 0),
        ("a/0", 1),
        ("b/0", 0),
        ("b/0", 1),
    }
    assert all(
        seed == seeds[name.removeprefix("dark/"), repeat] for (name, repeat), seed in seeds.items()
    )


@pytest.mark.parametrize(
    "nominals",
    [{"a/0": "a/0"}, {"a/0": "b/0", "b/0": "a/0"}, {"a/0": None, "b/0": "a/0", "x/b/0": "b/0"}],
)
def test_an_edited_task_is_no_twin(nominals: dict[str, str | None]) -> None:
    """A part of a suite, whose edited tasks have the names of their twins there."""
    some = [replace(tasks()[0], name=name, nominal=twin) for name, twin in nominals.items()]
    with pytest.raises(InputError, match=r"is an edited task itself; .* whole suite folder"):
        plan_trials(some, 2, 0)


def test_an_edited_task_alone_is_a_task() -> None:
    alone = replace(tasks()[0], name="dim/a/0", nominal="a/0")
    assert [trial.task for trial in plan_trials([alone], 2, 0)] == [alone, alone]
    with pytest.raises(InputError, match="no task"):
        plan_trials([], 2, 0)


@given(trials=st.integers(1, 500), most=st.integers(1, 64))
def test_even_batches_waste_little(trials: int, most: int) -> None:
    """As few batches as before, and fewer rows left over than there are batches."""
    rows = even_batch(trials, most)
    batches = -(-trials // rows)
    assert rows <= most and batches == -(-trials // most) and rows * batches - trials < batches


@given(
    size=st.integers(1, 9),
    lengths=st.lists(st.integers(1, 5), min_size=1, max_size=12),
    done=st.sets(st.integers(0, 11)),
)
def test_batches_hold_everything_left_once_and_like_lengths_together(
    size: int, lengths: list[int], done: set[int]
) -> None:
    frame = tasks()[0].frame
    trials = plan_trials(
        [Task(f"t/{i}", "t", frame, "push", steps) for i, steps in enumerate(lengths)],
        len(lengths),
        0,
    )
    finished = {("fake-policy", f"t/{i}", 0) for i in done}
    batches = list(in_batches(FakePolicy(), trials, size, finished))
    played = [trial.task for batch in batches for trial in batch]
    assert sorted(task.name for task in played) == sorted(
        f"t/{i}" for i in range(len(lengths)) if i not in done
    )
    assert [task.steps for task in played] == sorted(task.steps for task in played)
    assert all(len(batch) == size for batch in batches[:-1])
