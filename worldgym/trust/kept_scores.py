"""Scores of replayed rollouts, kept in a file while they are made: a report that is stopped
continues where it was, and no video of an arm is held longer than its batch.

    FILE    a line for each: a digest of all that it depends on, and the score"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from worldgym.io.jsonl import LineFile, each_line
from worldgym.io.records import from_mapping
from worldgym.io.user_code import Failure
from worldgym.judges.judge_protocol import Judge
from worldgym.judges.judging import judge_each
from worldgym.tasks.task_digest import tasks_digest
from worldgym.trust.rollout_replay import ReplayOptions, replayed_batches
from worldgym.types import Rollout, Verdict
from worldgym.world.world_protocol import World

CONTROLS_NAME = "controls.jsonl"
REMEDY = "remove the file, and measure again"


@dataclass(frozen=True)
class KeptScore:
    """A line."""

    key: str
    score: float | None
    """None: the judge declined"""


@dataclass
class KeptScores:
    """path: None = in memory alone.   parts: what scores depend on besides the rollout: the names
    of world and judge, what computes the frames."""

    path: Path | None = None
    parts: Sequence[str] = ()
    _known: dict[str, float | None] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        if self.path is not None and self.path.exists():
            for line in each_line(self.path, "a file of scores", REMEDY):
                kept = line.read(partial(from_mapping, KeptScore))
                self._known[kept.key] = kept.score

    def key(self, rollout: Rollout, chunk: int) -> str:
        """Of a rollout that is to be replayed."""
        task = tasks_digest([rollout.trial.task])
        told = json.dumps([*self.parts, task, rollout.trial.seed, chunk, rollout.actions.shape])
        actions = np.ascontiguousarray(rollout.actions, np.float32).tobytes()
        return hashlib.sha256(told.encode() + actions).hexdigest()[:24]

    def missing(self, keys: Sequence[str]) -> list[int]:
        """Places of those that have none yet."""
        return [place for place, key in enumerate(keys) if key not in self._known]

    def get(self, key: str) -> float | None:
        """None where the judge declined, or broke."""
        return self._known.get(key)

    def add(self, found: Iterable[tuple[str, Verdict | Failure]]) -> None:
        """What the judge broke on is not kept: the next run asks again."""
        new = {key: said.score for key, said in found if not isinstance(said, Failure)}
        self._known |= new
        if self.path is not None and new:
            with LineFile(self.path) as file:
                file.append(*({"key": key, "score": score} for key, score in new.items()))


def replayed_scores(
    world: World[Any],
    judge: Judge,
    rollouts: Sequence[Rollout],
    replaying: ReplayOptions,
    kept: KeptScores,
    what: str,
) -> list[float | None]:
    """The score of each rollout, replayed; None where the judge declined or broke."""
    keys = [kept.key(r, replaying.chunks.get(r.policy, 1)) for r in rollouts]
    missing = kept.missing(keys)
    for batch in replayed_batches(world, [rollouts[i] for i in missing], replaying, what=what):
        found = list(judge_each(judge, [rollout for _, rollout in batch]))
        kept.add(zip((keys[missing[row]] for row, _ in batch), found, strict=True))
    return [kept.get(key) for key in keys]
