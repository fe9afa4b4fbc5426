"""Recorded actions replayed in a world of several views: how true each view is, and whether the
views agree.

    python benchmarks/view_agreement.py WORLD HELD_OUT --learn STORE [--episodes 10] [--sheet s.png]

HELD_OUT, STORE: episodes whose extras say where the object is ("object", metres a frame), as
`worldgym reference record-panda` records them. PSNR is of each view, in dB. For the agreement a
small network a view learns from STORE to read the object's height above its start off the first
frame and a later one of that view alone. Both read the recorded and the drawn frames of HELD_OUT:
correlation with the true height, correlation between the views, and in how many frames they say
the same of "lifted", by more than 3 cm.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from worldgym.episodes.frame_cache import FrameCache, frame_cache
from worldgym.episodes.inspection import write_sheet
from worldgym.episodes.store import EpisodeStore
from worldgym.native.memory import keep_freed_memory
from worldgym.policies.image_trunk import Trunk, TrunkConfig, head, shifted
from worldgym.train.loop import LoopOptions, training_loop
from worldgym.train.optimizer import FitConfig
from worldgym.trust.rollout_replay import (
    Recorded,
    ReplayOptions,
    recorded_rollouts,
    replay_rollouts,
)
from worldgym.types import Frames, Rollout, joined_views
from worldgym.world.open_loop_replay import HORIZONS, contact_sheet, psnr
from worldgym.world.world_checkpoint import load_diffusion_world

Floats = npt.NDArray[np.float32]
UNIT = 0.1  # metres: in which heights are learned
LIFTED = 0.03  # metres
STEPS = 600
SHOWN = 2  # episodes a task on the sheet


class HeightReader(nn.Module):
    """uint8 [B, H, W, 6], a first frame and a later one of one view => metres [B]."""

    def __init__(self) -> None:
        super().__init__()
        config = TrunkConfig(channels=6, width=32, blocks=2, points=16, buckets=1, language=1)
        self.trunk = Trunk(config)
        self.head = head(config.out, 64, 1)

    def forward(self, pairs: Tensor) -> Tensor:
        none = torch.zeros(len(pairs), 1)
        answer: Tensor = self.head(self.trunk(pairs, none)).squeeze(1).float() * UNIT
        return answer

    @torch.no_grad()
    def heights(self, frames: Frames) -> Floats:
        """uint8 [T+1, H, W, 3] => [T] of the later frames."""
        pairs = np.concatenate([np.broadcast_to(frames[:1], frames[1:].shape), frames[1:]], -1)
        read: Floats = self(torch.from_numpy(np.ascontiguousarray(pairs))).numpy()
        return read


def learned(cache: FrameCache, view: str, steps: int) -> HeightReader:
    torch.manual_seed(0)
    reader = HeightReader()
    pixels = cache.of_views((view,))[0]
    true = {name: true_heights(cache.store, name) for name in cache.names}

    def loss_at(step: int) -> Tensor:
        rng = np.random.default_rng([0, step])
        picked = rng.integers(0, len(cache.names), 64)
        pairs, wanted = [], []
        for name in (cache.names[i] for i in picked):
            first, count = cache.spans[name]
            t = int(rng.integers(1, count))
            pairs.append(np.concatenate([pixels[first], pixels[first + t]], -1))
            wanted.append(true[name][t - 1])
        shown = torch.from_numpy(shifted(np.stack(pairs), 2, rng))
        found = reader(shown) / UNIT
        return F.smooth_l1_loss(found, torch.tensor(np.array(wanted) / UNIT), beta=0.1)

    fit = FitConfig(steps=steps, batch=64, lr=2e-3, average=0.99)
    training_loop(
        reader, loss_at, fit.optimizer(), LoopOptions(f"heights, {view}", autocast=True)
    ).put_into(reader)
    return reader.eval()


def true_heights(store: EpisodeStore, name: str) -> Floats:
    """[T], metres above the start."""
    z = np.array(store.without_frames(name).extras["object"], np.float32)[:, 2]
    heights: Floats = z[1:] - z[0]
    return heights


@dataclass(frozen=True)
class Agreement:
    """first, second: correlation of each view's reading with the truth.   both: of the two with
    each other.   same: share of the frames where they say the same of "lifted"."""

    first: float
    second: float
    both: float
    same: float


def agreement(
    readers: Sequence[HeightReader], rollouts: Sequence[Rollout], true: Sequence[Floats]
) -> Agreement:
    """Of the first two views."""
    read = [
        np.concatenate([reader.heights(rollout.frames[:, v]) for rollout in rollouts])
        for v, reader in enumerate(readers)
    ]
    truth = np.concatenate(true)
    return Agreement(
        correlation(read[0], truth),
        correlation(read[1], truth),
        correlation(read[0], read[1]),
        float(((read[0] > LIFTED) == (read[1] > LIFTED)).mean()),
    )


def correlation(one: Floats, other: Floats) -> float:
    return float(np.corrcoef(one, other)[0, 1])


def by_task(episodes: Sequence[Recorded]) -> dict[str, list[int]]:
    groups = [episode.rollout.trial.task.group for episode in episodes]
    return {g: [i for i, own in enumerate(groups) if own == g] for g in sorted(set(groups))}


def print_psnr(episodes: Sequence[Recorded], drawn: Sequence[Rollout]) -> None:
    horizons = [h for h in HORIZONS if h <= min(len(r.actions) for r in drawn)]
    print(f"| task | view | {' | '.join(f'frame {h}' for h in horizons)} |")
    print("| --- " * (2 + len(horizons)) + "|")
    groups = by_task(episodes)
    for name, members in [*groups.items(), ("all", [i for own in groups.values() for i in own])]:
        for v, view in enumerate(drawn[0].views):
            levels = [
                psnr(drawn[i].frames[1:, v], episodes[i].rollout.frames[1:, v]) for i in members
            ]
            means = [np.mean([level[h - 1] for level in levels]) for h in horizons]
            print(f"| {name} | {view} | {' | '.join(f'{mean:.1f}' for mean in means)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("world", type=Path)
    parser.add_argument("held_out", type=Path)
    parser.add_argument("--learn", type=Path)
    parser.add_argument("--episodes", type=int, help="a task (default: all)")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--sheet", type=Path)
    asked = parser.parse_args()
    keep_freed_memory()
    world = load_diffusion_world(asked.world)
    store = EpisodeStore(asked.held_out)
    episodes = recorded_rollouts(store, asked.episodes)
    rollouts = [episode.rollout for episode in episodes]
    drawn = replay_rollouts(world, rollouts, ReplayOptions(20), what="replaying")
    print_psnr(episodes, drawn)
    if asked.sheet:
        rows = [
            joined_views(video.frames)
            for members in by_task(episodes).values()
            for i in members[:SHOWN]
            for video in (rollouts[i], drawn[i])
        ]
        write_sheet(contact_sheet(rows), asked.sheet)
    if asked.learn:
        cache = frame_cache(EpisodeStore(asked.learn))
        readers = [learned(cache, view, asked.steps) for view in world.views[:2]]
        true = [true_heights(store, rollout.trial.task.name) for rollout in rollouts]
        one, other = world.views[:2]
        print(f"\n| frames | {one} with truth | {other} with truth | {one} with {other} | agree |")
        print("| --- " * 5 + "|")
        for what, some in (("recorded", rollouts), ("drawn", drawn)):
            a = agreement(readers, some, true)
            print(f"| {what} | {a.first:.3f} | {a.second:.3f} | {a.both:.3f} | {a.same:.1%} |")


if __name__ == "__main__":
    main()
