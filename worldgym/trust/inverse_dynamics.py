"""The inverse-dynamics model of a world: latents of a few neighbouring frames => the action between
the two in the middle. Learned from recordings alone.

Applied to generated frames it estimates the action that they show, to be compared with the
commanded one. Latents, not pixels: a world draws latents, so the codec's blur is the same on
recorded and on generated frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from worldgym.codecs.codec_protocol import Codec
from worldgym.errors import CheckpointError
from worldgym.io.checkpoint import fingerprint, load_folder, save_folder
from worldgym.io.devices import resolve_device
from worldgym.io.network_weights import frozen, with_weights
from worldgym.io.records import from_mapping
from worldgym.trust.latent_statistics import Drift, LatentStatistics
from worldgym.types import Actions, ActionSpec, Frames

KIND = "inverse-dynamics"
BATCH = 64  # frames encoded, or windows read, at once


@dataclass(frozen=True)
class InverseDynamicsConfig:
    """latent_shape: (C, h, w) of a frame.   actions: numbers per action, A.   offsets: frames read
    for action t, counted from t.

    An arm takes more than a step to follow a command, so the frames around the two in the middle
    are read too."""

    latent_shape: tuple[int, int, int]
    actions: int
    offsets: tuple[int, ...] = (-1, 0, 1, 2)
    width: int = 64
    blocks: int = 3
    points: int = 16
    values: int = 8
    hidden: int = 128
    components: int = 48

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> InverseDynamicsConfig:
        return from_mapping(InverseDynamicsConfig, data)


class InverseDynamicsNetwork(nn.Module):
    """latents [B, n, C, h, w] of n neighbouring frames => action [B, A], in standard deviations of
    the training data."""

    def __init__(self, config: InverseDynamicsConfig) -> None:
        super().__init__()
        C, h, w = config.latent_shape
        self.config = config
        width = config.width
        self.first = nn.Conv2d(C * len(config.offsets), width, 3, padding=1)
        self.position = nn.Parameter(torch.zeros(width, h, w))
        self.blocks = nn.ModuleList(
            nn.Conv2d(width, width, 3, padding=1) for _ in range(config.blocks)
        )
        self.maps = nn.Conv2d(width, config.points * (1 + config.values), 1)
        self.head = nn.Sequential(
            nn.Linear(config.points * config.values, config.hidden),
            nn.SiLU(),
            nn.Linear(config.hidden, config.actions),
        )

    def forward(self, latents: Tensor) -> Tensor:
        x = F.relu(self.first(latents.flatten(1, 2)) + self.position)
        for block in self.blocks:
            x = x + F.relu(block(x))
        points = self.config.points
        maps = self.maps(x).float().flatten(2)
        attention = maps[:, :points].softmax(-1)
        values = maps[:, points:].unflatten(1, (points, -1))
        read: Tensor = self.head((values * attention[:, :, None]).sum(-1).flatten(1))
        return read.float()


@dataclass(frozen=True)
class Readable:
    """How well the actions of held-out recordings can be read, one number each. slope: of what is
    read on what was commanded."""

    correlation: float | None
    slope: float | None
    rms_error: float


@dataclass(frozen=True)
class Meaning:
    """What latents and actions mean. codec: `latents` of it.   scale: standard deviation of each
    recorded action number.

    readable: by name of the action number, in the spec's order; empty before it was measured.
    """

    codec: str
    spec: ActionSpec
    scale: tuple[float, ...]
    readable: Mapping[str, Readable] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {
            "spec": self.spec.to_json(),
            "readable": {n: asdict(r) for n, r in self.readable.items()},
        }


class InverseDynamicsModel:
    """A trained inverse-dynamics model. `name` identifies its weights."""

    def __init__(
        self,
        net: InverseDynamicsNetwork,
        statistics: LatentStatistics,
        meaning: Meaning,
        name: str = "unsaved",
    ) -> None:
        """net: copied where it is still in training; it is never changed."""
        self.net = frozen(net)
        self.statistics = statistics
        self.meaning = meaning
        self.name = name

    @property
    def device(self) -> torch.device:
        """Where the network's weights lie."""
        return self.net.maps.weight.device

    def actions(self, latents: Tensor) -> Actions:
        """latents [T+1, C, h, w] of one video => the actions [T, A] that it shows, in the spec's
        units. Ends are repeated."""
        count = len(latents) - 1
        frames = torch.arange(count)[:, None] + torch.tensor(self.net.config.offsets)
        return self.read(latents.float()[frames.clamp(0, count).to(latents.device)])

    @torch.inference_mode()
    def read(self, windows: Tensor) -> Actions:
        """windows [N, n, C, h, w], the frames at the config's offsets => actions [N, A] in the
        spec's units."""
        parts = [self.net(part.to(self.device)) for part in windows.split(BATCH)]
        read: Actions = torch.cat(parts).cpu().numpy()
        return read * np.asarray(self.meaning.scale, np.float32)

    def drift(self, latents: Tensor) -> Drift:
        return self.statistics.drift(latents)

    def check(self, codec: Codec, spec: ActionSpec) -> None:
        """CheckpointError if it was made for another codec or other actions."""
        own = self.meaning
        if own.codec != codec.latents or own.spec != spec:
            raise CheckpointError(
                f"{self.name} was made for the codec {own.codec} and the actions "
                f"{', '.join(own.spec.names)}, not for this "
                f"world's ({codec.latents}; {', '.join(spec.names)}): make one with `worldgym "
                f"world train-inverse-dynamics`"
            )

    def save(self, folder: Path, facts: Mapping[str, Any], card: str) -> None:
        statistics = {f"statistics.{name}": value for name, value in vars(self.statistics).items()}
        network = {f"network.{name}": value for name, value in self.net.state_dict().items()}
        config = {
            "kind": KIND,
            "network": asdict(self.net.config),
            "meaning": self.meaning.to_json(),
            **facts,
        }
        save_folder(folder, config, network | statistics, card, half=True)

    @staticmethod
    def load(folder: Path, device: str = "cpu") -> InverseDynamicsModel:
        """CheckpointError if the folder is incomplete, altered or no inverse-dynamics model.

        device: of the network, see `resolve_device`; the statistics of latents are small and stay
        on the CPU.
        """
        device = resolve_device(device)
        config, tensors = load_folder(folder, KIND)
        parts = {
            kind: {
                name.removeprefix(f"{kind}."): value
                for name, value in tensors.items()
                if name.startswith(f"{kind}.")
            }
            for kind in ("network", "statistics")
        }
        net = with_weights(
            InverseDynamicsNetwork(InverseDynamicsConfig.from_json(config["network"])),
            parts["network"],
            folder,
        )
        try:
            statistics = LatentStatistics(**parts["statistics"])
        except TypeError as error:
            raise CheckpointError(
                f"{folder}: tensors do not fit the config ({error}); make the inverse-dynamics "
                f"model again"
            ) from error
        return InverseDynamicsModel(
            net.to(device),
            statistics,
            from_mapping(Meaning, config["meaning"]),
            f"inverse-dynamics-{fingerprint(folder)}",
        )


def encode_frames(codec: Codec, frames: Frames) -> Tensor:
    """uint8 [N, H, W, 3] => float32 [N, C, h, w], on the CPU."""
    parts = [
        codec.encode(torch.from_numpy(np.array(frames[i : i + BATCH])))
        for i in range(0, len(frames), BATCH)
    ]
    return torch.cat(parts).cpu()


def responses(read: Actions, commanded: Actions, names: Sequence[str]) -> dict[str, Readable]:
    """How numbers that were read [N, A] follow those that were commanded [N, A]; None where these
    do not vary."""
    found = {}
    for name, mine, theirs in zip(
        names, read.T.astype(np.float64), commanded.T.astype(np.float64), strict=True
    ):
        spread = theirs.std()
        error = float(np.sqrt(np.mean((mine - theirs) ** 2)))
        if spread < 1e-6:
            found[name] = Readable(None, None, error)
            continue
        slope = float(np.mean((mine - mine.mean()) * (theirs - theirs.mean())) / spread**2)
        correlation = slope * spread / mine.std() if mine.std() > 1e-9 else 0.0
        found[name] = Readable(float(np.clip(correlation, -1.0, 1.0)), slope, error)
    return found
