"""Small worlds that differ in one thing each, trained from nothing for the figures (f), (i) and
(j).

    python -m experiments.worlds --data data/train --processes 2          # a quarter of an hour of
    one core per world

All learn alike: the codec of the bundle, steps, noise, learning rates, frames per step; 3 M
parameters unless the width is what differs. They are no rivals of the bundled world, which has
three times their size and 27 times their training: what is compared is one of them with another. A
world that is there is left alone, one that is half trained continues."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from worldgym.cli.script import read_options
from worldgym.codecs.load_codec import load_codec
from worldgym.episodes.mixture import NamedStore, open_mixture
from worldgym.episodes.store import EpisodeStore
from worldgym.episodes.store_index import EpisodeInfo
from worldgym.episodes.windows import Ints
from worldgym.errors import InputError, WorldGymError
from worldgym.io.bundled import BUNDLE
from worldgym.io.checkpoint import MANIFEST, reconfigure
from worldgym.io.child_processes import end_with_parent
from worldgym.native.memory import keep_freed_memory
from worldgym.reference.behaviours import MIXES, is_closed_loop
from worldgym.train.codec_and_world import config_for
from worldgym.train.latent_shards import LatentEpisodes, latent_episodes
from worldgym.train.recipes import reference_world
from worldgym.train.training_state import hold_settings
from worldgym.train.world_train_config import WorldTrainConfig
from worldgym.train.world_training import train_world

FRAMES = 384  # a step: 24 clips of 16 frames, or as many more as they are shorter


def _behaves(names: Mapping[str, int]) -> Callable[[EpisodeInfo], bool]:
    return lambda info: info.extras.get("behaviour") in names


KINDS: dict[str, Callable[[EpisodeInfo], bool]] = {
    "expert": _behaves({"expert": 1}),
    "varied": _behaves(MIXES["varied"]),
    "near-misses": _behaves(MIXES["near-misses"]),
    "closed-loop": is_closed_loop,
}
EVERYTHING = {"varied": 0, "near-misses": 0, "closed-loop": 0}


@dataclass(frozen=True)
class Variant:
    """episodes: of each kind and task, spread over the store; 0 = all.   window: frames of a clip,
    and seen at most.

    width: of the network, 32 a head.
    """

    episodes: Mapping[str, int]
    window: int = 16
    width: int = 160


VARIANTS = {
    "experts": Variant({"expert": 60}),
    "varied": Variant({"varied": 60}),
    "with-closed-loops": Variant({"varied": 20, "near-misses": 20, "closed-loop": 20}),
    "few": Variant({"varied": 4, "near-misses": 2, "closed-loop": 2}),
    "all": Variant(EVERYTHING),
    "width-64": Variant(EVERYTHING, width=64),
    "width-96": Variant(EVERYTHING, width=96),
    "window-4": Variant(EVERYTHING, window=4),
    "window-8": Variant(EVERYTHING, window=8),
}


@dataclass(frozen=True)
class Training:
    """Options of this script."""

    data: Path = Path("data/train")
    """what `worldgym reference record` and `generate-rollouts` wrote (docs/reference-world.md)"""
    out: Path = Path("runs/experiments/trained")
    """gets one folder per world"""
    only: tuple[str, ...] = ()
    """names of some; empty = all"""
    steps: int = 600
    codec: Path = BUNDLE / "codec"
    device: str = "cpu"
    processes: int = 1
    """worlds trained side by side, one thread each"""


def train_all(training: Training) -> None:
    """Trains small worlds that differ in one thing each, for the figures that compare such."""
    if unknown := set(training.only) - set(VARIANTS):
        raise InputError(
            f"no such world: {', '.join(sorted(unknown))}; there are {', '.join(VARIANTS)}"
        )
    if training.steps < 1 or training.processes < 1:
        raise InputError(
            f"--steps {training.steps} --processes {training.processes}: give 1 or more of each"
        )
    names = [name for name in VARIANTS if not training.only or name in training.only]
    load_latents(training)  # encoded once, before several ask for it
    with ProcessPoolExecutor(training.processes, get_context("spawn"), end_with_parent) as pool:
        for name in pool.map(partial(train_one, training), names):
            print(name, training.out / name, flush=True)


def train_one(training: Training, name: str) -> str:
    """=> its name. The world lies at OUT/NAME/world when it is finished, beside its codec."""
    keep_freed_memory()
    torch.set_num_threads(1)
    config = world_config(training, name)
    data = load_latents(training)
    store = EpisodeStore(training.data)
    rows = chosen(store.infos, VARIANTS[name].episodes)
    codec = load_codec(training.codec, training.device)
    part = replace(data, first=data.first[rows], lengths=data.lengths[rows])
    episodes = hashlib.sha256(
        "\n".join(store.infos[row].name for row in rows).encode()
    ).hexdigest()[:12]
    settings = {
        "config": repr(replace(config, out=Path(), device="")),
        "codec": codec.latents,
        "episodes": episodes,
    }
    hold_settings(config.out, settings)

    def report(step: int, scalars: dict[str, float]) -> None:
        line = "  ".join(f"{key} {value:.4g}" for key, value in scalars.items())
        print(f"{name} {step}/{training.steps}  {line}", file=sys.stderr, flush=True)

    train_world(config, [part], codec, report, lambda step, worlds: None)
    # last: a world without a codec is not finished
    reconfigure(training.codec, config.out / "codec", {})
    return name


def world_config(training: Training, name: str) -> WorldTrainConfig:
    """The recipe of the reference world, smaller, with what the variant changes."""
    variant = VARIANTS[name]
    base = reference_world(training.out / name, training.device)
    config = replace(
        base,
        network=replace(base.network, width=variant.width, pairs=3, heads=variant.width // 32),
        optimizer=replace(base.optimizer, steps=training.steps, warmup=50, ema=0.99),
        sampler=replace(base.sampler, window=variant.window, keep=variant.window // 2),
        batch=FRAMES // variant.window,
        frames=variant.window,
        save_every=100,
    )
    return config_for(config, open_mixture([NamedStore.parse(str(training.data))]))


def load_latents(training: Training) -> LatentEpisodes:
    (part,) = open_mixture([NamedStore.parse(str(training.data))])
    return latent_episodes(
        part.store, load_codec(training.codec, training.device), part.robot, training.device
    )


def chosen(episodes: Sequence[EpisodeInfo], kinds: Mapping[str, int]) -> Ints:
    """Rows of a store: of each kind and task as many episodes as asked for, spread evenly.
    InputError for too few."""
    rows: list[int] = []
    for kind, count in kinds.items():
        by_task: dict[str, list[int]] = {}
        for row, info in enumerate(episodes):
            if KINDS[kind](info):
                by_task.setdefault(str(info.extras["task"]), []).append(row)
        for task, found in sorted(by_task.items()):
            if len(found) < count:
                raise InputError(
                    f"the store holds {len(found)} episodes of the kind {kind} of {task}, not "
                    f"{count}; record more"
                )
            rows += [found[i * len(found) // count] for i in range(count)] if count else found
        if not by_task:
            raise InputError(
                f"the store holds no episode of the kind {kind}; docs/reference-world.md says how "
                f"to record some"
            )
    return np.array(sorted(rows))


def trained(folder: Path, names: tuple[str, ...]) -> dict[str, Path]:
    """{name: its folder} of finished worlds. InputError names the command where one is missing."""
    folders = {name: folder / name for name in names}
    if missing := " ".join(name for name, world in folders.items() if not _finished(world)):
        raise InputError(
            f"{folder} lacks the worlds {missing}: train them by `python -m experiments.worlds "
            f"--out {folder} --only {missing}`, "
            "or compare your own with --worlds NAME=FOLDER NAME=FOLDER ..."
        )
    return folders


def _finished(folder: Path) -> bool:
    return all((folder / part / MANIFEST).exists() for part in ("world", "codec"))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        train_all(read_options(Training, train_all.__doc__))
    except WorldGymError as error:
        print(f"worlds: {error}", file=sys.stderr)
        sys.exit(2)
