"""Latents of several views as the network has them: below each other, so that all tokens of a frame
lie in one row, the main view's first.

Axes legend: V views, C channels, h and w height and width of one view's latents.
"""

from __future__ import annotations

from torch import Tensor


def stacked(latents: Tensor) -> Tensor:
    """[..., V, C, h, w] => [..., C, V * h, w]."""
    return latents.transpose(-4, -3).flatten(-3, -2)


def apart(latents: Tensor, views: int) -> Tensor:
    """[..., C, V * h, w] => [..., V, C, h, w]: the inverse of `stacked`."""
    return latents.unflatten(-2, (views, -1)).transpose(-4, -3)
