"""Kappa and alpha against published examples and by hand; their intervals where all agree."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worldgym.stats.confusion import Confusion
from worldgym.stats.raters import cohens_kappa, krippendorff_alpha

# Krippendorff (2011), the example with four observers and twelve units; nominal .743, ordinal .815,
# interval .849
OBSERVERS = [
    "1 2 3 3 2 1 4 1 2 . . .",
    "1 2 3 3 2 2 4 1 2 5 . 3",
    ". 3 3 3 2 3 4 2 2 5 1 .",
    "1 2 3 3 2 4 4 1 2 5 1 .",
]
UNITS = list(
    zip(*([None if c == "." else float(c) for c in row.split()] for row in OBSERVERS), strict=True)
)


@pytest.mark.parametrize(
    ("scale", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)]
)
def test_alpha_of_the_published_example(scale: str, alpha: float) -> None:
    value, (low, high) = krippendorff_alpha(UNITS, scale)
    assert value == pytest.approx(alpha, abs=5e-4)
    assert low < alpha < high <= 1.0


def test_alpha_where_it_is_not_defined() -> None:
    for ratings in ([], [[1.0, None]], [[1.0, 1.0], [1.0, 1.0]]):
        assert krippendorff_alpha(ratings) == (None, (-1.0, 1.0))
    with pytest.raises(ValueError, match="scale"):
        krippendorff_alpha([[0.0, 1.0]], "ratio")


def test_kappa_by_hand() -> None:
    value, (low, high) = cohens_kappa(Confusion(20, 5, 10, 15))  # observed .7, by chance .5
    assert value == pytest.approx(0.4)
    assert low < 0.2 and 0.55 < high < 0.7
    assert cohens_kappa(Confusion(8, 0, 0, 9))[0] == 1.0
    for undefined in (Confusion(), Confusion(5, 0, 0, 0)):
        assert cohens_kappa(undefined) == (None, (-1.0, 1.0))


@pytest.mark.parametrize("n", [4, 10, 20, 60])
def test_raters_who_always_agreed_may_still_differ(n: int) -> None:
    """None of n: up to about 3.7 / n of the videos at 95 %, as with a rate of 0 of n."""
    share = 1 - 0.025 ** (1 / n)
    for value, (low, high) in (
        cohens_kappa(Confusion(n // 2, 0, 0, n - n // 2)),
        krippendorff_alpha([[float(i % 2)] * 2 for i in range(n)]),
    ):
        assert value == high == 1.0
        assert 1 - 3 * share < low < 1 - 0.8 * share


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30), st.integers(1, 8)
)
def test_an_interval_has_a_width_and_holds_its_point(
    drawn: list[tuple[bool, bool]], frames: int
) -> None:
    names = [str(i % frames) for i in range(len(drawn))]
    alpha = krippendorff_alpha([[float(a), float(b)] for a, b in drawn], frames=names)
    for value, (low, high) in (alpha, cohens_kappa(Confusion.of(drawn))):
        assert value is None or (low <= value <= high and high - low > 0.05)


def test_videos_of_one_initial_frame_count_as_far_as_they_differ() -> None:
    drawn = [[float(i % 2), float(i % 2 if i % 5 else 1)] for i in range(20)]
    single = krippendorff_alpha(drawn)[1]
    tenfold = krippendorff_alpha(drawn * 10, frames=[str(i) for i in range(20)] * 10)[1]
    apart = krippendorff_alpha(drawn * 10)[1]
    assert tenfold == pytest.approx(single, abs=0.02)
    assert apart[1] - apart[0] < 0.5 * (single[1] - single[0])


def test_ratings_that_differ_in_the_last_bits_are_one() -> None:
    ratings = [[0.1 + 0.2, 0.3], [0.5, 0.5], [1.0, 0.5]]
    assert krippendorff_alpha(ratings) == krippendorff_alpha([[0.3, 0.3], *ratings[1:]])
