"""Predicted drops against true ones: correlation, signs, bias, and small changes as small ones."""

from __future__ import annotations

import numpy as np
import pytest

from worldgym.stats.drop_agreement import DropAgreement, drop_agreement


def test_figures_by_hand() -> None:
    drops = [(0.3, 0.2), (0.0, 0.1), (-0.1, 0.0), (0.5, 0.6)]
    assert drop_agreement(drops) == DropAgreement(
        n=4,
        pearson=pytest.approx(np.corrcoef([0.3, 0.0, -0.1, 0.5], [0.2, 0.1, 0.0, 0.6])[0, 1]),
        large=3,
        same_sign=2,
        mean_abs_gap=pytest.approx(10.0),
        bias=pytest.approx(-5.0),
        small=1,
        small_too=0,
    )


def test_small_changes_are_small_either_way() -> None:
    found = drop_agreement([(-0.09, 0.09), (0.1, -0.09), (0.05, 0.1 - 1e-12)])
    assert found is not None and (found.small, found.small_too, found.large) == (2, 1, 1)


def test_without_cells_or_spread() -> None:
    assert drop_agreement([]) is None
    alike = drop_agreement([(0.3, 0.2)])
    assert alike is not None and alike.pearson is None and alike.bias == pytest.approx(10)
