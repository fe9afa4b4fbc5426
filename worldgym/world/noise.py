"""Noise schedules behind one interface: how latents are noised, what the network predicts, and one
step back.

A level tells the network how noisy a frame is; 0 is (almost) clean. Two schedules, chosen
by the checkpoint:

FlowMatching  x_t = (1 - t) x + t eps,           target v = eps - x,                        level =
1000 t
SigmoidV      x_t = sqrt(a_t) x + sqrt(1 - a_t) eps, target v = sqrt(a_t) eps - sqrt(1 - a_t) x,
              level = t in 0 .. 999 (arXiv 2506.00613's released settings: sigmoid schedule, start
              -3, end 3, tau 1; DDIM steps)
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from worldgym.errors import CheckpointError


class Schedule(Protocol):
    """Levels are float tensors of any shape that broadcasts against x's leading axes [B, T]."""

    def sample_levels(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Training levels, drawn independently a frame (Diffusion Forcing)."""
        ...

    def loss_weight(self, level: Tensor) -> Tensor:
        """[B, T] => [B, T] weight of a frame's squared error of v in training."""
        ...

    def add_noise(self, x: Tensor, eps: Tensor, level: Tensor) -> Tensor: ...

    def target(self, x: Tensor, eps: Tensor, level: Tensor) -> Tensor: ...

    def grid(self, steps: int) -> Tensor:
        """[steps + 1] levels from pure noise to clean."""
        ...

    def step(self, x: Tensor, v: Tensor, level: Tensor, next_level: Tensor) -> Tensor:
        """One deterministic step from `level` to `next_level`, given the network's prediction v."""
        ...

    def shown(self, x: Tensor, level: Tensor) -> Tensor:
        """Latents of a chunk in work as the network sees them."""
        ...

    def shown_level(self, level: Tensor) -> Tensor:
        """Their levels as given to the network."""
        ...

    def context(self, x: Tensor) -> tuple[Tensor, float]:
        """A finished frame as the network sees it => (latents, level). Marked as slightly noisy; no
        noise is added."""
        ...


def _wide(level: Tensor) -> Tensor:
    """[B, T] => [B, T, 1, 1, 1]"""
    return level[..., None, None, None]


@dataclass(frozen=True)
class FlowMatching:
    """near_clean: share of frames whose level is drawn from [0, context_noise_max] instead of the
    logit-normal.

    A rollout denoises a frame behind finished ones; with all levels independent and broad, training
    would rarely see that. mean, sd: of the logit-normal, in which most frames are very noisy: what
    happens next is decided there. floor: below this level the error counts as that of the latent,
    (level / floor)^2 of v's: so little noise cannot be estimated, and its error would be half of
    the gradient.
    """

    near_clean: float = 0.5
    context_noise_max: float = 150.0
    context_level: float = 20.0
    mean: float = 0.8
    sd: float = 1.2
    floor: float = 250.0

    def sample_levels(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        broad = 1000.0 * torch.sigmoid(
            self.mean + self.sd * torch.randn(shape, generator=generator)
        )
        near = self.context_noise_max * torch.rand(shape, generator=generator)
        return torch.where(torch.rand(shape, generator=generator) < self.near_clean, near, broad)

    def loss_weight(self, level: Tensor) -> Tensor:
        return (level / self.floor).clamp(max=1.0).square()

    def add_noise(self, x: Tensor, eps: Tensor, level: Tensor) -> Tensor:
        return torch.lerp(x, eps, _wide(level / 1000.0).to(x.dtype))

    def target(self, x: Tensor, eps: Tensor, level: Tensor) -> Tensor:
        return eps - x

    def grid(self, steps: int) -> Tensor:
        return torch.linspace(1000.0, 0.0, steps + 1)

    def step(self, x: Tensor, v: Tensor, level: Tensor, next_level: Tensor) -> Tensor:
        return x + v * _wide((next_level - level) / 1000.0).to(x.dtype)

    def shown(self, x: Tensor, level: Tensor) -> Tensor:
        return x

    def shown_level(self, level: Tensor) -> Tensor:
        return level

    def context(self, x: Tensor) -> tuple[Tensor, float]:
        return x, self.context_level


@dataclass(frozen=True)
class SigmoidV:
    """1000 steps; a level of -1 means clean. context_step: finished frames are scaled as at that
    step (14 as released), those of the chunk in work too.
    """

    start: float = -3.0
    end: float = 3.0
    tau: float = 1.0
    context_step: int = 14
    count: int = 1000

    def _alpha_cumprod(self, level: Tensor) -> Tensor:
        """Cumulative product of alphas at integer levels, taken in float32 as released; 1 at level
        -1."""
        t = torch.linspace(0, self.count, self.count + 1, dtype=torch.float64) / self.count
        v_start, v_end = (torch.tensor(v / self.tau).sigmoid() for v in (self.start, self.end))
        curve = (v_end - ((t * (self.end - self.start) + self.start) / self.tau).sigmoid()) / (
            v_end - v_start
        )
        curve = curve / curve[0]
        betas = (1 - curve[1:] / curve[:-1]).clamp(0, 0.999).float()
        table = torch.cat([torch.cumprod(1 - betas, 0), torch.ones(1)]).to(level.device)
        return table[level.round().long()]  # index -1 is the last entry: clean

    def sample_levels(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        return torch.randint(0, self.count, shape, generator=generator).float()

    def loss_weight(self, level: Tensor) -> Tensor:
        return torch.ones_like(level)

    def _roots(self, level: Tensor) -> tuple[Tensor, Tensor]:
        a = _wide(self._alpha_cumprod(level))
        return a.sqrt(), (1 - a).sqrt()

    def add_noise(self, x: Tensor, eps: Tensor, level: Tensor) -> Tensor:
        root, rest = self._roots(level)
        return (root * x + rest * eps).to(x.dtype)

    def target(self, x: Tensor, eps: Tensor, level: Tensor) -> Tensor:
        root, rest = self._roots(level)
        return (root * eps - rest * x).to(x.dtype)

    def grid(self, steps: int) -> Tensor:
        return torch.linspace(-1, self.count - 1, steps + 1).round().flip(0)

    def step(self, x: Tensor, v: Tensor, level: Tensor, next_level: Tensor) -> Tensor:
        """DDIM without added noise; a frame whose level does not change stays as it is."""
        root, rest = self._roots(level)
        clean = root * x - rest * v
        eps = rest * x + root * v
        next_root, next_rest = self._roots(next_level)
        return torch.where(
            _wide(level == next_level), x, (next_root * clean + next_rest * eps).to(x.dtype)
        )

    def shown(self, x: Tensor, level: Tensor) -> Tensor:
        return torch.where(_wide(level < 0), self.context(x)[0], x)

    def shown_level(self, level: Tensor) -> Tensor:
        return level.masked_fill(level < 0, float(self.context_step))

    def context(self, x: Tensor) -> tuple[Tensor, float]:
        level = torch.tensor(float(self.context_step))
        return (self._alpha_cumprod(level).to(x.device).sqrt() * x).to(x.dtype), float(
            self.context_step
        )


def make_schedule(kind: str, **settings: Any) -> FlowMatching | SigmoidV:
    """ "flow" or "sigmoid_v", as named in a checkpoint's config."""
    if kind == "flow":
        return FlowMatching(**settings)
    if kind == "sigmoid_v":
        return SigmoidV(**settings)
    raise CheckpointError(f'no schedule "{kind}": a checkpoint names "flow" or "sigmoid_v"')


def frame_noise(seed: int, frame: int, shape: tuple[int, int, int]) -> Tensor:
    """Standard normal [C, h, w] of frame number `frame` of the trial with this seed, the same on
    every device."""
    digest = hashlib.sha256(f"{seed}/{frame}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
    return torch.randn(shape, generator=generator)


def frames_noise(
    seeds: Sequence[int], frame: int, count: int, shape: tuple[int, int, int]
) -> Tensor:
    """Standard normal [B, count, C, h, w]: of `count` frames from number `frame` on, one row per
    seed."""
    return torch.stack(
        [torch.stack([frame_noise(seed, frame + i, shape) for i in range(count)]) for seed in seeds]
    )
