"""What reaches the passes of training is checked where Python meets C; by a library that does
nothing, on any processor."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from worldgym.native import gradients
from worldgym.native.gradients import Attend, GatedNorm, Linear, Mlp, Norm, apply

WIDTH, HIDDEN, FRAMES, TOKENS, HEADS = 64, 128, 2, 6, 2


class Nothing:
    """Takes whatever it is given."""

    def chunk_rows(self) -> int:
        return 32

    def __getattr__(self, name: str) -> Callable[..., None]:
        def ignores(*arguments: object) -> None:
            assert len(arguments) == len(gradients.FUNCTIONS[name][0])
            assert not any(isinstance(argument, torch.Tensor) for argument in arguments)

        return ignores


@pytest.fixture(autouse=True)
def nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradients, "gradients", Nothing)


def half(*shape: int) -> torch.Tensor:
    return torch.zeros(shape, dtype=torch.bfloat16, requires_grad=True)


ROWS = FRAMES * TOKENS
STEPS: dict[str, tuple[Any, ...]] = {
    "linear": (Linear, half(ROWS, WIDTH), half(HIDDEN, WIDTH), half(HIDDEN)),
    "mlp": (
        Mlp,
        half(ROWS, WIDTH),
        half(HIDDEN, WIDTH),
        half(HIDDEN),
        half(WIDTH, HIDDEN),
        half(WIDTH),
    ),
    "norm": (Norm, half(FRAMES, TOKENS, WIDTH), half(FRAMES, WIDTH), half(FRAMES, WIDTH)),
    "gated": (
        GatedNorm,
        half(FRAMES, TOKENS, WIDTH),
        half(FRAMES, TOKENS, WIDTH),
        *(half(FRAMES, WIDTH) for _ in range(3)),
    ),
    "space": (Attend, half(ROWS, 3, HEADS, WIDTH // HEADS), None, TOKENS, 1),
    "time": (
        Attend,
        half(ROWS, 3, HEADS, WIDTH // HEADS),
        half(HEADS, FRAMES, FRAMES),
        FRAMES,
        TOKENS,
    ),
}


@pytest.mark.parametrize("step", list(STEPS))
def test_right_calls_pass(step: str) -> None:
    out = apply(*STEPS[step])
    sum(part.float().sum() for part in (out if isinstance(out, tuple) else (out,))).backward()


# its first product is torch's own
@pytest.mark.parametrize("step", [name for name in STEPS if name != "linear"])
def test_another_dtype_is_refused(step: str) -> None:
    function, first, *rest = STEPS[step]
    with pytest.raises((ValueError, RuntimeError), match=r"bfloat16|dtype"):
        apply(function, first.detach().float(), *rest)


def test_rows_in_pieces_are_refused() -> None:
    h, by = half(FRAMES, TOKENS, WIDTH), half(FRAMES, WIDTH)
    with pytest.raises(ValueError, match="in strides of"):
        apply(Norm, h, half(FRAMES, 2 * WIDTH)[:, ::2], by)


def test_addresses_are_taken_in_one_place(repository: Path) -> None:
    """Else something could reach C unchecked."""
    found = {
        path.name
        for path in (repository / "worldgym").rglob("*.py")
        if re.search(r"\bdata_ptr\b", path.read_text())
    }
    assert found == {"kernels.py"}
