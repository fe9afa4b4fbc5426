from __future__ import annotations

import math

from worldgym.stats.confusion import Confusion


def test_every_outcome_has_its_count() -> None:
    outcomes = [(truth, judged) for truth in (True, False) for judged in (True, False, None)]
    counts = Confusion.of([*outcomes, (True, True), (False, None)])
    assert counts == Confusion(2, 1, 1, 1, unscored_success=1, unscored_failure=2)
    assert (counts.successes, counts.failures, counts.unscored) == (3, 2, 3)


def test_shares_leave_the_unscored_out() -> None:
    counts = Confusion(
        true_success=1, false_failure=1, true_failure=3, false_success=1, unscored_success=9
    )
    assert counts.agreement == 4 / 6
    assert counts.balanced == (1 / 2 + 3 / 4) / 2
    assert Confusion(true_failure=3, false_success=1).balanced == 0.75


def test_nothing_known() -> None:
    assert math.isnan(Confusion().agreement) and math.isnan(Confusion().balanced)
