"""The layers of the convolutional codec that torch does not have."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ResidualBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.silu(self.conv1(F.silu(x))))


class PositionMap(nn.Module):
    """A learned picture added to the features: what stands still in front of a fixed camera."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.map = nn.Parameter(torch.zeros(width, size, size))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.map
