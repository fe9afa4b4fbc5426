"""The configuration of the training of a world."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from worldgym.actions.embodiment import Embodiment
from worldgym.episodes.windows import Ints
from worldgym.native.processor import fast_dtype
from worldgym.train.optimizer import OptimizerConfig
from worldgym.types import ONE_VIEW
from worldgym.world.conditioning import shown_columns
from worldgym.world.network_config import DiTConfig
from worldgym.world.sampler import SamplerConfig


@dataclass(frozen=True)
class DirectTraining:
    """How what draws frames directly is trained, before the rest.   motion: where the cameras went
    (`worldgym.train.motion_training`).   frames: the U-Net behind it
    (`worldgym.train.direct_training`)."""

    motion: OptimizerConfig
    frames: OptimizerConfig

    def of_steps(self, steps: int) -> DirectTraining:
        """With so many of the U-Net's, and of the motion's in proportion."""
        motion = max(1, round(self.motion.steps * steps / self.frames.steps))
        return DirectTraining(replace(self.motion, steps=motion), replace(self.frames, steps=steps))


@dataclass(frozen=True)
class WorldTrainConfig:
    """frames: length of a clip.   action_dropout: share of clips whose actions are dropped whole
    (for guidance).

    motion_weight: extra weight of latents that differ from the previous frame's or the initial
    frame's, up to this much.   still_weight: of small things that stay where they are while
    something moves close by, see `still_weight`.   dtype: of weights and
    activations in the network, "" = what the device multiplies fast; master weights, EMA
    and optimiser stay float32. conditioning: how actions are shown, "sum" or "action" (as
    published): see `worldgym.world.conditioning.conditioning`. checkpointing: less memory for a
    third more products, same gradients: see `DiT`.
    start: checkpoint of a world of the same network and codec to continue from, with a new
    optimiser; None = from scratch. Latents may have more channels than its, as those of a codec
    grown from its own. normalize: show actions in units of their own spread. Several robots of one
    world always are. mix: share of every store in a batch, in any unit; empty = every episode is as
    likely as any other. views: names of the cameras, as many as the network draws.
    carrier: how the convolutions that carry frames on are trained alone, before the rest
    (`worldgym.train.carrier_training`); None = not at all.   direct: how what draws frames directly
    is; None = it stays as it begins."""

    out: Path
    network: DiTConfig
    optimizer: OptimizerConfig
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    schedule: str = "flow"
    schedule_settings: dict[str, float] = field(default_factory=dict)
    batch: int = 16
    frames: int = 16
    action_dropout: float = 0.1
    motion_weight: float = 4.0
    still_weight: float = 0.0
    seed: int = 0
    save_every: int = 350
    device: str = "cpu"
    dtype: str = ""
    start: Path | None = None
    conditioning: str = "sum"
    checkpointing: bool = False
    normalize: bool = False
    mix: tuple[float, ...] = ()
    views: tuple[str, ...] = ONE_VIEW
    carrier: OptimizerConfig | None = None
    direct: DirectTraining | None = None

    def __post_init__(self) -> None:
        if not self.dtype:
            dtype = str(fast_dtype(self.device)).removeprefix("torch.")
            object.__setattr__(self, "dtype", dtype)

    def columns(self, robot: Embodiment, widest: int) -> Ints:
        """Which of the numbers that the network is shown are this robot's.   widest: see
        `shown_columns`."""
        return shown_columns(
            self.conditioning, robot.spec.size, self.network.action_size, robot.scaling.sums, widest
        )

    def plain_size(self, robot: Embodiment) -> int | None:
        """The `size` of `conditioning`, for one robot."""
        return len(self.columns(robot, robot.spec.size)) if self.conditioning == "action" else None
