"""An episode at a lower rate: frames are left out, and the actions between two that stay become
one.

The frame that is shown at second i / rate is the recorded one nearest in time, so nothing drifts. A
higher rate than the recorded one is refused: the frames between would have to be invented.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import ceil

import numpy as np
import numpy.typing as npt

from worldgym.actions.compose import check_composable, composed, widened
from worldgym.episodes.extras import expert_actions, selected_extras, with_expert
from worldgym.episodes.quality import clock_rate
from worldgym.episodes.recording import Recording
from worldgym.errors import InputError
from worldgym.types import ROUNDING, Actions, ActionSpec, Episode

SAME = 1e-3  # relative difference of rates that are the same one


def recorded_rate(recording: Recording, spec: ActionSpec) -> float:
    """Frames per second at which it was recorded, where another rate is asked for: then it has to
    be certain.

    The user's word, else the metadata's, else the convention's; InputError where only the video's
    clock speaks against that."""
    if recording.fps is not None:
        return recording.fps
    clock = clock_rate(recording)
    if clock is not None and abs(clock / spec.rate_hz - 1.0) > 0.02:
        raise InputError(
            f"{recording.source}: the video shows {clock:.4g} frames per second, the convention "
            f"says "
            f"{spec.rate_hz:g}: say which "
            f"was recorded with --recorded-fps"
        )
    return spec.rate_hz


def resampled(episode: Episode, fps: float, stated_hz: float) -> Episode:
    """The episode at `fps`, which is at most its own rate.

    stated_hz: the rate that the bounds of the actions were stated for; at a lower one they grow by
    the most actions that are joined, so that they are the same for all episodes."""
    if abs(fps / episode.fps - 1.0) <= SAME:
        return episode
    if fps > episode.fps:
        raise InputError(
            f"{episode.source}: recorded at {episode.fps:g} Hz, so there are no frames for "
            f"{fps:g}; ask for at most "
            f"{episode.fps:g}, or state another recorded rate with --recorded-fps"
        )
    check_composable(episode.spec)
    kept = kept_frames(len(episode.frames), episode.fps, fps)
    if len(kept) < 2:
        raise InputError(
            f"{episode.source}: too short for {fps:g} Hz: {len(episode.frames)} frames at "
            f"{episode.fps:g} Hz"
        )

    def joined(actions: Actions) -> Actions:
        parts = [composed(actions[first:last], episode.spec) for first, last in pairwise(kept)]
        return np.stack(parts)

    counts = len(episode.frames), len(episode.actions)
    extras = selected_extras(episode.extras, counts, kept.tolist(), kept[:-1].tolist())
    extras |= with_expert(expert_actions(episode.extras), episode.actions, joined)
    most = max(ceil(stated_hz / fps - ROUNDING), 1)  # actions that are joined in one
    spec = replace(widened(episode.spec, most), rate_hz=fps)
    states = episode.states.only(kept) if episode.states else None
    return replace(
        episode,
        frames=episode.frames[kept],
        actions=joined(episode.actions),
        spec=spec,
        fps=fps,
        states=states,
        extras=extras,
    )


def kept_frames(count: int, recorded: float, fps: float) -> npt.NDArray[np.intp]:
    """Which of `count` frames are shown at the lower rate: the first, and those nearest to every 1
    / fps seconds after it."""
    steps = int(np.floor((count - 1) * fps / recorded + SAME))
    return np.asarray(np.floor(np.arange(steps + 1) * recorded / fps + 0.5 - SAME), np.intp)
