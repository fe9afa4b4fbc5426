from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worldgym.errors import InputError
from worldgym.stats.comparison import barnard_p, mcnemar_p
from worldgym.stats.prediction import Frames, prediction_powered
from worldgym.stats.success_rates import wilson_interval
from worldgym.stats.trial_planning import (
    TrialNumbers,
    TrialPlanRequest,
    TwoRates,
    barnard_calls,
    barnard_power,
    mcnemar_power,
    pairs_to_tell,
    plan,
    real_trials_with_generated,
    repeats_factor,
    trials_for_width,
    trials_to_tell,
)


@settings(max_examples=25)
@given(st.floats(0.02, 0.9), st.floats(0, 1))
def test_the_number_for_a_width_is_enough_and_one_less_is_not(width: float, rate: float) -> None:
    n = trials_for_width(width, rate)
    widths = [
        high - low for low, high in (wilson_interval(rate * m, m) for m in (n, max(1, n - 1)))
    ]
    assert widths[0] <= width and (n == 1 or widths[1] > width)


def test_known_numbers() -> None:
    # (1.96 / 0.2)^2 = 96 less the 3.84 that Wilson's interval gains
    assert trials_for_width(0.2) == 93
    assert trials_to_tell(TwoRates(0.8, 0.4)) == 23  # Fleiss's formula has 22
    assert trials_to_tell(TwoRates(0.5, 0.4)) == 388  # by the formula, beyond 200


def test_the_exact_power_is_that_of_simulated_tests() -> None:
    rates, rng = TwoRates(0.7, 0.5, 0.2), np.random.default_rng(0)
    p = [rates.only_a, rates.only_b, 1 - rates.only_a - rates.only_b]
    called = np.mean(
        [mcnemar_p(int(gain), int(loss)) <= 0.05 for gain, loss, _ in rng.multinomial(60, p, 4000)]
    )
    assert mcnemar_power(rates, 60) == pytest.approx(called, abs=0.025)


def test_pairs_that_resemble_each_other_need_fewer() -> None:
    apart, alike = pairs_to_tell(TwoRates(0.6, 0.75)), pairs_to_tell(TwoRates(0.6, 0.75, 0.5))
    assert alike < 0.7 * apart
    assert mcnemar_power(TwoRates(0.6, 0.75), apart) >= 0.8
    assert mcnemar_power(TwoRates(0.5, 0.5), 100) <= 0.05  # the size of the test
    assert mcnemar_power(TwoRates(0.5, 0.5, 1.0), 100) == 0


def test_generated_trials_save_real_ones_as_far_as_they_correlate() -> None:
    def needed(correlation: float, generated: int) -> int:
        return real_trials_with_generated(0.2, 0.5, correlation, generated)

    assert needed(0.0, 1000) == 93 == needed(0.9, 0)
    some, more = needed(0.5, 1000), needed(0.8, 1000)
    # 93 (1 - 0.8^2), with unlimited generated ones and without pseudo-frames
    assert 93 > some > more > 34
    assert needed(0.8, 10**6) <= more
    assert needed(0.9, 10) >= 93 - 10


def frames(rng: np.random.Generator, n: int, N: int, rate: float, correlation: float) -> Frames:
    both = rate**2 + correlation * rate * (1 - rate)
    drawn = rng.choice(4, n + N, p=[both, rate - both, rate - both, 1 - 2 * rate + both])
    y, f = (drawn < 2).astype(float), (drawn % 2 == 0).astype(float)
    return Frames(y[:n], f[:n], np.zeros(n, int), f[n:], np.zeros(N, int))


@pytest.mark.parametrize(
    ("width", "rate", "correlation", "generated"),
    [(0.4, 0.5, 0.95, 500), (0.2, 0.8, 0.9, 500), (0.3, 0.5, 0.9, 40)],
)
def test_the_estimator_gets_the_planned_width(
    width: float, rate: float, correlation: float, generated: int
) -> None:
    """At the planned number the interval is so wide on average, and at four fifths of it wider."""
    planned = real_trials_with_generated(width, rate, correlation, generated)
    rng, widths = np.random.default_rng(0), []
    for n in (planned, int(0.8 * planned)):
        studies = (frames(rng, n, generated, rate, correlation) for _ in range(30))
        found = [prediction_powered(study) for study in studies]
        widths.append(float(np.mean([e.high - e.low for e in found])))
    assert widths[0] <= 1.04 * width < widths[1]


@pytest.mark.parametrize(
    ("a", "b"), [(0.99, 0.01), (0.95, 0.05), (0.9, 0.1), (0.9, 0.3), (0.8, 0.4), (0.3, 0.7)]
)
def test_the_planned_numbers_have_their_exact_power_and_one_less_has_not(
    a: float, b: float
) -> None:
    rates = TwoRates(a, b)
    for planned, power in (
        (trials_to_tell(rates), barnard_power),
        (pairs_to_tell(rates), mcnemar_power),
    ):
        assert all(power(rates, planned + more) >= 0.8 for more in range(9))
        assert planned == 1 or power(rates, planned - 1) < 0.8


@pytest.mark.parametrize("n", [2, 3, 5])
def test_what_barnards_test_calls_is_what_its_p_value_says(n: int) -> None:
    called = barnard_calls(n)
    for a in range(n + 1):
        for b in range(n + 1):
            p = barnard_p(np.arange(n) < a, np.arange(n) < b)
            assert called[a, b] == (p <= 0.05), (a, b)


@settings(max_examples=60)
@given(st.integers(20, 400), st.integers(1, 9), st.integers(2, 6))
def test_a_product_that_is_whole_is_not_rounded_up(n: int, tenths: int, repeats: int) -> None:
    """1.1 times 110 is 121, and 121.00000000000001 in floats."""
    low, high = wilson_interval(n / 2, n)
    width = (high - low) * (1 + 1e-9)
    assert trials_for_width(width) == n
    exact = -(-n * (10 + (repeats - 1) * tenths) // 10)
    assert (
        plan(
            TrialPlanRequest(width=width, repeats=repeats, repeat_correlation=tenths / 10)
        ).for_width
        == exact
    )


def test_repeats_cost_what_they_correlate() -> None:
    assert repeats_factor(5, 0.0) == 1 == repeats_factor(1, 0.9)
    assert repeats_factor(5, 1.0) == 5


def test_a_plan_answers_what_was_asked() -> None:
    assert plan(TrialPlanRequest(width=0.2)) == TrialNumbers(93)
    assert plan(TrialPlanRequest(width=0.2, repeats=2, repeat_correlation=0.5)) == TrialNumbers(140)
    assert plan(TrialPlanRequest(width=0.2, generated=500, real_correlation=0.7)) == TrialNumbers(
        93, 57
    )
    told = plan(TrialPlanRequest(a=0.6, b=0.75))
    assert told.for_width is None and told.pairs_to_tell and told.trials_to_tell


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (TrialPlanRequest(), "nothing to plan"),
        (TrialPlanRequest(width=0.2, a=0.5), "nothing to plan"),
        (TrialPlanRequest(width=2), "width must lie"),
        (TrialPlanRequest(width=0.0001), "more than 1000000"),
        (TrialPlanRequest(a=0.5, b=0.5), "two different rates"),
        (TrialPlanRequest(a=0.0, b=0.5), "between 0 and 1"),
        (TrialPlanRequest(a=0.1, b=0.9, correlation=0.9), "cannot correlate"),
        (TrialPlanRequest(width=0.1, repeats=0), "1 repeat or more"),
        (TrialPlanRequest(width=0.1, generated=10, real_correlation=1.0), "below 1"),
    ],
)
def test_a_wrong_plan_gets_one_sentence(wrong: TrialPlanRequest, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        plan(wrong)


@pytest.mark.parametrize("repeats", [1, 2, 5])
@pytest.mark.parametrize("correlation", [0.0, 0.5, 1.0])
def test_repeats_cost_the_same_with_generated_trials(repeats: int, correlation: float) -> None:
    def planned(repeats: int, generated: int = 500, real: float = 0.7) -> TrialNumbers:
        known = TrialPlanRequest(width=0.2, repeats=repeats, repeat_correlation=correlation)
        return plan(replace(known, generated=generated, real_correlation=real))

    factor = repeats_factor(repeats, correlation)
    once, often, useless = planned(1), planned(repeats), planned(repeats, real=0.0)
    assert once.for_width_with_generated is not None and often.for_width is not None
    assert often.for_width_with_generated == math.ceil(factor * once.for_width_with_generated)
    assert often.for_width_with_generated < often.for_width
    assert useless.for_width_with_generated == useless.for_width
