"""People as judges: the labels that they gave, or will give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from worldgym.io.files import sha256_file
from worldgym.judges.labels import Label, LabelledClip, frames_digest, read_labels
from worldgym.types import Rollout, Task, Verdict, Vote


class HumanJudge:
    """Labels behind the judge seam: what people said of exactly these frames. Unscored where nobody
    did."""

    def __init__(self, labelled: Sequence[LabelledClip], name: str) -> None:
        self.name = name
        seen = dict[str, dict[str, Label]]()  # by what was seen, whatever the file is called now
        for label in (label for clip in labelled for label in clip.labels if label.frames):
            seen.setdefault(label.frames, {})[label.labeller] = label
        self._by_frames = {
            frames: LabelledClip(next(iter(labels.values())).clip, tuple(labels.values()))
            for frames, labels in seen.items()
        }
        self._labellers = sorted({label.labeller for clip in labelled for label in clip.labels})

    @staticmethod
    def read(path: Path) -> HumanJudge:
        return HumanJudge(read_labels(path), f"human:{sha256_file(path)[:12]}")

    @property
    def concurrency(self) -> int:
        return 1

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"kind": "human", "labellers": self._labellers}

    def __call__(self, rollout: Rollout, task: Task) -> Verdict:
        digest = frames_digest(rollout.frames)
        found = self._by_frames.get(digest)
        if found is None:
            return Verdict(
                None,
                self.name,
                "these frames have not been labelled",
                provenance={"frames": digest},
            )
        votes = tuple(Vote(label.score, label.reason) for label in found.labels)
        provenance = {"frames": digest, "labellers": [label.labeller for label in found.labels]}
        reason = "; ".join(label.reason for label in found.labels if label.reason)
        if found.score is None:
            return Verdict(
                None,
                self.name,
                reason or "the labellers cannot tell, or disagree",
                votes=votes,
                provenance=provenance,
            )
        return Verdict(found.score, self.name, reason, votes=votes, provenance=provenance)


class LaterJudge:
    """Leaves every rollout to people, who can label a run's videos once they lie on the disk."""

    name = "later"
    concurrency = 1
    settings: Mapping[str, Any] = MappingProxyType({"kind": "later"})

    def __call__(self, rollout: Rollout, task: Task) -> Verdict:
        return Verdict(
            None,
            self.name,
            "to be judged later: `worldgym judge label` the run, then `worldgym judge rejudge` it",
        )
