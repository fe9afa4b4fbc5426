"""Assembles the bundle from trained and scored parts: verified, complete, and small enough to
distribute."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from worldgym.errors import InputError
from worldgym.io.bundled import BUNDLE
from worldgym.io.checkpoint import pack_folder, read_config, verify_folder
from worldgym.judges.load_judge import load_judge
from worldgym.tasks.task_folder import load_tasks, load_truth
from worldgym.trust.error_predictor import ErrorPredictor
from worldgym.trust.fit_error_predictor import motions_beside
from worldgym.trust.inverse_dynamics import InverseDynamicsModel
from worldgym.trust.known_motions import KIND as KNOWN_MOTIONS
from worldgym.world.familiarity import FAMILIARITY_NAME
from worldgym.world.world_checkpoint import load_diffusion_world

LIMIT_MIB = 30.0


@dataclass(frozen=True)
class BundleConfig:
    """trained: the folder that `worldgym world train` wrote: codec/, world/ and
    familiarity.json.   truth: the one
    `worldgym reference evaluate` wrote, with results of exactly these policies on all initial
    frames.   videos: true videos kept a
    task and policy.   inverse-dynamics model, error predictor, motions: of this world, or None."""

    trained: Path
    judge: Path
    policies: Sequence[Path]
    truth: Path
    out: Path = BUNDLE
    videos: int = 4
    inverse_dynamics: Path | None = None
    error_predictor: Path | None = None
    motions: Path | None = None


def bundle(config: BundleConfig) -> float:
    """Writes the bundle and returns its size in MiB. InputError, and nothing written, if a part is
    missing or it is too big."""
    names = {str(read_config(folder)["name"]): folder for folder in config.policies}
    tasks = load_tasks(config.truth / "tasks")
    truth = load_truth(config.truth / "truth.csv")
    if missing := next(
        ((name, task.name) for name in names for task in tasks if (name, task.name) not in truth),
        None,
    ):
        raise InputError(
            f"{config.truth}/truth.csv lacks {missing[0]} on {missing[1]}: score it with `worldgym "
            f"reference evaluate`"
        )
    parts = {
        "codec": config.trained / "codec",
        "world": config.trained / "world",
        "judge": config.judge,
    }
    parts |= {f"policies/{name}": folder for name, folder in names.items()}
    parts |= (
        {} if config.inverse_dynamics is None else {"inverse-dynamics": config.inverse_dynamics}
    )
    parts |= {} if config.motions is None else {KNOWN_MOTIONS: config.motions}
    with tempfile.TemporaryDirectory() as temporary:
        staged = Path(temporary) / "bundle"
        for part, folder in parts.items():
            verify_folder(folder)
            shutil.copytree(folder, staged / part)
        for part in ("codec", "world"):
            pack_folder(staged / part)
        if (config.trained / FAMILIARITY_NAME).exists():
            shutil.copy(config.trained / FAMILIARITY_NAME, staged / FAMILIARITY_NAME)
        shutil.copytree(config.truth / "tasks", staged / "tasks")
        shutil.copy(config.truth / "truth.csv", staged / "tasks")
        _copy_videos(config, staged, list(names))
        _add_trust(config, staged)
        size = sum(file.stat().st_size for file in staged.rglob("*") if file.is_file()) / 2**20
        if size > LIMIT_MIB:
            raise InputError(
                f"the bundle would take {size:.1f} MiB, more than {LIMIT_MIB:.0f}: leave out "
                f"policies or videos"
            )
        if config.out.exists():
            shutil.rmtree(config.out)
        shutil.copytree(staged, config.out)
    return size


def _add_trust(config: BundleConfig, staged: Path) -> None:
    """Refuses an inverse-dynamics model or error predictor of another world, and copies the
    error predictor."""
    world = load_diffusion_world(staged)
    inverse_dynamics = (
        None
        if config.inverse_dynamics is None
        else InverseDynamicsModel.load(staged / "inverse-dynamics")
    )
    if inverse_dynamics is not None:
        inverse_dynamics.check(world.codec, world.spec)
    motions = motions_beside(staged, world)
    if config.error_predictor is not None:
        ErrorPredictor.load(config.error_predictor).check(
            world.name,
            load_judge(staged / "judge").name,
            None if inverse_dynamics is None else inverse_dynamics.name,
            None if motions is None else motions.name,
        )
        shutil.copy(config.error_predictor, staged / "error-predictor.json")


def _copy_videos(config: BundleConfig, staged: Path, names: Sequence[str]) -> None:
    """The first videos of every policy and task, in the order of seeds."""
    for name in names:
        for group in sorted((config.truth / "videos" / name).glob("*")):
            for video in sorted(group.glob("*.mp4"))[: config.videos]:
                target = staged / "tasks" / "videos" / name / group.name / video.name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(video, target)
