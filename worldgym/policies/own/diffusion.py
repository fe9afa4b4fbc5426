"""A small transformer that draws chunks of actions from noise: the other architecture beside
behaviour cloning by regression.

The trunk reads the frame into points once a look (image_trunk.py): each is a token, and so is each
action of the chunk. Actions start as noise, attend to each other and to the points, and are moved
towards what the network takes for the clean chunk, step by step. Flow matching on straight paths,
x_t = (1 - t) noise + t clean (Y. Lipman et al. (2022), arXiv 2210.02747), with the network
answering the clean chunk: velocity = (clean - x_t) / (1 - t), so the last Euler step returns its
answer. Action diffusion for robots: C. Chi et al. (2023), "Diffusion Policy", arXiv 2303.04137.

Axes: B frames, D draws of noise per frame, h actions of a chunk, A action numbers, N points of a
frame, W width."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from worldgym.io.checkpoint import load_folder
from worldgym.io.network_weights import with_weights
from worldgym.io.records import from_mapping
from worldgym.policies.image_trunk import Trunk, TrunkConfig
from worldgym.policies.own.action_bounds import from_unit
from worldgym.policies.own.network_policy import ActionNet, NetworkPolicy, network_inputs
from worldgym.policies.policy_protocol import Observation
from worldgym.types import Actions, ActionSpec, Trial

KIND = "diffusion"
TIME_FEATURES = 32
# of noise and time for each frame of a training batch: the frame, which costs most, is read once
DRAWS = 2


@dataclass(frozen=True)
class DiffusionConfig:
    """size: (H, W) of the frames, multiples of 8.   actions: numbers per action, A.   chunk:
    actions drawn at once, h.

    execute: actions of a chunk that are carried out before the policy observes again; 0 =
    all.   steps: Euler steps per chunk. temperature: scale of the noise that a chunk starts from.
    1, as trained, draws from all that the network holds possible,
        which after a short training is much; towards 0 it acts on the middle of that.
    width, layers, heads: of the transformer.   cameras: names of the views that it sees; () = the
    main one.
    """

    size: tuple[int, int] = (96, 96)
    actions: int = 4
    chunk: int = 8
    execute: int = 0
    width: int = 128
    layers: int = 3
    heads: int = 4
    steps: int = 4
    temperature: float = 0.3
    trunk: TrunkConfig = field(default_factory=TrunkConfig)
    cameras: tuple[str, ...] = ()

    @property
    def executed(self) -> int:
        return min(self.execute, self.chunk) if self.execute else self.chunk


class ActionAttention(nn.Module):
    """queries [B, Q, W] read from tokens [B, K, W] => [B, Q, W].

    Written out: the gradient of torch's fused attention took half of a training step on a CPU in
    bfloat16."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(width, width, bias=False)
        self.kv = nn.Linear(width, 2 * width, bias=False)
        self.out = nn.Linear(width, width)

    def forward(self, queries: Tensor, tokens: Tensor) -> Tensor:
        q, k, v = (
            x.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for x in (self.q(queries), *self.kv(tokens).chunk(2, dim=-1))
        )
        attention = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).softmax(dim=-1).to(v.dtype)
        return torch.as_tensor(self.out((attention @ v).transpose(1, 2).flatten(2)))


class Layer(nn.Module):
    """Actions [B, D, h, W] among themselves, then to the frame's tokens [B, N, W], then each
    alone."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.among = ActionAttention(width, heads)
        self.frame = ActionAttention(width, heads)
        self.alone = nn.Sequential(
            nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width)
        )

    def forward(self, x: Tensor, tokens: Tensor) -> Tensor:
        draws, h = x.shape[1:3]
        own = self.norms[0](x).flatten(0, 1)
        x = x + self.among(own, own).unflatten(0, (-1, draws))
        x = x + self.frame(self.norms[1](x).flatten(1, 2), tokens).unflatten(1, (draws, h))
        return torch.as_tensor(x + self.alone(self.norms[2](x)))


class DiffusionNet(ActionNet):
    """`look` reads frames, `forward` answers noisy chunks, `draw` makes chunks from noise."""

    config: DiffusionConfig

    def __init__(self, config: DiffusionConfig) -> None:
        super().__init__()
        self.config = config
        trunk = config.trunk
        width = config.width
        self.trunk = Trunk(trunk)
        self.point = nn.Linear(2 + trunk.values, width)
        self.which = nn.Parameter(0.5 * torch.randn(trunk.points, width))
        self.language = nn.Linear(trunk.language, width)
        self.enter = nn.Linear(config.actions, width)
        self.order = nn.Parameter(0.5 * torch.randn(config.chunk, width))
        self.time = nn.Sequential(
            nn.Linear(TIME_FEATURES, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.layers = nn.ModuleList(Layer(width, config.heads) for _ in range(config.layers))
        self.leave = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, config.actions))

    def look(self, frames: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 [B, H, W, 3], features [B, buckets] => tokens [B, N, W], the instruction [B, W]."""
        points, words = self.trunk.look(frames, features)
        return self.point(points) + self.which, self.language(words)

    def forward(self, tokens: Tensor, words: Tensor, noisy: Tensor, time: Tensor) -> Tensor:
        """What `look` gave, noisy [B, D, h, A], time [B, D] in [0, 1) => clean chunks [B, D, h,
        A]."""
        about = words[:, None] + self.time(time_features(time))
        x = self.enter(noisy) + self.order + about[:, :, None]
        for layer in self.layers:
            x = layer(x, tokens)
        return torch.as_tensor(self.leave(x)).float()

    def draw(self, frames: Tensor, features: Tensor, noise: Tensor) -> Tensor:
        """noise [B, h, A] => chunks [B, h, A] in [-1, 1]. Row b depends on row b alone."""
        tokens, words = self.look(frames, features)
        x = noise[:, None]
        steps = self.config.steps
        for k in range(steps):
            clean = self(
                tokens, words, x, torch.full(x.shape[:2], k / steps, device=x.device)
            ).clamp(-1.0, 1.0)
            x = x + (clean - x) / (steps - k)
        chunks: Tensor = x[:, 0]
        return chunks

    def loss(
        self,
        frames: Tensor,
        features: Tensor,
        wanted: Tensor,
        mask: Tensor,
        rng: np.random.Generator,
    ) -> Tensor:
        """Squared error of the answered chunk at random times, where the mask [B, h] has labels [B,
        h, A].

        Where it has none the network is shown pure noise. Times are u^4, u uniform: near t = 1 the
        answer lies in x_t already."""
        shape = (len(wanted), DRAWS, *wanted.shape[1:])
        noise = torch.from_numpy(rng.standard_normal(shape, np.float32)).to(wanted.device)
        time = torch.from_numpy(rng.random(shape[:2], np.float32) ** 4).to(wanted.device)
        t = time[..., None, None] * mask[:, None, :, None]
        answer = self(*self.look(frames, features), (1.0 - t) * noise + t * wanted[:, None], time)
        error: Tensor = ((answer - wanted[:, None]) ** 2).mean(dim=(1, 3))
        return (error * mask).sum() / mask.sum()


def time_features(time: Tensor) -> Tensor:
    """[...] in [0, 1] => [..., TIME_FEATURES]: cosines and sines at geometric frequencies from 1/2
    to 32 turns."""
    frequencies = math.pi * torch.logspace(0, 6, TIME_FEATURES // 2, base=2.0, device=time.device)
    angles = time[..., None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


class DiffusionPolicy(NetworkPolicy[DiffusionNet]):
    """A trained network behind the policy seam. State: the trial's seed; the noise of a look comes
    from it and from the step."""

    kind = KIND

    def reset(self, trials: Sequence[Trial]) -> list[int]:
        return [trial.seed for trial in trials]

    @torch.no_grad()
    def act(
        self, states: Sequence[int], observations: Sequence[Observation]
    ) -> tuple[list[int], Actions]:
        """=> (states, float32 [B, h, A]). InputError if a frame is not of the size trained on."""
        config = self.net.config
        frames, features = network_inputs(self.name, observations, config)
        noise = config.temperature * np.stack(
            [
                np.random.default_rng([seed, seen.step]).standard_normal(
                    (config.chunk, config.actions), np.float32
                )
                for seed, seen in zip(states, observations, strict=True)
            ]
        )
        device = self.net.which.device
        unit = self.net.draw(
            frames.to(device), features.to(device), torch.from_numpy(noise).to(device)
        )
        return list(states), from_unit(unit[:, : config.executed].cpu().numpy(), self.spec)

    @staticmethod
    def load(folder: Path, device: str = "cpu") -> DiffusionPolicy:
        """CheckpointError if the folder is incomplete, altered or not a diffusion policy."""
        config, tensors = load_folder(folder, KIND)
        net = DiffusionNet(from_mapping(DiffusionConfig, config["net"]))
        net = with_weights(net, tensors, folder)
        spec = from_mapping(ActionSpec, config["spec"])
        return DiffusionPolicy(net.to(device), spec, config["name"])
