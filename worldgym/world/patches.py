"""Latents as tokens, one per patch, and back."""

from __future__ import annotations

from torch import Tensor


def patchify(x: Tensor, patch: int) -> Tensor:
    """[B, T, C, h, w] => [B, T, N, patch * patch * C], numbers in the order (p1, p2, c)."""
    b, t, c, h, w = x.shape
    rows = h // patch
    columns = w // patch
    p = patch
    return (
        x.view(b, t, c, rows, p, columns, p)
        .permute(0, 1, 3, 5, 4, 6, 2)
        .reshape(b, t, rows * columns, p * p * c)
    )


def unpatchify(tokens: Tensor, latent_shape: tuple[int, int, int], patch: int) -> Tensor:
    """The inverse of `patchify`: [B, T, N, patch * patch * C] => [B, T, C, h, w]."""
    b, t = tokens.shape[:2]
    (c, h, w), p = latent_shape, patch
    return (
        tokens.view(b, t, h // p, w // p, p, p, c)
        .permute(0, 1, 6, 2, 4, 3, 5)
        .reshape(b, t, c, h, w)
    )
