"""A learned success classifier: start frame, later frames and the instruction in; success probability and progress out.

A network compares every later frame with the start frame. Success counts at any time (a button springs back, a door swings
past), so the episode's answer is the highest frame answer, averaged over a short window against flicker. The threshold, the
window and the unscored band are chosen on episodes held back from training and are part of the checkpoint.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from worldgym.checkpoint import fingerprint, load_folder, save_folder
from worldgym.errors import InputError
from worldgym.language import instruction_features
from worldgym.types import Frames, Rollout, Task, Verdict
from worldgym.vision import Trunk, TrunkConfig, head

KIND = "classifier-judge"
BATCH = 64  # frames judged at once
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class JudgeConfig:
    """size: (H, W) of the frames, multiples of 8.   trunk: 6 channels, start frame and later frame."""

    size: tuple[int, int] = (96, 96)
    hidden: int = 256
    trunk: TrunkConfig = field(default_factory=lambda: TrunkConfig(channels=6))

    @staticmethod
    def from_json(data: dict[str, Any]) -> JudgeConfig:
        height, width = data["size"]
        return JudgeConfig((height, width), data["hidden"], TrunkConfig(**data["trunk"]))


@dataclass(frozen=True)
class Decision:
    """How frame answers become a verdict.

    stride: every n-th later frame is looked at, and always the last.   window: looked-at frames averaged.
    threshold: probability from which on it is a success.   band: (lo, hi), probabilities strictly between are unscored.
    """

    stride: int = 1
    window: int = 1
    threshold: float = 0.5
    band: tuple[float, float] | None = None

    @staticmethod
    def from_json(data: dict[str, Any]) -> Decision:
        band = None if data["band"] is None else (float(data["band"][0]), float(data["band"][1]))
        return Decision(data["stride"], data["window"], data["threshold"], band)


class JudgeNet(nn.Module):
    """pairs uint8 [B, H, W, 6], features float [B, buckets] => success logit [B], progress in [0, 1] [B]."""

    def __init__(self, config: JudgeConfig) -> None:
        super().__init__()
        self.config = config
        self.trunk = Trunk(config.trunk)
        self.head = head(config.trunk.out, config.hidden, 2)

    def forward(self, pairs: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        logit, progress = self.head(self.trunk(pairs, features)).float().unbind(1)
        return logit, progress.sigmoid()


@dataclass(frozen=True)
class FrameScores:
    """Success logits and progress of the frames looked at, float32 [K]."""

    logits: Floats
    progress: Floats

    def pooled(self, window: int) -> tuple[float, float]:
        """(success probability, progress) of the episode: the highest mean over `window` neighbouring frames."""
        logit = float(_running_mean(self.logits, window).max())
        return 1.0 / (1.0 + math.exp(-max(min(logit, 60.0), -60.0))), float(_running_mean(self.progress, window).max())


class ClassifierJudge:
    """A trained network behind the judge seam. `judge_many` is the fast way; calling it judges one rollout."""

    def __init__(self, net: JudgeNet, decision: Decision, name: str) -> None:
        self.net, self.decision, self._name = net.eval(), decision, name

    @property
    def name(self) -> str:
        return self._name

    @property
    def concurrency(self) -> int:
        return 1

    @property
    def settings(self) -> dict[str, Any]:
        decision = asdict(self.decision)
        return {"kind": KIND, **decision, "band": decision["band"] and list(decision["band"])}

    def __call__(self, rollout: Rollout, task: Task) -> Verdict:
        return self._verdict(self.score_frames([(rollout.frames, task.instruction)])[0])

    def judge_many(self, rollouts: Sequence[Rollout]) -> list[Verdict]:
        """Equal to judging one by one against each rollout's own task."""
        videos = [(rollout.frames, rollout.trial.task.instruction) for rollout in rollouts]
        return [self._verdict(scores) for scores in self.score_frames(videos)]

    def score_frames(self, videos: Sequence[tuple[Frames, str]]) -> list[FrameScores]:
        """videos: (frames uint8 [T+1, H, W, 3], instruction), T >= 1 => the frame answers of each, before any decision."""
        looks = [self._looks(frames) for frames, _ in videos]
        features = instruction_features([text for _, text in videos], self.net.config.trunk.buckets)
        pairs = [(video, t) for video, times in enumerate(looks) for t in times]
        answers = np.concatenate([self._answers(videos, features, batch) for batch in _batches(pairs)], axis=1)
        ends = np.cumsum([len(times) for times in looks])
        return [FrameScores(part[0], part[1]) for part in np.split(answers, ends[:-1], axis=1)]

    def _looks(self, frames: Frames) -> list[int]:
        wanted, last = (*self.net.config.size, 3), len(frames) - 1
        if frames.shape[1:] != wanted or last < 1:
            raise InputError(
                f"judge {self.name} reads videos of two or more frames {wanted}, not {frames.shape}; give another judge or size"
            )
        return sorted({*range(self.decision.stride, last, self.decision.stride), last})

    @torch.no_grad()
    def _answers(self, videos: Sequence[tuple[Frames, str]], features: Tensor, pairs: Sequence[tuple[int, int]]) -> Floats:
        stacked = np.stack([np.concatenate([videos[i][0][0], videos[i][0][t]], axis=-1) for i, t in pairs])
        device = self.net.trunk.film.weight.device
        logits, progress = self.net(torch.from_numpy(stacked).to(device), features[[i for i, _ in pairs]].to(device))
        return torch.stack([logits, progress]).cpu().numpy()

    def _verdict(self, scores: FrameScores) -> Verdict:
        probability, progress = scores.pooled(self.decision.window)
        band = self.decision.band
        if band and band[0] < probability < band[1]:
            reason = f"success probability {probability:.2f} lies inside the unscored band {band[0]:.2f}-{band[1]:.2f}"
            return Verdict(None, self.name, reason, probability, progress)
        success = probability >= self.decision.threshold
        reason = f"success probability {probability:.2f}, threshold {self.decision.threshold:.2f}"
        return Verdict(float(success), self.name, reason, probability, progress)

    def save(self, folder: Path, facts: dict[str, Any], card: str) -> None:
        """Writes a checkpoint; `facts` (training, validation) go into config.json."""
        config = {"kind": KIND, "net": asdict(self.net.config), "decision": asdict(self.decision), **facts}
        save_folder(folder, config, self.net.state_dict(), card, half=True)

    @staticmethod
    def load(folder: Path) -> ClassifierJudge:
        """CheckpointError if the folder is incomplete, altered or not a classifier judge."""
        config, tensors = load_folder(folder, KIND)
        net = JudgeNet(JudgeConfig.from_json(config["net"]))
        net.load_state_dict(tensors)
        return ClassifierJudge(net, Decision.from_json(config["decision"]), f"classifier:{fingerprint(folder)}")


def _running_mean(values: Floats, window: int) -> Floats:
    """Means over `window` neighbours; over all where there are fewer."""
    width = min(window, len(values))
    return np.convolve(values, np.full(width, 1.0 / width, np.float32), mode="valid")


def _batches(pairs: list[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    for start in range(0, len(pairs), BATCH):
        yield pairs[start : start + BATCH]
