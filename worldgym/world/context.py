"""The finished frames of a window, which come before the frame to draw."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Context:
    """Finished frames of a window: latents [B, L, C, h, w], the actions that led to them [B, L, A],
    and the latents [B, C, h, w] of the frame that the rollout started from.
    """

    latents: Tensor
    actions: Tensor
    start: Tensor

    @property
    def length(self) -> int:
        return self.latents.shape[1]

    def first(self, count: int) -> Context:
        return Context(self.latents[:, :count], self.actions[:, :count], self.start)

    def after(self, count: int) -> Context:
        return Context(self.latents[:, count:], self.actions[:, count:], self.start)

    def append(self, latents: Tensor, actions: Tensor) -> Context:
        return Context(
            torch.cat([self.latents, latents], 1), torch.cat([self.actions, actions], 1), self.start
        )

    def last(self, count: int) -> Context:
        return self.after(max(self.length - count, 0))

    def filled(self, rows: int) -> Context:
        return Context(
            *(fill_rows(part, rows) for part in (self.latents, self.actions, self.start))
        )


def fill_rows(x: Tensor, rows: int) -> Tensor:
    """x [B, ...] => [rows, ...], the new ones zero; itself where there are as many."""
    return x if len(x) == rows else torch.cat([x, x.new_zeros(rows - len(x), *x.shape[1:])])
