"""`worldgym world distill`: from a world to a student that samples in fewer steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from worldgym.episodes.mixture import NamedStore, RobotStore, open_mixture
from worldgym.errors import InputError
from worldgym.io.checkpoint import copy_folder, load_folder
from worldgym.io.devices import resolve_device
from worldgym.native.memory import keep_freed_memory
from worldgym.train.distillation import DistillConfig
from worldgym.train.distributed import process_group, rank_zero_first
from worldgym.train.optimizer import OptimizerConfig
from worldgym.train.training_requests import DistillRequest
from worldgym.train.world_run import TrainRun, launch
from worldgym.train.world_train_config import WorldTrainConfig
from worldgym.world.world_checkpoint import world_folder
from worldgym.world.world_config import KIND, WorldConfig


def distill_world(request: DistillRequest) -> Path:
    """=> folder of the student's checkpoint, a world like any other, with the teacher's codec
    beside it."""
    keep_freed_memory()
    request = replace(request, device=resolve_device(request.device))
    folder = world_folder(request.world)
    data, _ = load_folder(folder, KIND)
    if "embodiments" in data:
        raise InputError(
            f"{folder}: a world of several robots, and distillation takes a world of one; train "
            f"one for the robot"
        )
    teacher = WorldConfig.from_json(data)
    distill = DistillConfig(
        folder,
        request.teacher_steps or teacher.sampler.steps,
        request.sampler_steps,
        request.shuffled,
        request.steered,
        request.recorded,
    )
    sources = tuple(NamedStore.parse(text) for text in request.data)
    scaled = bool(teacher.scaling.scale)
    _check_robot(folder, teacher, open_mixture(sources, scaled))
    with process_group(request.device, request.processes) as device:
        with rank_zero_first():
            codec = copy_folder(request.codec or folder.parent / "codec", request.out / "codec")
        config = replace(
            student_config(teacher, distill, request), normalize=scaled, start=folder, device=device
        )
        launch(
            TrainRun(
                config,
                sources,
                request.held_out,
                codec,
                request.processes,
                distill,
                request.other_device,
                request.track,
            )
        )
    return request.out / "world"


def student_config(
    teacher: WorldConfig, distill: DistillConfig, request: DistillRequest
) -> WorldTrainConfig:
    """The teacher's settings, with a quarter of its learning rates, because the student starts from
    its weights. Clips of one and a half windows, so that rollouts include a move of the window.
    """
    window = teacher.sampler.window
    network = teacher.network
    frames = window + window // 2
    return WorldTrainConfig(
        out=request.out,
        network=network,
        optimizer=OptimizerConfig(
            request.steps, lr=2.5e-4, muon_lr=1e-3, weight_decay=0.01, warmup=10, ema=0.98
        ),
        sampler=replace(teacher.sampler, steps=distill.steps[0], cfg=1.0),
        schedule=teacher.schedule,
        schedule_settings=teacher.schedule_settings,
        batch=request.batch,
        frames=min(frames, network.window) if network.positions == "learned" else frames,
        action_dropout=0.0,
        save_every=request.save_every,
        device=request.device,
        conditioning=teacher.conditioning,
        views=teacher.views,
        still_weight=request.still_weight,
    )


def _check_robot(folder: Path, teacher: WorldConfig, mixture: Sequence[RobotStore]) -> None:
    for part in mixture:
        if part.robot.spec != teacher.spec or part.robot.scaling != teacher.scaling:
            raise InputError(
                f"{part.store.root}: its actions are not those of the data that {folder} was "
                f"trained on; give the stores of its "
                "training"
            )
