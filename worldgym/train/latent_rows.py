"""Reading batches of latents while training: from the files where they lie, or from a GPU's memory
where they fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

RESIDENT_SHARE = 0.25  # of a GPU's free memory: fewer latents than that are kept there


class LatentRows(Protocol):
    """Frames of all stores, one behind the other."""

    def take(self, rows: npt.NDArray[np.int64]) -> Tensor:
        """rows: any shape => float16 [*rows.shape, C, h, w] on the device."""
        ...


class StreamedRows:
    """Memory-mapped files: only a batch's rows are read, and the operating system decides what
    stays in memory."""

    def __init__(self, parts: Sequence[npt.NDArray[np.float16]], device: str) -> None:
        self._parts = parts
        self._device = device
        self._begins = np.cumsum([0, *map(len, parts)])

    def take(self, rows: npt.NDArray[np.int64]) -> Tensor:
        found = np.empty((*rows.shape, *self._parts[0].shape[1:]), np.float16)
        owners = np.searchsorted(self._begins, rows, side="right") - 1
        for index, part in enumerate(self._parts):
            own = owners == index
            found[own] = part[rows[own] - self._begins[index]]
        return torch.from_numpy(found).to(self._device)


class ResidentRows:
    """One tensor on the device."""

    def __init__(self, parts: Sequence[npt.NDArray[np.float16]], device: str) -> None:
        self._latents = torch.cat([torch.tensor(part) for part in parts]).to(device)

    def take(self, rows: npt.NDArray[np.int64]) -> Tensor:
        return self._latents[torch.from_numpy(rows).to(self._latents.device)]


def latent_rows(parts: Sequence[npt.NDArray[np.float16]], device: str) -> LatentRows:
    """parts: float16 [frames, C, h, w], of each store."""
    if torch.device(device).type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        if sum(part.nbytes for part in parts) < RESIDENT_SHARE * free:
            return ResidentRows(parts, device)
    return StreamedRows(parts, device)
