"""Where the cameras went, learned from pictures alone: the initial frame's picture, moved, should
look like the frame (`worldgym.world.moved_picture`).

What a gripper hides or a hand moves cannot be found by moving a picture, and would drag it along.
So a place counts by how much the frame two before differs there: little where a gripper stands
still (after Godard et al. 2019, arXiv 1806.01260). Frames near the beginning are learned first,
because a picture that is far from its place has nothing to hold on to. Of a camera that stands
still only an arm moves, so its picture may follow that (dev/LOG.md, 2026-12-01).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from numpy.lib.format import open_memmap
from torch import Tensor
from torch.nn import functional as F

from worldgym.codecs.codec_protocol import Codec
from worldgym.episodes.windows import Ints
from worldgym.io.progress import progress
from worldgym.train.distributed import ProcessGroup, rank_zero_first
from worldgym.train.loop import LoopOptions, Trained, save_steps, training_loop
from worldgym.train.optimizer import OptimizerConfig, averaged
from worldgym.train.training_state import load_state
from worldgym.train.world_batches import Tables
from worldgym.train.world_train_config import WorldTrainConfig
from worldgym.world.moved_picture import SCALE, MovedPicture, moved_by
from worldgym.world.view_latents import apart

EPISODES = 300  # whose pictures are learned from, or fewer:
FRAMES = 20_000  # of about so many frames, since each is decoded
PAIRS_PER_CLIP = 4  # of an initial frame and a later one, in a step, for each clip of a batch
NEAR = 0.1  # share of an episode that later frames are of at first
FAR = 0.6  # share of the steps after which they are of all of it
BLURS = (2, 4)  # pixels of the picture that are compared as one
QUIET = 0.02  # of 2: mean difference of two frames below which nothing need have moved
PART = 64  # frames decoded at once
PICTURES = "pictures-"  # and a digest of which frames they show: begins the name of their file


@dataclass(frozen=True)
class Pictures:
    """Of some episodes, frame by frame: pixels uint8 [frames, V, 3, S h, S w], shown [frames, A].
    first, lengths: int [episodes].   present: bool [episodes, V].   rows: int [episodes], of their
    initial frames in the tables."""

    pixels: npt.NDArray[np.uint8]
    shown: Tensor
    first: Ints
    lengths: Ints
    present: npt.NDArray[np.bool_]
    rows: Ints

    @staticmethod
    def of(tables: Tables, config: WorldTrainConfig, codec: Codec) -> Pictures:
        """The codec's pictures of episodes spread over all stores, kept in `config.out`."""
        count = max(1, min(EPISODES, len(tables.first), int(FRAMES / tables.lengths.mean())))
        chosen = np.arange(count) * len(tables.first) // count
        lengths = tables.lengths[chosen]
        spans = zip(tables.first[chosen], lengths, strict=True)
        rows = np.concatenate([np.arange(first, first + length) for first, length in spans])
        path = config.out / f"{PICTURES}{hashlib.sha256(rows.tobytes()).hexdigest()[:12]}.npy"
        with rank_zero_first():
            if not path.exists():
                temporary = path.with_suffix(".part")
                _decode(tables, config, codec, rows, temporary)
                os.replace(temporary, path)
        numbers = tables.shown[torch.from_numpy(rows).to(tables.shown.device)]
        begins = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        pixels = np.load(path, mmap_mode="r")
        first, present = tables.first[chosen], tables.present[chosen]
        return Pictures(pixels, numbers, begins, lengths, present, first)

    def take(self, rows: Ints, device: str) -> Tensor:
        """=> float32 [N, V, 3, S h, S w], -1 to 1."""
        return torch.from_numpy(self.pixels[rows]).to(device).float() / 127.5 - 1.0


def train_motion(
    picture: MovedPicture,
    settings: OptimizerConfig,
    tables: Tables,
    config: WorldTrainConfig,
    codec: Codec,
    group: ProcessGroup,
) -> None:
    """The whole of `picture`, in place. Resumes from `config.out / "motion.safetensors"`."""
    config.out.mkdir(parents=True, exist_ok=True)
    state = config.out / "motion.safetensors"
    begun = load_state(state)
    if begun is not None and begun[0] == settings.steps:  # nothing need be decoded again
        trained = Trained(settings.steps, averaged(begun[1]), [])
    else:
        pictures = Pictures.of(tables, config, codec)
        options = LoopOptions(
            "motion of cameras", save_steps(config.save_every, settings.steps), state, group=group
        )
        loss = motion_loss(picture, tables, pictures, settings.steps, config, group)
        trained = training_loop(picture, loss, settings, options)
    trained.put_into(picture)
    for path in config.out.glob(f"{PICTURES}*") if group.first else ():
        path.unlink()


def motion_loss(
    picture: MovedPicture,
    tables: Tables,
    pictures: Pictures,
    steps: int,
    config: WorldTrainConfig,
    group: ProcessGroup,
) -> Callable[[int], Tensor]:
    """Of a step: how far moved pictures are from what was recorded, and drawn ones from what the
    codec decodes."""

    def loss(step: int) -> Tensor:
        rng = np.random.default_rng([config.seed, 1, step])
        count = PAIRS_PER_CLIP * config.batch
        mine = group.shard(count)
        episodes = rng.integers(len(pictures.first), size=count)[mine]
        grown = NEAR + (1 - NEAR) * min(step / max(FAR * steps, 1), 1.0)
        latest = np.maximum(2, np.ceil(grown * (pictures.lengths[episodes] - 1)))
        latest = np.minimum(latest, pictures.lengths[episodes] - 1)
        now = np.ceil(rng.random(count)[mine] * latest).astype(np.int64)
        first = pictures.first[episodes]
        initial, then, there = (
            pictures.take(first + at, config.device) for at in (0, np.maximum(now - 2, 0), now)
        )
        shown = pictures.shown[torch.from_numpy(first + now).to(config.device)]
        present = torch.from_numpy(pictures.present[episodes]).to(config.device).float()
        by = picture.homographies(shown).unflatten(-1, (picture.cameras, -1))
        found = moved_by(initial.flatten(0, 1), by.flatten(0, 1))[:, :-1]
        off = difference(found, there.flatten(0, 1), then.flatten(0, 1))
        latents = tables.latents.take(pictures.rows[episodes]).float()
        drawn = picture.pictures(apart(latents, picture.cameras).flatten(0, 1))
        unlike = (drawn - initial.flatten(0, 1)).square().mean((1, 2, 3))
        return ((off + unlike) * present.flatten()).mean()

    return loss


def difference(found: Tensor, there: Tensor, then: Tensor) -> Tensor:
    """Pictures [N, 3, H, W]: moved ones, those that were recorded, and those recorded two frames
    before => [N]: mean absolute difference of the first two, blurred, each place weighted by how
    much the last two differ there."""
    off = torch.zeros(len(found), device=found.device)
    for blur in BLURS:
        a, b, before = (F.avg_pool2d(x, blur) for x in (found, there, then))
        idle = (before - b).abs().mean(1)
        weight = idle / (idle.mean((1, 2), keepdim=True) + QUIET)
        off = off + (weight * (a - b).abs().mean(1)).mean((1, 2))
    return off


def _decode(tables: Tables, config: WorldTrainConfig, codec: Codec, rows: Ints, path: Path) -> None:
    """Writes uint8 [rows, V, 3, S h, S w]."""
    views = config.network.cameras
    height, width = (SCALE * side for side in config.network.latent_shape[1:])
    found = open_memmap(path, "w+", np.uint8, (len(rows), views, 3, height, width))
    starts = range(0, len(rows), PART)
    for start in progress(starts, len(starts), "decoding pictures", "part"):
        part = rows[start : start + PART]
        latents = apart(tables.latents.take(part).float(), views).flatten(0, 1)
        pixels = codec.decode(latents).permute(0, 3, 1, 2).float()
        coarse = F.interpolate(pixels, (height, width), mode="area").round().to(torch.uint8)
        found[start : start + len(part)] = coarse.unflatten(0, (-1, views)).cpu().numpy()
    found.flush()
