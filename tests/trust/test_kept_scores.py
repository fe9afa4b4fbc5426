"""Scores of control arms: made batch by batch, kept as they are made, and not made again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from worldgym.errors import InputError
from worldgym.testing import FakeJudge, FakeWorld
from worldgym.trust.kept_scores import KeptScores, replayed_scores
from worldgym.trust.rollout_replay import ReplayOptions
from worldgym.types import Rollout, Task, Verdict

MakeRollout = Callable[..., Rollout]
PARTS = ("world", "judge")


class Counting(FakeJudge):
    """Breaks after so many rollouts; counts those that it was asked for."""

    def __init__(self, breaks_after: int = 10**6) -> None:
        super().__init__(threshold=0.6)
        self.asked = 0
        self.breaks_after = breaks_after

    def __call__(self, rollout: Rollout, task: Task) -> Verdict:
        self.asked += 1
        if self.asked > self.breaks_after:
            raise KeyboardInterrupt
        return super().__call__(rollout, task)


def scored(path: Path | None, judge: FakeJudge, rollouts: list[Rollout]) -> list[float | None]:
    kept = KeptScores(path, PARTS)
    return replayed_scores(FakeWorld(), judge, rollouts, ReplayOptions(batch=2), kept, "null")


@pytest.fixture
def rollouts(make_rollout: MakeRollout) -> list[Rollout]:
    return [make_rollout(f"a/{i}", 0.15 * i, 3 + i % 2) for i in range(7)]


def test_a_stopped_arm_continues_with_the_batches_that_are_missing(
    rollouts: list[Rollout], tmp_path: Path
) -> None:
    path = tmp_path / "controls.jsonl"
    whole = scored(None, FakeJudge(threshold=0.6), rollouts)
    assert len(set(whole)) > 1
    with pytest.raises(KeyboardInterrupt):
        scored(path, Counting(breaks_after=5), rollouts)
    again = Counting()
    assert scored(path, again, rollouts) == whole
    assert again.asked == 3  # two batches of two were kept
    never = Counting(breaks_after=0)
    assert scored(path, never, rollouts) == whole and never.asked == 0


def test_what_the_judge_broke_on_is_asked_again(rollouts: list[Rollout], tmp_path: Path) -> None:
    class Refusing(FakeJudge):
        def __call__(self, rollout: Rollout, task: Task) -> Verdict:
            raise ValueError("no")

    path = tmp_path / "controls.jsonl"
    assert scored(path, Refusing(threshold=0.6), rollouts) == [None] * 7
    assert not path.exists()
    assert None not in scored(path, FakeJudge(threshold=0.6), rollouts)


def test_what_the_judge_declined_is_kept(rollouts: list[Rollout], tmp_path: Path) -> None:
    path = tmp_path / "controls.jsonl"
    assert scored(path, FakeJudge(threshold=0.6, band=1.0), rollouts) == [None] * 7
    never = Counting(breaks_after=0)
    assert scored(path, never, rollouts) == [None] * 7 and never.asked == 0


def test_another_rollout_world_or_judge_has_another_key(make_rollout: MakeRollout) -> None:
    rollout = make_rollout("a/1", 0.3)
    trial, task = rollout.trial, rollout.trial.task
    actions = rollout.actions.copy()
    actions[0, 0] += 1e-6
    view = {"wrist": np.zeros_like(task.frame)}

    def asked(**changes: object) -> Rollout:
        changed = replace(task, **changes)  # type: ignore[arg-type]
        return replace(rollout, trial=replace(trial, task=changed))

    others = [
        replace(rollout, actions=actions),
        replace(rollout, trial=replace(trial, repeat=trial.repeat + 1)),
        asked(instruction="wave"),
        asked(frame=task.frame + 1),
        asked(others=view),
        asked(others={"side": view["wrist"]}),
        asked(success="the arm waves"),
        asked(partial_credit="the arm lifts"),
        asked(state={"x": 0.1}),
        asked(extras={"rubric": "strict"}),
    ]
    kept = KeptScores(None, PARTS)
    keys = [kept.key(rollout, 1), kept.key(rollout, 2)]
    keys += [KeptScores(None, ("world", "another")).key(rollout, 1)]
    keys += [kept.key(other, 1) for other in others]
    assert len(set(keys)) == len(keys)
    assert kept.key(replace(rollout, frames=rollout.frames + 1), 1) == keys[0]


def test_a_damaged_file_is_one_sentence(rollouts: list[Rollout], tmp_path: Path) -> None:
    path = tmp_path / "controls.jsonl"
    path.write_text('{"key": 3}\n{"key": "a", "score": 0.5}\n')
    with pytest.raises(InputError, match=r"controls.jsonl, line 1.*remove the file"):
        KeptScores(path)
