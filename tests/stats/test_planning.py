from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worldgym.errors import InputError
from worldgym.stats.comparison import mcnemar_p
from worldgym.stats.planning import (
    Plan,
    TwoRates,
    mcnemar_power,
    pairs_to_tell,
    plan,
    real_trials_with_imagined,
    repeats_factor,
    trials_for_width,
    trials_to_tell,
)
from worldgym.stats.rates import wilson_interval


@settings(max_examples=25)
@given(st.floats(0.02, 0.9), st.floats(0, 1))
def test_the_number_for_a_width_is_enough_and_one_less_is_not(width: float, rate: float) -> None:
    n = trials_for_width(width, rate)
    widths = [high - low for low, high in (wilson_interval(rate * m, m) for m in (n, max(1, n - 1)))]
    assert widths[0] <= width and (n == 1 or widths[1] > width)


def test_known_numbers() -> None:
    assert trials_for_width(0.2) == 93  # (1.96 / 0.2)^2 = 96 less the 3.84 that Wilson's interval gains
    assert trials_to_tell(TwoRates(0.6, 0.75)) == 152  # Fleiss (1981), table A.3 has 165 with his correction


def test_the_exact_power_is_that_of_simulated_tests() -> None:
    rates, rng = TwoRates(0.7, 0.5, 0.2), np.random.default_rng(0)
    p = [rates.only_a, rates.only_b, 1 - rates.only_a - rates.only_b]
    called = np.mean([mcnemar_p(int(gain), int(loss)) <= 0.05 for gain, loss, _ in rng.multinomial(60, p, 4000)])
    assert mcnemar_power(rates, 60) == pytest.approx(called, abs=0.025)


def test_pairs_that_resemble_each_other_need_fewer() -> None:
    apart, alike = pairs_to_tell(TwoRates(0.6, 0.75)), pairs_to_tell(TwoRates(0.6, 0.75, 0.5))
    assert alike < 0.7 * apart
    assert mcnemar_power(TwoRates(0.6, 0.75), apart) >= 0.8
    assert mcnemar_power(TwoRates(0.5, 0.5), 100) <= 0.05  # the size of the test
    assert mcnemar_power(TwoRates(0.5, 0.5, 1.0), 100) == 0


def test_imagined_trials_save_real_ones_as_far_as_they_correlate() -> None:
    assert real_trials_with_imagined(100, 0.0, 1000) == 100 == real_trials_with_imagined(100, 0.9, 0)
    some, more = real_trials_with_imagined(100, 0.5, 1000), real_trials_with_imagined(100, 0.8, 1000)
    assert 100 > some > more > 36  # 36 = 100 (1 - 0.8^2) with unlimited imagined ones
    assert real_trials_with_imagined(100, 0.8, 10**6) == 37


def test_repeats_cost_what_they_correlate() -> None:
    assert repeats_factor(5, 0.0) == 1 == repeats_factor(1, 0.9)
    assert repeats_factor(5, 1.0) == 5


def test_a_plan_answers_what_was_asked() -> None:
    assert plan(Plan(width=0.2)) == {"for_width": 93}
    assert plan(Plan(width=0.2, repeats=2, repeat_correlation=0.5)) == {"for_width": 140}
    assert plan(Plan(width=0.2, imagined=500, real_correlation=0.7)) == {"for_width": 93, "for_width_with_imagined": 52}
    assert set(plan(Plan(a=0.6, b=0.75))) == {"pairs_to_tell", "trials_to_tell"}


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (Plan(), "nothing to plan"),
        (Plan(width=0.2, a=0.5), "nothing to plan"),
        (Plan(width=2), "width must lie"),
        (Plan(width=0.0001), "more than 1000000"),
        (Plan(a=0.5, b=0.5), "two different rates"),
        (Plan(a=0.0, b=0.5), "between 0 and 1"),
        (Plan(a=0.1, b=0.9, correlation=0.9), "cannot correlate"),
        (Plan(width=0.1, repeats=0), "1 repeat or more"),
        (Plan(width=0.1, imagined=10, real_correlation=1.0), "below 1"),
    ],
)
def test_a_wrong_plan_gets_one_sentence(wrong: Plan, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        plan(wrong)
