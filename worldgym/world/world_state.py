"""The state of a world between two steps: the finished frames that the next one is drawn behind."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from worldgym.world.cache import TemporalCache
from worldgym.world.context import Context
from worldgym.world.sampler import SamplerConfig
from worldgym.world.world_start import RobotStates


@dataclass(frozen=True)
class WorldState:
    """A moment of a batch of rollouts. May be kept and stepped again: later steps never change it.

    context: finished frames that the next one depends on.   cache: the keys and values of all but
    the newest of them, shared with later states; `stored` says how many of its positions are ours.
    seeds, frame: the noise of the next frame is a function of the trial's seed and the frame's
    number alone. moved: [B, K, A] sums of all actions so far, as they are shown: see
    `worldgym.world.conditioning.commanded_positions`.   told: [B, h, S] the robot's state in the
    frames of the last step, where the world says it; None = it does not."""

    context: Context
    cache: TemporalCache | None
    stored: int
    seeds: tuple[int, ...]
    frame: int
    moved: npt.NDArray[np.float32]
    told: RobotStates | None = None

    def with_room(self, chunk: int, sampler: SamplerConfig, pairs: int) -> WorldState:
        """Room made for the chunk: see `SamplerConfig.rule`.   pairs: of the network's blocks."""
        if sampler.rule == "rolling":
            # A frame sees window - 1 others, which saw as many in the block below; the last one out
            # is still a "previous frame".
            return replace(self, context=self.context.last(pairs * (sampler.window - 1) + 1))
        if self.context.length + chunk <= sampler.window:
            return self
        context = self.context.last(sampler.keep or sampler.window - chunk)
        return replace(self, context=context, cache=None, stored=0)
