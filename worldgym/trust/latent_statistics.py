"""Statistics of recorded latents, and how far other latents are from them.

Drift              principal components of recorded latents. Hotelling's T2 is the distance from
                   their mean within the components, Q the distance from them: J. E. Jackson and G.
                   S. Mudholkar (1979), Technometrics 21, 341-349.
Neighbours         recorded latents themselves, in component space: how far the nearest one is.

Latents, not pixels: a world draws latents, so the codec's blur is the same on recorded and on
generated frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

PLACES = 12  # a side; larger latents are averaged down to it before their drift is measured
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Drift:
    """Of latents [N, C, h, w], float32 [N] each, 1 = the mean of recordings that were held out."""

    distance: Floats
    residual: Floats
    nearest: Floats


@dataclass(frozen=True)
class LatentStatistics:
    """mean [F], components [k, F] with the standard deviation [k] of recordings along each,
    neighbours [M, k] in their units.

    scale [3]: means of T2, Q and the distance to the nearest neighbour over recordings that were
    held out."""

    mean: Tensor
    components: Tensor
    deviation: Tensor
    neighbours: Tensor
    scale: Tensor

    def drift(self, latents: Tensor) -> Drift:
        """latents: float [N, C, h, w], on any device."""
        distance, residual, nearest = (self._raw(latents.cpu()) / self.scale[:, None]).numpy()
        return Drift(distance, residual, nearest)

    def place(self, latents: Tensor) -> Tensor:
        """latents [N, C, h, w] => [N, k], along the components, in recorded standard
        deviations."""
        return (places(latents) - self.mean) @ self.components.T / self.deviation

    def _raw(self, latents: Tensor) -> Tensor:
        """[3, N]: T2 a component, Q a number, distance to the nearest neighbour; unscaled."""
        centred = places(latents) - self.mean
        place = self.place(latents)
        outside = (centred - place * self.deviation @ self.components).square().mean(1)
        return torch.stack(
            [place.square().mean(1), outside, torch.cdist(place, self.neighbours).amin(1)]
        )

    @staticmethod
    def of(latents: Tensor, held_out: Tensor, components: int) -> LatentStatistics:
        """latents [N, C, h, w] give components and neighbours; `held_out` [M, C, h, w], of other
        episodes, the scale."""
        flat = places(latents)
        mean = flat.mean(0)
        k = min(components, len(flat) - 1, flat.shape[1])
        _, values, vectors = torch.linalg.svd(flat - mean, full_matrices=False)
        deviation = (values[:k] / max(len(flat) - 1, 1) ** 0.5).clamp(min=1e-6)
        place = (flat - mean) @ vectors[:k].T / deviation
        raw = LatentStatistics(mean, vectors[:k], deviation, place, torch.ones(3))
        return LatentStatistics(
            mean, vectors[:k], deviation, place, raw._raw(held_out).mean(1).clamp(min=1e-6)
        )


def places(latents: Tensor) -> Tensor:
    """[N, C, h, w] => float32 [N, F], averaged down to at most 12 x 12 places."""
    h, w = latents.shape[-2:]
    return F.adaptive_avg_pool2d(latents.float(), (min(h, PLACES), min(w, PLACES))).flatten(1)
