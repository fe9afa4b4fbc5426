"""The fake judge passes its check, and the check catches each fault it is there for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from worldgym.judges.judge_protocol import Judge
from worldgym.testing import FakeJudge, FakeWorld, check_judge
from worldgym.types import Rollout, Task, Trial, Verdict, Vote

SHAPE = (16, 24, 3)
TASK = Task("drawer/1", "drawer", np.zeros(SHAPE, np.uint8), "open the drawer", steps=4)


def rollout(level: float = 1.0) -> Rollout:
    """Four steps of a FakeWorld under the actions `level` in [-1, 1]."""
    world, actions = FakeWorld(), np.full((1, 4, 3), level, np.float32)
    _, frames = world.step(world.reset(TASK.frame[None, None], [5]), actions)
    shown = np.concatenate([TASK.frame[None, None], frames[0]])
    return Rollout(Trial(TASK, 0, 0), "fake-policy", shown, actions[0])


def test_the_fake_fits_the_seam_and_passes() -> None:
    judge: Judge = FakeJudge()
    check_judge(judge, rollout(), TASK)


@pytest.mark.parametrize(("level", "score"), [(1.0, 1.0), (-1.0, 0.0), (0.1, None)])
def test_the_judge_reads_the_last_action_and_may_decline(level: float, score: float | None) -> None:
    verdict = FakeJudge(band=0.1)(rollout(level), TASK)
    assert verdict.score == score
    assert verdict.probability == pytest.approx((level + 1.0) / 2.0, abs=0.01)


@dataclass(frozen=True)
class ChangedJudge(FakeJudge):
    """A fake that says what it is told to."""

    say: Callable[[Rollout], Any] = lambda rollout: None

    def __call__(self, rollout: Rollout, task: Task) -> Verdict:
        verdict: Verdict = self.say(rollout)
        return verdict


def blacken(rollout: Rollout) -> Verdict:
    rollout.frames[:] = 0
    return Verdict(1.0, "fake-judge")


def needs_three_frames(rollout: Rollout) -> Verdict:
    assert len(rollout.frames) >= 3, "too short"
    return Verdict(1.0, "fake-judge")


@pytest.mark.parametrize(
    ("say", "complaint"),
    [
        (lambda r: 1.0, "returned float, not a Verdict"),
        (lambda r: Verdict(1.0, "another"), "signed its verdict 'another'"),
        (
            lambda r: Verdict(1.0, "fake-judge", votes=(Vote(1.0), Vote(None, "dark"), Vote(2.0))),
            r"must lie in \[0, 1\]",
        ),
        (lambda r: Verdict(1.0, "fake-judge", cost_usd=-1.0), "cost is -1.0 USD"),
        (blacken, "changed the rollout it was given"),
        (needs_three_frames, "too short"),
    ],
)
def test_a_faulty_judge_is_caught(say: Callable[[Rollout], Any], complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_judge(ChangedJudge(say=say), rollout(), TASK)
