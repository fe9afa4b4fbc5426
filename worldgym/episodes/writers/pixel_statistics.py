"""Statistics of pixels in LeRobot's form, exact for the frames that are counted: one histogram of
256 grey levels a channel."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from worldgym.episodes.action_statistics import QUANTILES
from worldgym.types import Frames

EVERY = 10  # frames of an episode: one in so many is counted, the first always


@dataclass(frozen=True)
class PixelCounts:
    """counts: int64 [3, 256] of grey levels a channel.   frames: how many were counted."""

    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros((3, 256), np.int64))
    frames: int = 0

    def add(self, frames: Frames) -> PixelCounts:
        """frames uint8 [N, H, W, 3]."""
        chosen = frames[::EVERY]
        more = np.stack([np.bincount(chosen[..., c].ravel(), minlength=256) for c in range(3)])
        return PixelCounts(self.counts + more, self.frames + len(chosen))

    def statistics(self) -> dict[str, Any]:
        """mean, std, min, max and quantiles as nested lists of shape (3, 1, 1) in [0, 1], and the
        number of frames."""
        levels = np.arange(256) / 255.0
        total = self.counts.sum(axis=1)
        mean = self.counts @ levels / total
        below = np.cumsum(self.counts, axis=1)
        out = {
            "mean": mean,
            "std": np.sqrt(np.maximum(self.counts @ levels**2 / total - mean**2, 0.0)),
        }
        out["min"] = levels[(self.counts > 0).argmax(axis=1)]
        out["max"] = levels[255 - (self.counts[:, ::-1] > 0).argmax(axis=1)]
        out |= {
            name: levels[(below >= q * total[:, None]).argmax(axis=1)]
            for name, q in QUANTILES.items()
        }
        return {
            **{name: [[[float(x)]] for x in row] for name, row in out.items()},
            "count": [self.frames],
        }
