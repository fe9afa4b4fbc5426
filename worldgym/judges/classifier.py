"""A learned success classifier: initial frame, later frames and the instruction in; success
probability and progress out.

A network compares every later frame with the initial frame, and a second one combines the results
over time: the arm hides the object that it moves, so an open drawer is visible only in some frames,
and a single frame of a passing arm looks like success. Success counts at any time (a button springs
back, a door swings past). The threshold and the unscored band are chosen on episodes held out from
training and are part of the checkpoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from worldgym.errors import InputError
from worldgym.io.checkpoint import fingerprint, load_folder, save_folder
from worldgym.io.devices import CPU, device_name
from worldgym.io.network_weights import frozen, with_weights
from worldgym.io.records import from_mapping
from worldgym.io.run_records import DEVICE_SETTING
from worldgym.judges.judge_protocol import check_judged_views
from worldgym.policies.image_trunk import Trunk, TrunkConfig, head, in_channels
from worldgym.policies.instruction_features import instruction_features
from worldgym.types import Curve, Frames, Rollout, Task, Verdict

KIND = "classifier-judge"
BATCH = 4  # videos judged at once
REACH = 5  # frames looked at together by a step along time


@dataclass(frozen=True)
class JudgeConfig:
    """size: (H, W) of the frames, multiples of 8.   trunk: 6 channels, initial frame and later
    frame, or 6 V of V views.

    stride: every n-th later frame is looked at, and always the last.   moments: averages over time
    that the answer is made of.   views: names of the cameras that it reads; () = the main one."""

    size: tuple[int, int] = (96, 96)
    hidden: int = 128
    trunk: TrunkConfig = field(default_factory=lambda: TrunkConfig(channels=6))
    stride: int = 2
    moments: int = 8
    views: tuple[str, ...] = ()


@dataclass(frozen=True)
class DecisionRule:
    """How an answer becomes a verdict.

    threshold: probability from which on it is a success.   band: (lo, hi), probabilities strictly
    between are unscored."""

    threshold: float = 0.5
    band: tuple[float, float] | None = None

    def outcome(self, probability: float) -> bool | None:
        """Success or failure; None = unscored."""
        if self.band and self.band[0] < probability < self.band[1]:
            return None
        return probability >= self.threshold


class Answers(NamedTuple):
    """Success logit of the video [B]; success logit and progress in [0, 1] of every frame looked at
    [B, K]. found: what the frames show, [B, K, hidden]."""

    video: Tensor
    frames: Tensor
    progress: Tensor
    found: Tensor


class JudgeNet(nn.Module):
    """pairs uint8 [B, K, H, W, 6 V], features float [B, buckets], known bool [B, K] (False behind a
    video's end) => Answers."""

    def __init__(self, config: JudgeConfig) -> None:
        super().__init__()
        self.config = config
        hidden = config.hidden
        self.trunk = Trunk(config.trunk)
        self.each = nn.Linear(config.trunk.out, hidden)
        self.frame = nn.Linear(hidden, 2)
        self.along = nn.ModuleList(
            nn.Conv1d(hidden, hidden, REACH, padding=REACH // 2) for _ in range(2)
        )
        self.weigh = nn.Linear(hidden, config.moments)
        self.head = head(hidden * config.moments, hidden, 1)

    def forward(self, pairs: Tensor, features: Tensor, known: Tensor) -> Answers:
        rows, looked = known.shape
        found = self.trunk(pairs.flatten(0, 1), features.repeat_interleave(looked, 0)).unflatten(
            0, (rows, looked)
        )
        x = F.silu(self.each(found))
        logits, progress = self.frame(x).float().unbind(-1)
        return Answers(self.read(x, known), logits, progress.sigmoid(), x)

    def read(self, found: Tensor, known: Tensor) -> Tensor:
        """Success logit [B] of the video whose frames show `found` [B, K, hidden]."""
        x = found
        there = known[..., None]
        for step in self.along:
            x = x + F.relu(step((x * there).transpose(1, 2)).transpose(1, 2))
        weights = self.weigh(x).float().masked_fill(~there, float("-inf")).softmax(1)
        moments = weights.transpose(1, 2) @ (x * there).float()
        logit: Tensor = self.head(moments.flatten(1)).float().squeeze(1)
        return logit

    def read_along(self, found: Tensor) -> Tensor:
        """Success logits [K] of a video [K, hidden] cut behind each of its frames."""
        count = len(found)
        known = torch.ones(count, count, dtype=torch.bool, device=found.device).tril()
        return self.read(found.expand(count, count, -1), known)


@dataclass(frozen=True)
class VideoScore:
    """Of a video: success probability, and progress in [0, 1], the highest of any frame. curve: of
    the frames that were looked at; probabilities of the video cut behind each."""

    probability: float
    progress: float
    curve: Curve = ()


class ClassifierJudge:
    """A trained network behind the judge seam. `score` reads many videos at once."""

    def __init__(self, net: JudgeNet, decision: DecisionRule, name: str) -> None:
        """net: copied where it is still in training; it is never changed."""
        self.net = frozen(net)
        self.decision = decision
        self.name = name
        self.free = True
        self.concurrency = 1

    @property
    def views(self) -> tuple[str, ...]:
        """Names of the cameras that it reads; () = the main one."""
        return self.net.config.views

    @property
    def settings(self) -> dict[str, Any]:
        """With the device, where it is no CPU: verdicts near the threshold may differ there."""
        decision = asdict(self.decision)
        decision["band"] = decision["band"] and list(decision["band"])
        device = device_name(self.net.trunk.film.weight.device)
        return {"kind": KIND, **decision} | ({} if device == CPU else {DEVICE_SETTING: device})

    def check(self, tasks: Sequence[Task]) -> None:
        """InputError for a task whose frames it cannot read."""
        for task in tasks:
            self._fits((task.steps + 1, *task.frame.shape[:2], self._channels))

    def size_for(self, size: tuple[int, int]) -> tuple[int, int]:
        """Its own, whatever the video's."""
        return self.net.config.size

    def __call__(self, rollout: Rollout, task: Task) -> Verdict:
        return self._verdict(self.score([(self._read(rollout), task.instruction)])[0])

    def _read(self, rollout: Rollout) -> Frames:
        """[T+1, H, W, 3 V]. InputError for a view that the rollout does not have."""
        check_judged_views(self, rollout.views)
        return in_channels(
            [rollout.frames[:, rollout.views.index(view)] for view in self.views] or [rollout.main]
        )

    @torch.no_grad()
    def score(self, videos: Sequence[tuple[Frames, str]]) -> list[VideoScore]:
        """videos: (frames uint8 [T+1, H, W, 3 V] of the judge's views, instruction), T >= 1 => the
        answer of each, before any decision."""
        times = [self._chosen_frames(frames) for frames, _ in videos]
        features = instruction_features([text for _, text in videos], self.net.config.trunk.buckets)
        scores = []
        device = self.net.trunk.film.weight.device
        for start in range(0, len(videos), BATCH):
            batch = slice(start, start + BATCH)
            pairs, known = _stacked([frames for frames, _ in videos[batch]], times[batch])
            answers = self.net(pairs.to(device), features[batch].to(device), known.to(device))
            progress = answers.progress.masked_fill(~known.to(device), 0.0).amax(1)
            both = torch.stack([answers.video.sigmoid(), progress], 1).cpu()
            curves = [self._curve(answers, row, own) for row, own in enumerate(times[batch])]
            scores += [
                VideoScore(success, highest, curve)
                for (success, highest), curve in zip(both.tolist(), curves, strict=True)
            ]
        return scores

    def _curve(self, answers: Answers, row: int, times: Sequence[int]) -> Curve:
        """Three digits: enough for a picture, and a log stays small."""
        count = len(times)
        logits = self.net.read_along(answers.found[row, :count])
        both = torch.stack([answers.progress[row, :count], logits.sigmoid()], 1).cpu().tolist()
        return tuple((t, round(a, 3), round(b, 3)) for t, (a, b) in zip(times, both, strict=True))

    def _chosen_frames(self, frames: Frames) -> list[int]:
        self._fits(frames.shape)
        return chosen_frames(len(frames) - 1, self.net.config.stride)

    @property
    def _channels(self) -> int:
        return 3 * max(len(self.views), 1)

    def _fits(self, shape: tuple[int, ...]) -> None:
        wanted = (*self.net.config.size, self._channels)
        if shape[1:] != wanted or shape[0] < 2:
            raise InputError(
                f"judge {self.name} reads videos of two or more frames {wanted}, not {shape}; give "
                f"another judge or size"
            )

    def _verdict(self, score: VideoScore) -> Verdict:
        probability = score.probability
        success = self.decision.outcome(score.probability)
        band = self.decision.band
        reason = f"success probability {probability:.2f}, threshold {self.decision.threshold:.2f}"
        if success is None and band is not None:
            reason = (
                f"success probability {probability:.2f} lies inside the unscored band "
                f"{band[0]:.2f}-{band[1]:.2f}"
            )
        return Verdict(
            None if success is None else float(success),
            self.name,
            reason,
            probability,
            score.progress,
            curve=score.curve,
        )

    def save(self, folder: Path, facts: dict[str, Any], card: str) -> None:
        """Writes a checkpoint; `facts` (training, validation) go into config.json."""
        config = {
            "kind": KIND,
            "net": asdict(self.net.config),
            "decision": asdict(self.decision),
            **facts,
        }
        save_folder(folder, config, self.net.state_dict(), card, half=True)

    @staticmethod
    def load(folder: Path, device: str = "cpu") -> ClassifierJudge:
        """CheckpointError if the folder is incomplete, altered or not a classifier judge."""
        config, tensors = load_folder(folder, KIND)
        net = with_weights(JudgeNet(from_mapping(JudgeConfig, config["net"])), tensors, folder)
        return ClassifierJudge(
            net.to(device),
            from_mapping(DecisionRule, config["decision"]),
            f"classifier:{fingerprint(folder)}",
        )


def chosen_frames(last: int, stride: int, phase: int = 0) -> list[int]:
    """Numbers of the frames looked at in a video whose last frame has the number `last`, which is
    at least 1.

    phase: by how many frames, fewer than `stride`, all but the last are looked at earlier.
    """
    return sorted({*range(stride - phase, last, stride), last})


def _stacked(videos: Sequence[Frames], times: Sequence[list[int]]) -> tuple[Tensor, Tensor]:
    """=> start and later frames uint8 [B, K, H, W, 6 V], K of the longest, and which of them there
    are, bool [B, K]."""
    most = max(map(len, times))
    *size, channels = videos[0].shape[1:]
    pairs = np.zeros((len(videos), most, *size, 2 * channels), np.uint8)
    known = np.zeros(pairs.shape[:2], np.bool_)
    for row, (frames, own) in enumerate(zip(videos, times, strict=True)):
        pairs[row, : len(own), ..., :channels] = frames[0]
        pairs[row, : len(own), ..., channels:] = frames[own]
        known[row, : len(own)] = True
    return torch.from_numpy(pairs), torch.from_numpy(known)
