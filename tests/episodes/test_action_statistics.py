"""Statistics against known answers."""

from __future__ import annotations

import numpy as np
import pytest

from worldgym.episodes.action_statistics import number_statistics


def test_known_numbers() -> None:
    found = number_statistics(np.array([[0, 5], [1, 5], [2, 5], [3, 5], [4, 5]], np.float32))
    assert found["mean"] == [2.0, 5.0] and found["std"] == pytest.approx([2**0.5, 0.0])
    assert (found["min"], found["max"], found["q50"]) == ([0.0, 5.0], [4.0, 5.0], [2.0, 5.0])
    assert found["q10"] == pytest.approx([0.4, 5.0]) and found["q99"] == pytest.approx([3.96, 5.0])


def test_one_row_has_statistics_and_none_has_not() -> None:
    assert number_statistics(np.ones((1, 1), np.float32))["std"] == [0.0]
    with pytest.raises(ValueError, match="M > 0"):
        number_statistics(np.ones((0, 2), np.float32))
