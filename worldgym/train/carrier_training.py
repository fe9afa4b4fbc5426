"""The convolutions that carry the previous frame on, trained alone before the rest of the network.

Alone they learn in minutes what within the network takes hours: at four times its learning rate,
with steps of a quarter of the time (dev/LOG.md, 2026-12-01). Most of what they see is recorded:
taught on rollouts of their frames, they draw what is sure to be there and let the rest fade."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from worldgym.train.distributed import ProcessGroup
from worldgym.train.frames_before import Before, carried_frames
from worldgym.train.loop import LoopOptions, save_steps, training_loop
from worldgym.train.place_weights import place_weight
from worldgym.train.world_batches import Tables, make_batch
from worldgym.train.world_train_config import WorldTrainConfig
from worldgym.world.network import DiT

ALONE = Before(unfinished=0.0, own=0.2)
AGAIN = 1 << 40  # its batches are others than those of the training behind it


def train_carrier(
    network: DiT, tables: Tables, config: WorldTrainConfig, group: ProcessGroup
) -> None:
    """The convolutions of `network` and what embeds the actions for them, in place, by
    `config.carrier`. Resumes from `config.out / "carrier.safetensors"`; where the whole network's
    training has begun, whose state has all weights, nothing is done."""
    settings = config.carrier
    begun = (config.out / "state.safetensors").exists()
    if network.carrier is None or settings is None or begun:
        return
    taught = _Taught(network)
    options = LoopOptions(
        "convolutions",
        save_steps(config.save_every, settings.steps),
        config.out / "carrier.safetensors",
        group=group,
    )
    loss = carrier_loss(network, tables, config, group)
    training_loop(taught, loss, settings, options).put_into(taught)
    network.zero_grad()


def carrier_loss(
    network: DiT, tables: Tables, config: WorldTrainConfig, group: ProcessGroup
) -> Callable[[int], Tensor]:
    """Of a step: mean squared error of the frames carried on, against the recorded ones."""

    def loss(step: int) -> Tensor:
        batch = make_batch(tables, config, AGAIN + step, group)
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + AGAIN + step)
        dtype = next(network.parameters()).dtype
        x, start = batch.latents.to(dtype), batch.start.to(dtype)
        level = torch.zeros(x.shape[:2], device=x.device)
        condition = network.condition(level, batch.actions, batch.robots)
        carried, told = carried_frames(
            network, x, start, condition, batch, generator, config.batch, ALONE
        )
        weight = place_weight(batch.latents, batch.start, config)
        return ((carried.float() - batch.latents).square() * weight * told).mean()

    return loss


class _Taught(nn.Module):
    def __init__(self, network: DiT) -> None:
        super().__init__()
        self.carrier = network.carrier
        self.actions = network.action_embedder
        self.token = network.embodiment_token
