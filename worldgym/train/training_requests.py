"""What a command asks for, apart from what carries it out: the command line reads it without
loading torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TrainRequest:
    """Train a world from recorded episodes: codec, latents, transformer. None leaves the recipe's
    choice."""

    data: tuple[str, ...]
    """episode stores to train on, [NAME=]FOLDER each; NAME: the robot's"""
    held_out: tuple[Path, ...]
    """episode stores for the open-loop replay during training, one for each robot"""
    out: Path
    """gets codec/, world/, tensorboard/, sheets/ and the state to resume from"""
    recipe: str = "reference"
    codec: Path | None = None
    """checkpoint of a codec (default: OUT/codec, trained first if absent)"""
    steps: int | None = None
    """optimiser steps (default: the recipe's)"""
    batch: int | None = None
    """clips of a step, of all processes (default: the recipe's)"""
    codec_steps: int | None = None
    carrier_steps: int | None = None
    """optimiser steps of the convolutions that carry frames on, alone, before the rest; 0 = none
    (default: the recipe's, none where --start has such convolutions)"""
    direct_steps: int | None = None
    """optimiser steps of what draws frames directly from the initial one, before all others, those
    that learn where cameras go in proportion; 0 = none (default: the recipe's, none where --start
    has such)"""
    device: str = "auto"
    other_device: bool = False
    """continue with a training that began on another kind of device, which rounds otherwise"""
    processes: int = 1
    """on a CPU: one per core is fastest; on several GPUs, start the command with torchrun
    instead"""
    track: tuple[str, ...] = ()
    """send the numbers to tensorboard:DIR, wandb:PROJECT, mlflow:EXPERIMENT or trackio:PROJECT too
    """
    start: Path | None = None
    """checkpoint of a world to continue from (same recipe, robots and codec)"""
    mix: tuple[float, ...] = ()
    """share of each store in a batch, in the order of --data (default: by their numbers of
    episodes)"""
    still_weight: float = 0.0
    """extra loss weight of small things that stay where they are while something moves close by,
    for worlds that redraw what a hand passes over"""


@dataclass(frozen=True)
class DistillRequest:
    """Teach a world to sample in fewer steps: a student learns to jump to where its teacher's steps
    end. None: the teacher's."""

    world: Path
    """the teacher's checkpoint"""
    data: tuple[str, ...]
    """episode stores whose initial frames and actions the student rolls out, as a rule those of the
    teacher's training"""
    held_out: tuple[Path, ...]
    """episode store for the open-loop replay meanwhile"""
    out: Path
    """gets world/, codec/, tensorboard/, sheets/ and the state to resume from"""
    sampler_steps: tuple[int, ...] = (1, 2)
    """network calls per frame that it learns to sample with, in turn; its checkpoint names the
    first
    """
    teacher_steps: int | None = None
    """network calls per frame of the teacher (default: as its checkpoint says)"""
    shuffled: float = 0.25
    """share of rollouts that follow the actions of another episode"""
    steered: float = 0.5
    """share of rollouts that are drawn back to where the teacher's own rollout is; the rest
    continue from where they are"""
    recorded: bool = False
    """teach the frames that were recorded instead of the teacher's, behind the student's own;
    nothing is shuffled or steered then"""
    steps: int = 400
    """optimiser steps"""
    batch: int = 8
    """rollouts per step"""
    still_weight: float = 0.0
    """as for `worldgym world train`"""
    save_every: int = 50
    """optimiser steps between checkpoints"""
    codec: Path | None = None
    """checkpoint of the teacher's codec (default: beside it)"""
    device: str = "auto"
    other_device: bool = False
    """continue with a training that began on another kind of device, which rounds otherwise"""
    processes: int = 1
    """on a CPU: one per core is fastest"""
    track: tuple[str, ...] = ()
    """send the numbers to tensorboard:DIR, wandb:PROJECT, mlflow:EXPERIMENT or trackio:PROJECT too
    """


@dataclass(frozen=True)
class DecoderTuneRequest:
    """Fine-tune the decoder of a codec. Its encoder stays, and with it every stored latent, world
    and inverse-dynamics model made with it."""

    codec: Path
    """checkpoint of a codec"""
    data: tuple[str, ...]
    """episode stores with frames to learn from"""
    out: Path
    """gets codec/, with --world a copy of it in world/, and the state to resume from"""
    world: Path | None = None
    """checkpoint of a world to copy beside the new codec"""
    steps: int = 2000
    """optimiser steps of 32 frames"""
    mix: tuple[float, ...] = ()
    """share of each store in a batch, in the order of --data (default: by their numbers of
    episodes)"""
    device: str = "auto"
    other_device: bool = False
    """continue with a training that began on another kind of device, which rounds otherwise"""
