"""The compiled passes are tested on every processor that has a C compiler, fast there or not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from worldgym.native import kernels
from worldgym.native.library import CHOICE, library


@pytest.fixture(autouse=True)
def _on_any_processor(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(CHOICE, "1")
    for kept in (library, kernels._kernels):
        kept.cache_clear()
    yield
    monkeypatch.undo()
    for kept in (library, kernels._kernels):
        kept.cache_clear()
