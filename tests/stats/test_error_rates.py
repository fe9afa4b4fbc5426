"""Every test errs as seldom as it promises and sees what it was planned to see: simulated studies
of known truth."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import combinations

import numpy as np
import pytest

from worldgym.stats.betting import wealth
from worldgym.stats.comparison import (
    barnard_p,
    holm,
    mcnemar_p,
    paired_difference,
    permutation_p,
    sign_flip_p,
)
from worldgym.stats.trial_planning import TwoRates, pairs_to_tell, trials_to_tell

STUDIES = 4000
Check = Callable[..., None]


@pytest.mark.slow
def test_identical_policies_are_seldom_called_different(measured: Check) -> None:
    """1,000 studies of two identical policies on 60 common initial frames of unequal difficulty,
    whole and with partial credit."""
    rng, names = np.random.default_rng(7), [str(i) for i in range(60)]
    for scores in (np.array([0.0, 1.0]), np.array([0.0, 0.5, 1.0])):
        called = 0
        for _ in range(1000):
            hard = rng.beta(1, 1, 60)
            a, b = (scores[rng.binomial(len(scores) - 1, hard)] for _ in "ab")
            called += paired_difference(a, b, names).p <= 0.05
        measured(called / 1000, most=0.06, name=f"{len(scores)} scores")


@pytest.mark.slow
def test_permutations_err_as_seldom_as_they_promise(measured: Check) -> None:
    rng = np.random.default_rng(8)
    drawn = rng.choice([0.0, 0.5, 1.0], (1500, 40))
    measured(
        np.mean([permutation_p(row[:20], row[20:], 400) <= 0.05 for row in drawn]),
        most=0.065,
        name="permutations",
    )
    measured(
        np.mean([sign_flip_p(row[:20] - row[20:]) <= 0.05 for row in drawn]),
        most=0.065,
        name="sign flips",
    )


@pytest.mark.slow
def test_permutations_see_a_difference(measured: Check) -> None:
    """Scores of which half differ by 0.5 on average: 40 frames a side, or 40 pairs, show it in
    nearly every study."""
    rng = np.random.default_rng(15)
    a, b = (
        rng.choice([0.0, 0.5, 1.0], (300, 40), p=[0.1, 0.3, 0.6]),
        rng.choice([0.0, 0.5, 1.0], (300, 40), p=[0.4, 0.4, 0.2]),
    )
    studies = list(zip(a, b, strict=True))
    measured(
        np.mean([permutation_p(x, y, 400) <= 0.05 for x, y in studies]),
        least=0.9,
        name="permutations",
    )
    measured(
        np.mean([sign_flip_p(x - y) <= 0.05 for x, y in studies]), least=0.9, name="sign flips"
    )


@pytest.mark.slow
def test_barnards_test_keeps_its_size_and_reaches_its_planned_power(measured: Check) -> None:
    rng, rates = np.random.default_rng(16), TwoRates(0.8, 0.4)
    n = trials_to_tell(rates)
    known = cache(lambda a, b: barnard_p(np.arange(n) < a, np.arange(n) < b))
    for p in (0.5, 0.85):
        alike = rng.binomial(n, p, (STUDIES, 2))
        measured(
            np.mean([known(int(a), int(b)) <= 0.05 for a, b in alike]),
            most=0.055,
            name=f"size at {p}",
        )
    unlike = zip(rng.binomial(n, rates.a, STUDIES), rng.binomial(n, rates.b, STUDIES), strict=True)
    measured(
        np.mean([known(int(a), int(b)) <= 0.05 for a, b in unlike]),
        0.75,
        0.85,
        "power planned as 0.8",
    )


@pytest.mark.slow
def test_several_comparisons_together_err_as_seldom_as_one(measured: Check) -> None:
    """Five identical policies, ten comparisons on 60 common initial frames: any of them is called
    in 5 % of studies at most."""
    rng, called = np.random.default_rng(17), 0
    known = cache(mcnemar_p)
    for _ in range(STUDIES):
        scores = rng.random((5, 60)) < rng.beta(1, 1, 60)
        pairs = [(scores[i], scores[j]) for i, j in combinations(range(5), 2)]
        called += (
            min(holm([known(int(np.sum(a & ~b)), int(np.sum(b & ~a))) for a, b in pairs])) <= 0.05
        )
    measured(called / STUDIES, most=0.055)


@pytest.mark.slow
def test_planned_pairs_reach_their_power(measured: Check) -> None:
    rates = TwoRates(0.75, 0.6, 0.3)
    shares = [rates.only_a, rates.only_b, 1 - rates.only_a - rates.only_b]
    drawn = np.random.default_rng(9).multinomial(pairs_to_tell(rates), shares, STUDIES)
    measured(
        np.mean([mcnemar_p(int(gain), int(loss)) <= 0.05 for gain, loss, _ in drawn]),
        0.77,
        0.83,
        "power planned as 0.8",
    )


@pytest.mark.slow
def test_looking_after_every_trial_keeps_the_error_rate(measured: Check) -> None:
    """Identical policies, 300 looks: below 5 %. A rate that is 20 points better is shown, mostly
    well before the end."""
    rng = np.random.default_rng(10)
    alike = rng.choice([-1.0, 0.0, 1.0], (STUDIES, 300), p=[0.25, 0.5, 0.25])
    measured(np.mean([wealth(d).max() >= 20 for d in alike]), most=0.05, name="size")
    better = rng.choice([-1.0, 0.0, 1.0], (500, 300), p=[0.15, 0.5, 0.35])
    measured(np.mean([wealth(d).max() >= 20 for d in better]), least=0.9, name="power")
