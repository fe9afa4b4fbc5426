"""What simulated studies of the slow tests measure: checked, and kept for the table of
docs/statistics.md."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from worldgym.stats.success_rates import Interval

LEAST = 0.94
MOST = 0.97

Check = Callable[..., None]


@pytest.fixture
def measured(record_property: Callable[[str, object], None]) -> Check:
    """measured(share, least, most, name): within the bounds, and written to the file of `pytest
    --junitxml FILE`."""

    def check(share: float, least: float = 0.0, most: float = 1.0, name: str = "share") -> None:
        record_property(name, round(float(share), 4))
        assert least <= share <= most

    return check


@pytest.fixture
def covered(measured: Check) -> Check:
    """covered(intervals, truth, most, name, least): the share of intervals that hold the truth."""

    def check(
        intervals: Sequence[Interval],
        truth: float,
        most: float = MOST,
        name: str = "share",
        least: float = LEAST,
    ) -> None:
        measured(np.mean([low <= truth <= high for low, high in intervals]), least, most, name)

    return check
