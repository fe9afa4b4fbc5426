"""Open-loop replay: recorded actions replayed in a world from the recorded first frame, compared
frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worldgym.episodes.windows import cut
from worldgym.types import Actions, Episode, Frames
from worldgym.world.world_answers import stepped
from worldgym.world.world_protocol import State, World

HORIZONS = (1, 5, 10, 20, 40)


@dataclass(frozen=True)
class Replay:
    """frames: uint8 [E, T+1, V, H, W, 3] as generated, initial frame first; T: of the longest
    episode.   psnr: [E, T, V] in dB, against the recording; NaN where a view was not recorded, or
    an episode is over."""

    frames: Frames
    psnr: npt.NDArray[np.float64]

    def at(self, horizon: int, view: int = 0) -> float:
        """Mean PSNR of frame number `horizon` (1 = the first generated one) of a view, over the
        episodes that have it; NaN where none has."""
        known = self.psnr[:, horizon - 1, view]
        known = known[~np.isnan(known)]
        return float(known.mean()) if len(known) else float("nan")

    def horizons(self, view: int = 0) -> dict[int, float]:
        return {h: self.at(h, view) for h in HORIZONS if h <= self.psnr.shape[1]}


def replay(
    world: World[State], episodes: Sequence[Episode], seed: int = 0, chunk: int = 1
) -> Replay:
    """All episodes in one batch, to the end of the longest. `chunk`: actions per step. Views that
    an episode lacks begin black."""
    steps = np.array([len(episode.actions) for episode in episodes])
    begin = np.zeros_like(steps)
    places, there = cut(steps + 1, steps.max() + 1, begin)
    truth = np.stack([e.frames[own] for e, own in zip(episodes, places, strict=True)])
    places, _ = cut(steps, steps.max(), begin)
    actions = np.stack([e.actions[own] for e, own in zip(episodes, places, strict=True)])
    generated = replay_actions(
        world, truth[:, 0], [seed + i for i in range(len(episodes))], actions, chunk
    )
    levels = psnr(generated[:, 1:], truth[:, 1:])
    for row, episode in enumerate(episodes):
        levels[row, :, [episode.views.index(name) for name in episode.absent]] = np.nan
    levels[~there[:, 1:]] = np.nan
    return Replay(generated, levels)


def replay_actions(
    world: World[State], starts: Frames, seeds: Sequence[int], actions: Actions, chunk: int = 1
) -> Frames:
    """starts: uint8 [B, V, H, W, 3], one seed per row, actions: float32 [B, T, A] => frames uint8
    [B, T+1, V, H, W, 3], start first."""
    state = world.reset(starts, seeds)
    frames = [starts[:, None]]
    for first in range(0, actions.shape[1], chunk):
        state, new = stepped(world, state, actions[:, first : first + chunk])
        frames.append(new)
    return np.concatenate(frames, 1)


def psnr(frames: Frames, truth: Frames) -> npt.NDArray[np.float64]:
    """uint8 [..., H, W, 3] twice => [...] in dB, with values in [0, 1]; capped at 60 dB for equal
    frames."""
    difference = frames.astype(np.float32) - truth.astype(np.float32)
    mse = np.square(difference / 255.0).mean(axis=(-3, -2, -1), dtype=np.float64)
    return -10.0 * np.log10(np.maximum(mse, 1e-6))


def contact_sheet(rows: Sequence[Frames], count: int = 9, scale: int = 1) -> Frames:
    """Several videos [T, H, W, 3] => one picture, one row each, `count` frames evenly spaced. uint8
    [H', W', 3]."""
    picked = [video[np.linspace(0, len(video) - 1, count).round().astype(int)] for video in rows]
    sheet = np.concatenate([np.concatenate(list(video), axis=1) for video in picked], axis=0)
    return sheet.repeat(scale, axis=0).repeat(scale, axis=1)
