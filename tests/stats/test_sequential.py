from __future__ import annotations

import numpy as np
import pytest

from worldgym.stats.sequential import by_frame, sequential_test


def test_a_clear_difference_is_shown_early_and_stays_shown() -> None:
    result = sequential_test(np.array([1.0] * 12 + [-1.0] * 20))
    assert result.decided == 8
    assert result.p <= 0.05 and result.n == 32


def test_no_difference_is_no_evidence() -> None:
    result = sequential_test(np.tile([1.0, -1.0], 30))
    assert result.decided is None and result.evidence < 1
    assert result.low < 0 < result.high


def test_nothing_seen_yet() -> None:
    result = sequential_test(np.array([]))
    assert (result.evidence, result.p, result.decided, result.low, result.high, result.n) == (1.0, 1.0, None, -1.0, 1.0, 0)


def test_the_interval_excludes_zero_as_the_evidence_reaches_its_mark() -> None:
    d = np.ones(20)
    for n in range(1, 21):
        result = sequential_test(d[:n])
        assert (result.low > 0) == (result.evidence >= 20)


def test_repeats_become_one_difference_a_frame_in_the_order_of_frames() -> None:
    assert by_frame(np.array([1.0, 0.0, -1.0, 0.0]), ["b", "a", "b", "c"]).tolist() == [0.0, 0.0, 0.0]
    assert by_frame(np.array([1.0, -1.0, 0.0]), ["z", "a", "z"]).tolist() == [0.5, -1.0]
    assert by_frame(np.array([]), []).tolist() == []


@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_smaller_errors_take_more_pairs(alpha: float) -> None:
    decided = sequential_test(np.ones(30), alpha).decided
    assert decided == (8 if alpha == 0.05 else 11)
