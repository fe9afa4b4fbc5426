"""Ends a rollout as soon as the judge is certain that it shows success: the rest is not drawn. The
judge may call a video a success midway and a failure at the end, so rates rise a little:
docs/judges.md says by how much where it was measured. A failure is never certain before the end.
Whether a trial is looked at, and ends, depends on its own frames alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from worldgym.errors import InputError
from worldgym.io.user_code import Failure
from worldgym.judges.judge_protocol import Free, Judge
from worldgym.judges.judging import judge_each
from worldgym.types import ROUNDING, Rollout, Verdict, is_success

LOOK = 8  # actions between two looks, at least
STOPPED = "ended when the judge was certain"  # flag of a rollout
OPTION = "--stop-when-certain"


@dataclass(frozen=True)
class EarlyStop:
    """judge: whose verdicts cost nothing.   level: in (0.5, 1], success probability of the video so
    far from which on a rollout ends. InputError for others."""

    judge: Judge
    level: float

    def __post_init__(self) -> None:
        if not 0.5 < self.level <= 1.0:
            raise InputError(f"{OPTION} is {self.level}: give a probability above 0.5, e.g. 0.99")
        if not (isinstance(self.judge, Free) and self.judge.free):
            raise InputError(
                f"{OPTION} asks the judge every {LOOK} actions, and {self.judge.name} is not free: "
                f"take a success classifier, or leave the option out"
            )

    def certain(self, rollouts: Sequence[Rollout]) -> list[bool]:
        """Of each rollout as far as it has come. A judge that declines or breaks is not certain."""
        return [
            not isinstance(verdict, Failure) and is_certain(verdict, self.level)
            for verdict in judge_each(self.judge, rollouts)
        ]


def is_certain(verdict: Verdict, level: float) -> bool:
    """Whether a success, with this probability or more."""
    success = verdict.score is not None and is_success(verdict.score)
    return success and (verdict.probability or 0.0) >= level - ROUNDING
