from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldgym.episodes.subsample import evenly_spaced


@given(st.integers(1, 500), st.integers(2, 100))
def test_evenly_from_the_first_to_the_last(length: int, most: int) -> None:
    places = evenly_spaced(length, most)
    gaps = {b - a for a, b in pairwise(places)}
    assert places[0] == 0 and places[-1] == length - 1 and len(places) == min(length, most)
    assert not gaps or (min(gaps) >= 1 and max(gaps) - min(gaps) <= 1)


@pytest.mark.parametrize(
    ("length", "most", "expected"),
    [(1, 1, [0]), (1, 9, [0]), (5, 1, [0]), (5, 5, [0, 1, 2, 3, 4]), (9, 3, [0, 4, 8])],
)
def test_known_answers(length: int, most: int, expected: list[int]) -> None:
    assert evenly_spaced(length, most) == expected
