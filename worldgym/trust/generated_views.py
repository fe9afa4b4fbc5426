"""How well a world generates views of an initial frame that a task does not have, compared with the
recorded ones. The PSNR of the generated view is compared with those of two trivial pictures: the
mean of the recorded ones, and the one of another episode. A world below the first has not learned
how the views are related; a world close to the second draws an arbitrary picture of this kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from worldgym.errors import InputError
from worldgym.types import Episode, Frames
from worldgym.world.open_loop_replay import psnr
from worldgym.world.world_protocol import Completing


@dataclass(frozen=True)
class ViewQuality:
    """Of one view. episodes: that have it.   generated, mean, other: PSNR in dB of the view as the
    world draws it, of the mean recorded one and of the next episode's, each against the recorded
    one, and averaged.   frames: uint8 [episodes, 3, H, W, 3]: main, recorded and generated."""

    view: str
    episodes: int
    generated: float
    mean: float
    other: float
    frames: Frames


def view_quality(
    world: Completing, views: Sequence[str], episodes: Sequence[Episode]
) -> list[ViewQuality]:
    """Every view but the main one, drawn from the main one alone. InputError where fewer than two
    episodes have one."""
    found = []
    for v, view in enumerate(views[1:], 1):
        own = [episode for episode in episodes if view not in episode.absent]
        if len(own) < 2:
            raise InputError(
                f"episodes with the view {view}: {len(own)}; give a store with two or more"
            )
        starts = np.stack([episode.frames[0] for episode in own])
        given = np.zeros(starts.shape[:2], np.bool_)
        given[:, 0] = True
        shown = np.where(given[..., None, None, None], starts, 0).astype(np.uint8)
        drawn = world.complete(shown, given, list(range(len(own))))
        truth = starts[:, v]
        mean = np.broadcast_to(truth.mean(0).round().astype(np.uint8), truth.shape)
        found.append(
            ViewQuality(
                view,
                len(own),
                float(psnr(drawn[:, v], truth).mean()),
                float(psnr(mean, truth).mean()),
                float(psnr(np.roll(truth, 1, axis=0), truth).mean()),
                np.stack([starts[:, 0], truth, drawn[:, v]], axis=1),
            )
        )
    return found
