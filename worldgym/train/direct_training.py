"""What draws frames directly from the initial one (`worldgym.world.direct`), trained before the
rest of the network and fixed from then on.

Every frame is drawn by itself, so a step learns from single frames of as many episodes. Further
views of the initial frame are left out at random, as for a task that has the main view alone."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import numpy as np
import torch
from torch import Tensor

from worldgym.codecs.codec_protocol import Codec
from worldgym.episodes.mixture import draw_episodes
from worldgym.train.distributed import ProcessGroup
from worldgym.train.loop import LoopOptions, save_steps, training_loop
from worldgym.train.motion_training import train_motion
from worldgym.train.view_noise import START_DROPOUT, recorded_places
from worldgym.train.world_batches import Tables
from worldgym.train.world_train_config import WorldTrainConfig
from worldgym.world.direct import Direct
from worldgym.world.network import DiT

FRAMES_PER_CLIP = 4  # in a step, for each clip of a batch


def train_direct(
    network: DiT, tables: Tables, config: WorldTrainConfig, codec: Codec, group: ProcessGroup
) -> None:
    """What draws frames directly in `network`, in place, by `config.direct`: first where the
    cameras went, then the U-Net. Resumes from files in `config.out`; where the whole network's
    training has begun, whose state has all weights, nothing is done."""
    settings = config.direct
    if network.direct is None or settings is None or (config.out / "state.safetensors").exists():
        return
    direct = apart_from(network.direct)
    train_motion(direct.picture, settings.motion, tables, config, codec, group)
    direct.picture.requires_grad_(False)
    options = LoopOptions(
        "frames drawn directly",
        save_steps(config.save_every, settings.frames.steps),
        config.out / "direct.safetensors",
        autocast=True,
        group=group,
    )
    loss = direct_loss(direct, tables, config, group)
    training_loop(direct, loss, settings.frames, options).put_into(direct)
    network.direct.load_state_dict(direct.state_dict())


def apart_from(direct: Direct) -> Direct:
    """A copy in float32, which is trained in its stead."""
    return deepcopy(direct).float()


def direct_loss(
    direct: Direct, tables: Tables, config: WorldTrainConfig, group: ProcessGroup
) -> Callable[[int], Tensor]:
    """Of a step: mean squared error of frames of random episodes."""

    def loss(step: int) -> Tensor:
        rng = np.random.default_rng([config.seed, 2, step])
        count = FRAMES_PER_CLIP * config.batch
        mine = group.shard(count)
        episodes = draw_episodes(tables.stores, config.mix, count, rng)
        at = (rng.random(count) * tables.lengths[episodes]).astype(np.int64)
        left_out = rng.random((count, direct.cameras)) < START_DROPOUT
        left_out[:, 0] = False
        rows = tables.first[episodes][mine]
        places = rows + at[mine]
        present = torch.from_numpy(tables.present[episodes[mine]]).to(config.device)
        dropped = torch.from_numpy(left_out[mine]).to(config.device)
        latents = tables.latents.take(places).float()[:, None]
        start = tables.latents.take(rows).float()
        start = start * recorded_places(present & ~dropped, start.shape[-2])[:, 0]
        shown = tables.shown[torch.from_numpy(places).to(config.device)][:, None]
        with torch.autocast(start.device.type, enabled=False):  # as in a rollout
            told = direct.told(shown)
        drawn = direct(start, told).float()
        known = recorded_places(present, latents.shape[-2])
        return ((drawn - latents).square() * known).mean()

    return loss
