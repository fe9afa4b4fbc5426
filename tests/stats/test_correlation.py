from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from worldgym.stats import correlation
from worldgym.stats.correlation import centred, kendall, pearson, spearman

values = st.integers(0, 10).map(lambda k: k / 10)
points = st.integers(3, 12).flatmap(
    lambda n: st.tuples(
        *(st.lists(values, min_size=n, max_size=n) for _ in "xy"),
        st.lists(st.integers(0, 3), min_size=n, max_size=n),
    )
)
MEASURES = [
    (pearson, scipy.stats.pearsonr),
    (spearman, scipy.stats.spearmanr),
    (kendall, scipy.stats.kendalltau),
]


@settings(max_examples=60)
@given(points)
def test_a_weight_counts_a_point_so_many_times(
    drawn: tuple[list[float], list[float], list[int]],
) -> None:
    """The slow twin: repeat the points and ask scipy."""
    x, y = (np.array(column) for column in drawn[:2])
    counts = np.array(drawn[2])
    long_x, long_y = np.repeat(x, counts), np.repeat(y, counts)
    for ours, known in MEASURES:
        r = ours(x, y, counts[None].astype(float))
        if np.count_nonzero(counts) < 3 or np.ptp(long_x) == 0 or np.ptp(long_y) == 0:
            assert np.isnan(r[0])
        else:
            assert r[0] == pytest.approx(known(long_x, long_y).statistic, abs=1e-9)


def test_many_weightings_equal_one_at_a_time() -> None:
    rng = np.random.default_rng(0)
    x, y, weights = rng.random(20), rng.random(20), rng.integers(0, 3, (7, 20)).astype(float)
    for measure, _ in MEASURES:
        assert measure(x, y, weights) == pytest.approx([measure(x, y, row) for row in weights])


def test_pairs_in_blocks_are_all_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 5, (2, 20)) / 5
    weights = rng.integers(0, 3, (4, 20)).astype(float)
    whole = kendall(x, y, weights)
    for rows in (1, 7, 20):
        monkeypatch.setattr(correlation, "ROWS", rows)
        assert kendall(x, y, weights) == pytest.approx(whole)


def test_nothing_has_no_correlation() -> None:
    for measure, _ in MEASURES:
        assert np.isnan(measure(np.zeros(0), np.zeros(0), np.zeros((2, 0)))).all()


def test_centring_removes_weighted_group_means() -> None:
    x, groups = np.array([1.0, 3.0, 10.0, 20.0]), np.array([0, 0, 1, 1])
    weights: npt.NDArray[np.float64] = np.array([[1.0, 1.0, 1.0, 1.0], [3.0, 1.0, 0.0, 0.0]])
    assert centred(x, weights, groups).tolist() == [[-1, 1, -5, 5], [-0.5, 1.5, 10, 20]]
