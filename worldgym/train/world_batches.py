"""Batches of clips for the training of a world: two look-ups in tables of all its data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from worldgym.actions.embodiment import Embodiment, most_numbers
from worldgym.episodes.mixture import draw_episodes
from worldgym.episodes.windows import Ints, cut, random_starts
from worldgym.train.distributed import ProcessGroup
from worldgym.train.latent_rows import LatentRows, latent_rows
from worldgym.train.latent_shards import LatentEpisodes
from worldgym.train.world_train_config import WorldTrainConfig
from worldgym.world.conditioning import null_actions
from worldgym.world.network import Robots


def robots_of(data: Sequence[LatentEpisodes]) -> list[Embodiment]:
    """Each robot once, in the order of the stores."""
    return list(dict.fromkeys(episodes.robot for episodes in data))


@dataclass(frozen=True)
class Tables:
    """All training data: a batch is two look-ups. See LatentEpisodes.

    latents, shown: of all stores, one behind the other; numbers that are not the robot's are zero.
    Latents stay on the disk, or lie on a GPU if they are few: see `LatentRows`.
    first, lengths, robots: int [episodes], first row, frames, and whose it is.   present: bool
    [episodes, V], views that it was recorded with.   stores: int
    [stores + 1], first episode of each. known: bool [robots, numbers shown], which are its own.
    """

    latents: LatentRows
    shown: Tensor
    known: Tensor
    first: Ints
    lengths: Ints
    robots: Ints
    stores: Ints
    present: npt.NDArray[np.bool_]

    @staticmethod
    def of(data: Sequence[LatentEpisodes], config: WorldTrainConfig) -> Tables:
        robots = robots_of(data)
        size = config.network.action_size
        widest = most_numbers(robots)
        known = torch.zeros(len(robots), size, dtype=torch.bool)
        shown = torch.zeros(sum(len(part.shown) for part in data), size)
        row = 0
        for part in data:
            columns = torch.from_numpy(config.columns(part.robot, widest))
            known[robots.index(part.robot), columns] = True
            shown[row : row + len(part.shown), columns] = torch.from_numpy(part.shown)
            row += len(part.shown)
        rows = np.cumsum([0, *(len(part.shown) for part in data)])
        return Tables(
            latent_rows([part.latents for part in data], config.device),
            shown.to(config.device),
            known.to(config.device),
            np.concatenate([part.first + start for part, start in zip(data, rows, strict=False)]),
            np.concatenate([part.lengths for part in data]),
            np.concatenate([np.full(len(part), robots.index(part.robot)) for part in data]),
            np.cumsum([0, *map(len, data)]),
            np.concatenate([part.present for part in data]),
        )


@dataclass(frozen=True)
class Batch:
    """This process's rows of a batch: latents [b, T, C, h, w] float32, start: those of each
    episode's first frame [b, C, h, w], actions [b, T, numbers shown], mask [b, T] (False where
    padded), rows: their numbers in the whole batch of B, present [b, V]: views that were recorded,
    robots: the robot of each row, where several share the network."""

    latents: Tensor
    start: Tensor
    actions: Tensor
    mask: Tensor
    rows: slice
    present: Tensor
    robots: Robots | None = None


def make_batch(tables: Tables, config: WorldTrainConfig, step: int, group: ProcessGroup) -> Batch:
    """Random windows of random episodes, a function of (seed, step)."""
    rng = np.random.default_rng([config.seed, step])
    mine = group.shard(config.batch)
    episodes = draw_episodes(tables.stores, config.mix, config.batch, rng)
    lengths = tables.lengths[episodes]
    frames, mask = cut(lengths, config.frames, random_starts(lengths, config.frames, rng))
    first = tables.first[episodes][mine]
    places = first[:, None] + frames[mine]
    known = torch.from_numpy(mask)[mine].to(config.device)
    shown = tables.shown[torch.from_numpy(places).to(config.device)]
    latents = tables.latents.take(places).float()
    start = tables.latents.take(first)
    actions = torch.where(known[..., None], shown, null_actions(shown))
    robots = _robots(tables, episodes[mine])
    present = torch.from_numpy(tables.present[episodes[mine]]).to(config.device)
    return Batch(latents, start, actions, known, mine, present, robots)


def _robots(tables: Tables, episodes: Ints) -> Robots | None:
    if len(tables.known) == 1:
        return None
    index = torch.from_numpy(tables.robots[episodes]).to(tables.known.device)
    return Robots(index, tables.known[index])
