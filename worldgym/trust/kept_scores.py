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
import numpy.typing as npt

from worldgym.io.jsonl import LineFile, each_line
from worldgym.io.records import from_mapping
from worldgym.judges.judge_protocol import Judge
from worldgym.judges.judging import scores
from worldgym.trust.rollout_replay import ReplayOptions, replayed_batches
from worldgym.types import Rollout
from worldgym.world.world_protocol import World

CONTROLS_NAME = "controls.jsonl"
REMEDY = "remove the file, and measure again"


@dataclass(frozen=True)
class KeptScore:
    """A line."""

    key: str
    score: float


@dataclass
class KeptScores:
    """path: None = in memory alone.   parts: what scores depend on besides the rollout: the names
    of world and judge, what computes the frames."""

    path: Path | None = None
    parts: Sequence[str] = ()
    _known: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.path is not None and self.path.exists():
            for line in each_line(self.path, "a file of scores", REMEDY):
                kept = line.read(partial(from_mapping, KeptScore))
                self._known[kept.key] = kept.score

    def key(self, rollout: Rollout, chunk: int) -> str:
        """Of a rollout that is to be replayed."""
        task = rollout.trial.task
        told = json.dumps([*self.parts, task.name, task.instruction, rollout.trial.seed, chunk])
        made = hashlib.sha256(told.encode())
        arrays: tuple[npt.NDArray[Any], ...] = (task.frame, *task.others.values(), rollout.actions)
        for array in arrays:
            made.update(str(array.shape).encode())
            made.update(np.ascontiguousarray(array).tobytes())
        return made.hexdigest()[:24]

    def get(self, key: str) -> float | None:
        return self._known.get(key)

    def add(self, found: Iterable[tuple[str, float | None]]) -> None:
        """What the judge declined or broke on is not kept: the next run asks again."""
        new = {key: score for key, score in found if score is not None}
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
    said = {i: kept.get(key) for i, key in enumerate(keys)}
    missing = [i for i, score in said.items() if score is None]
    for batch in replayed_batches(world, [rollouts[i] for i in missing], replaying, what=what):
        found = scores(judge, [rollout for _, rollout in batch])
        places = [missing[row] for row, _ in batch]
        said |= zip(places, found, strict=True)
        kept.add(zip((keys[i] for i in places), found, strict=True))
    return [said[i] for i in range(len(rollouts))]
