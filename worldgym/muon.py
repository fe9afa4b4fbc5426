"""Muon, whose matrix products the processes of a run share: each makes some matrices orthogonal and sends them to the others.

Else every process does all of them, in a fifth of a training step of the bundled world: see docs/performance.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from worldgym.ranks import Ranks

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # of https://kellerjordan.github.io/posts/muon/
ITERATIONS = 5


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, made orthogonal, as long as AdamW's steps (arXiv 2502.16982): `torch.optim.Muon` to the bit, whose
    state it takes and gives.

    Every process must hold the same gradients and take every step. matrices: [rows, columns] each.
    """

    def __init__(self, matrices: Iterable[Tensor], lr: float, weight_decay: float, ranks: Ranks, momentum: float = 0.95) -> None:
        super().__init__(matrices, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})
        self._ranks = ranks
        self._deal = Deal.of([p.shape for group in self.param_groups for p in group["params"]], ranks.count)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        parameters = [(group, p) for group in self.param_groups for p in group["params"]]
        dealt = zip(parameters, self._deal.owners, self._deal.places, strict=True)
        moving = [(group, p, owner, place) for (group, p), owner, place in dealt if p.grad is not None]
        mine = torch.empty(self._deal.length, dtype=torch.bfloat16, device=parameters[0][1].device)  # its end is never read
        for group, p, owner, place in moving:
            held = self._momentum(p).lerp_(p.grad, 1 - group["momentum"])
            if owner == self._ranks.rank:
                mine[place] = orthogonal(p.grad.lerp(held, group["momentum"])).flatten()
        updates = self._ranks.gather(mine)
        for group, p, owner, place in moving:
            p.mul_(1 - group["lr"] * group["weight_decay"])
            p.add_(updates[owner, place].view_as(p), alpha=-group["lr"] * 0.2 * max(p.shape) ** 0.5)

    def _momentum(self, parameter: Tensor) -> Tensor:
        state: dict[str, Any] = self.state[parameter]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        momentum: Tensor = state["momentum_buffer"]
        return momentum


@dataclass(frozen=True)
class Deal:
    """Which process orthogonalises which matrix, and where in its numbers the matrix lies. length: of the longest share."""

    owners: list[int]
    places: list[slice]
    length: int

    @staticmethod
    def of(shapes: Sequence[torch.Size], count: int) -> Deal:
        """The dearest matrix first, each to the process with the least to do so far."""
        load, filled = [0] * count, [0] * count
        owners, places = [0] * len(shapes), [slice(0)] * len(shapes)
        for index in sorted(range(len(shapes)), key=lambda i: -work(shapes[i])):
            owner = load.index(min(load))
            owners[index], places[index] = owner, slice(filled[owner], filled[owner] + shapes[index].numel())
            load[owner] += work(shapes[index])
            filled[owner] += shapes[index].numel()
        return Deal(owners, places, max(filled))


def work(shape: torch.Size) -> int:
    """Multiplications of one iteration on a matrix."""
    small, large = sorted(shape)
    return 2 * small**2 * large + small**3


def orthogonal(matrix: Tensor) -> Tensor:
    """[n, m] => bfloat16 [n, m] of singular values near 1, by Newton-Schulz iterations."""
    a, b, c = NEWTON_SCHULZ
    x = matrix.bfloat16()
    if tall := matrix.shape[0] > matrix.shape[1]:
        x = x.T
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x
