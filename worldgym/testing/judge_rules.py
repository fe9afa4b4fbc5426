"""The rules of a judge, and a fake that follows them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from worldgym.judges.judge_protocol import Judge
from worldgym.testing.rules import require
from worldgym.types import Rollout, Task, Verdict


def check_judge(judge: Judge, rollout: Rollout, task: Task) -> None:
    """A Verdict with numbers in range under the judge's own name, also for a rollout of one action;
    records stay as they were."""
    who = f"judge {judge.name!r}"
    require(
        judge.concurrency >= 1,
        who,
        f"concurrency is {judge.concurrency}, but one call must be allowed",
    )
    require(
        json.loads(json.dumps(dict(judge.settings))) == judge.settings,
        who,
        "its settings are not JSON values",
    )
    short = replace(rollout, frames=rollout.frames[:2], actions=rollout.actions[:1])
    for record in (rollout, short):
        frames, actions = record.frames.copy(), record.actions.copy()
        verdict = judge(record, task)
        require(
            isinstance(verdict, Verdict), who, f"returned {type(verdict).__name__}, not a Verdict"
        )
        require(verdict.judge == judge.name, who, f"signed its verdict {verdict.judge!r}")
        shares = [vote.score for vote in verdict.votes]
        inside = all(share is None or 0.0 <= share <= 1.0 for share in shares)
        require(inside, who, f"votes must lie in [0, 1], not {shares}")
        require(verdict.cost_usd >= 0.0, who, f"cost is {verdict.cost_usd} USD")
        require(
            verdict.paid_usd <= verdict.cost_usd,
            who,
            f"{verdict.paid_usd} USD were paid for {verdict.cost_usd} USD",
        )
        same = np.array_equal(frames, record.frames) and np.array_equal(actions, record.actions)
        require(same, who, "changed the rollout it was given")


@dataclass(frozen=True)
class FakeJudge:
    """Reads the first number of the last action off a FakeWorld's last frame: success at or above
    `threshold` of its range.

    Nearer to the threshold than `band`, it declines.
    """

    threshold: float = 0.5
    band: float = 0.0
    name: str = "fake-judge"
    concurrency: int = 1

    @property
    def settings(self) -> dict[str, Any]:
        return {"threshold": self.threshold, "band": self.band}

    def __call__(self, rollout: Rollout, task: Task) -> Verdict:
        brightness = float(rollout.main[-1, 0, 0, 0]) / 255.0
        if abs(brightness - self.threshold) < self.band:
            return Verdict(None, self.name, "too close to the threshold", probability=brightness)
        return Verdict(float(brightness >= self.threshold), self.name, probability=brightness)
