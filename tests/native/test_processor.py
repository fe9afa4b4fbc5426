"""The number format follows what the processor multiplies fast."""

from __future__ import annotations

import pytest
import torch

from worldgym.native import processor
from worldgym.native.processor import fast_dtype, has_wide_vectors, mixed_precision


@pytest.mark.parametrize(
    ("machine", "capability", "wide"),
    [("x86_64", "AVX2", False), ("x86_64", "DEFAULT", False), ("x86_64", "AVX512", True)],
)
def test_wide_vectors(
    monkeypatch: pytest.MonkeyPatch, machine: str, capability: str, wide: bool
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    has_wide_vectors.cache_clear()
    try:
        assert has_wide_vectors() is wide
        assert fast_dtype("cpu") == (torch.bfloat16 if wide else torch.float32)
    finally:
        has_wide_vectors.cache_clear()


@pytest.mark.parametrize("wide", [True, False])
def test_devices(monkeypatch: pytest.MonkeyPatch, wide: bool) -> None:
    monkeypatch.setattr(processor, "has_wide_vectors", lambda: wide)
    assert fast_dtype("cuda:1") == torch.bfloat16 and fast_dtype("mps") == torch.float32
    with mixed_precision("cpu"):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == fast_dtype("cpu")
