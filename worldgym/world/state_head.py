"""The robot's state that a world predicts: a small network that reads the latents of a frame and
the inputs given with them.

    WORLD/state-head/    beside WORLD/world, as its codec is; a world without it says nothing

The world's own network does not use it, so it draws the same frames with and without it. It reads
latents, so it belongs to the codec, not to the weights of the world.

Axes legend: C latent channels, V views, h and w of a view's latents, A numbers shown, S numbers of
the state.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from worldgym.errors import CheckpointError
from worldgym.io.checkpoint import fingerprint, load_folder, save_folder
from worldgym.io.network_weights import with_weights
from worldgym.io.records import from_mapping

KIND = "state-head"
STATE_HEAD = "state-head"  # name of its folder


@dataclass(frozen=True)
class StateHeadConfig:
    """names: of the state's numbers.   latent_shape: (C, V h, w) of all views.   shown: numbers
    shown with a frame, A.   codec: whose latents it reads."""

    names: tuple[str, ...]
    latent_shape: tuple[int, int, int]
    shown: int
    codec: str
    width: int = 48
    hidden: int = 128


class StateHead(nn.Module):
    """latents [..., C, V h, w] and what was shown with them [..., A] => the state [..., S], in its
    own units. Each frame by itself."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, config: StateHeadConfig) -> None:
        super().__init__()
        self.config = config
        channels, height, width = config.latent_shape
        self.first = nn.Conv2d(channels, config.width, 3, stride=2, padding=1)
        self.second = nn.Conv2d(config.width, config.width, 3, stride=2, padding=1)
        places = -(-height // 4) * -(-width // 4)
        inside = config.width * places + config.shown
        self.read = nn.Sequential(
            nn.Linear(inside, config.hidden),
            nn.SiLU(),
            nn.Linear(config.hidden, len(config.names)),
        )
        for name in ("mean", "deviation"):
            self.register_buffer(name, torch.ones(len(config.names)))
        self.identity = ""

    def forward(self, latents: Tensor, shown: Tensor) -> Tensor:
        return self.scaled(latents, shown) * self.deviation + self.mean

    def scaled(self, latents: Tensor, shown: Tensor) -> Tensor:
        """In units of the states' spread."""
        rows = latents.shape[:-3]
        x = F.relu(self.first(latents.flatten(0, len(rows) - 1).float()))
        x = F.relu(self.second(x)).flatten(1)
        answer: Tensor = self.read(torch.cat([x, shown.flatten(0, -2).float()], 1))
        return answer.unflatten(0, rows)

    def save(self, folder: Path, facts: dict[str, Any], card: str) -> None:
        config = {"kind": KIND, "net": asdict(self.config), **facts}
        save_folder(folder, config, self.state_dict(), card)

    @staticmethod
    def load(folder: Path, device: str = "cpu") -> StateHead:
        """CheckpointError if the folder is incomplete, altered or no state head."""
        config, tensors = load_folder(folder, KIND)
        net = StateHead(from_mapping(StateHeadConfig, config["net"]))
        found = with_weights(net, tensors, folder).to(device)
        found.identity = fingerprint(folder)
        return found


def check_state_head(head: StateHead, latents: str, shape: tuple[int, int, int]) -> None:
    """CheckpointError where a head does not read the latents that a world draws."""
    if head.config.codec != latents or head.config.latent_shape != shape:
        raise CheckpointError(
            f"the state head reads latents {head.config.latent_shape} of codec "
            f"{head.config.codec}, and the world draws {shape} of {latents}: train it again or "
            f"remove its folder"
        )
