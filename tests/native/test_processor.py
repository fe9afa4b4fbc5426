"""The number format follows what the processor multiplies fast."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from worldgym.native import processor
from worldgym.native.processor import fast_dtype, mixed_precision, multiplies_bfloat16


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    multiplies_bfloat16.cache_clear()
    yield
    multiplies_bfloat16.cache_clear()


@pytest.mark.parametrize(
    ("flags", "fast"),
    [
        ("flags : fpu avx2 fma", False),
        ("flags : avx2 avx512f avx512bw avx512_vnni", False),
        ("flags : avx512f avx512_bf16", True),
        ("flags : avx512f amx_tile amx_bf16", True),
        ("Features : fp asimd i8mm bf16", True),
        ("model name : bf16", False),
    ],
)
def test_instructions(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flags: str, fast: bool
) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text(f"processor : 0\n{flags}\n")
    monkeypatch.setattr(processor, "PROCESSOR", file)
    assert multiplies_bfloat16() is fast
    assert fast_dtype("cpu") == (torch.bfloat16 if fast else torch.float32)


def test_a_system_that_does_not_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(processor, "PROCESSOR", tmp_path / "missing")
    assert not multiplies_bfloat16()


@pytest.mark.parametrize("fast", [True, False])
def test_devices(monkeypatch: pytest.MonkeyPatch, fast: bool) -> None:
    monkeypatch.setattr(processor, "multiplies_bfloat16", lambda: fast)
    assert fast_dtype("cuda:1") == torch.bfloat16 and fast_dtype("mps") == torch.float32
    with mixed_precision("cpu"):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == fast_dtype("cpu")
