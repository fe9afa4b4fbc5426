from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldgym.report import formats


def plain(text: str) -> str:
    return text.replace(formats.NBSP, " ")


def test_numbers() -> None:
    assert [plain(formats.percent(rate)) for rate in (0.625, 0.6, 1.0, 2 / 3, None)] == [
        "62.5 %",
        "60 %",
        "100 %",
        "66.7 %",
        "–",
    ]
    assert plain(formats.span(0.386, 0.781)) == "39–78 %"
    assert [formats.decimal(value) for value in (0.785, -0.1, None)] == ["0.79", "−0.10", "–"]


@pytest.mark.parametrize(
    ("share", "digits", "said"),
    [
        (1999 / 2000, 1, "99.95"),
        (1 / 2500, 1, "0.04"),
        (0.9996, 0, "99.96"),
        (0.997, 0, "99.7"),
        (1e-6, 0, "under 0.001"),
        (1 - 1e-6, 1, "over 99.999"),
        (0.0, 0, "0"),
        (-1e-18, 1, "0"),
        (1 - 1e-16, 0, "100"),  # rounding of the computer
        (0.125, 0, "12"),
    ],
)
def test_none_and_all_are_only_what_is(share: float, digits: int, said: str) -> None:
    assert formats.hundredths(share, digits) == said


@given(st.integers(1, 10**7).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_rate_is_0_or_100_percent_where_it_is_none_or_all(counted: tuple[int, int]) -> None:
    hits, trials = counted
    rate = hits / trials
    said = [formats.percent(rate), *plain(formats.span(rate, rate)).removesuffix(" %").split("–")]
    for text in said:
        number = text.removesuffix(f"{formats.NBSP}%")
        assert (number == "0") == (hits == 0) and (number == "100") == (hits == trials)


def test_sums_of_partial_credit_are_short() -> None:
    told = [formats.tally(value) for value in (0.1 + 0.2, 3, 3.0, 0.5, 1_234_567.5, 1 / 3)]
    assert told == ["0.3", "3", "3", "0.5", "1234567.5", "0.333"]


def test_points_keep_their_sign() -> None:
    said = [formats.points(rate) for rate in (0.12, -0.031, 0.004, -0.002, -1e-5, 0.0, None)]
    assert said == ["+12", "−3", "+0.4", "−0.2", "0", "0", "–"]


def test_p_values_and_durations() -> None:
    assert [formats.probability(p) for p in (0.0041, 1.0, 2e-5)] == ["= 0.0041", "= 1", "< 0.001"]
    said = [plain(formats.duration(s)) for s in (0.0, 0.254, 9.94, 61.0, 90.0, 5399.0, 9000.0)]
    assert said == ["0 s", "0.25 s", "9.9 s", "61 s", "1.5 min", "90 min", "2.5 h"]


def test_a_probability_from_draws_is_never_0_or_1() -> None:
    told = [plain(formats.chance(p)) for p in (1.0, 0.731, 0.0)]
    assert told == ["over 99.9 %", "73.1 %", "under 0.1 %"]
