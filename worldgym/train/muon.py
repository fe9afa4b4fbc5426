"""Muon for the matrices inside a network: momentum, made orthogonal before it is taken as a step
(https://kellerjordan.github.io/posts/muon/), in a number format that the device multiplies fast.

`torch.optim.Muon` always computes in bfloat16. Where a processor has no instructions for it, that
takes many times as long as the rest of a training step (dev/LOG.md, 2026-12-01)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from worldgym.native.processor import fast_dtype

NEWTON_SCHULZ = 5  # iterations that make a matrix orthogonal
COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of each; singular values end between 0.5 and 1.5
MOMENTUM = 0.95  # Nesterov's


class Muon(torch.optim.Optimizer):
    """The same steps as torch.optim.Muon with adjust_lr_fn="match_rms_adamw": as long as AdamW's
    (arXiv 2502.16982)."""

    def __init__(self, matrices: Iterable[Tensor], lr: float, weight_decay: float) -> None:
        super().__init__(matrices, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Matrices without a gradient stay as they are."""
        for group in self.param_groups:
            for matrix in group["params"]:
                if matrix.grad is not None:
                    self._move(matrix, matrix.grad, group["lr"], group["weight_decay"])

    def _move(self, matrix: Tensor, gradient: Tensor, lr: float, weight_decay: float) -> None:
        state = self.state[matrix]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(matrix)
        momentum = state["momentum_buffer"].lerp_(gradient, 1 - MOMENTUM)
        update = orthogonal(gradient.lerp(momentum, MOMENTUM), fast_dtype(matrix.device.type))
        matrix.mul_(1 - lr * weight_decay)
        matrix.add_(update, alpha=-0.2 * lr * max(matrix.shape) ** 0.5)


def orthogonal(matrix: Tensor, dtype: torch.dtype) -> Tensor:
    """[n, m] => nearly the nearest orthogonal matrix [n, m], of `dtype`: by iterations of an odd
    polynomial of fifth degree, which moves all singular values towards 1 at once."""
    a, b, c = COEFFICIENTS
    upright = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if upright else matrix).to(dtype)
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(NEWTON_SCHULZ):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if upright else x
