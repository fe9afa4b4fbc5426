"""Coverage in settings that no method was chosen by: methods for repeats, kappa and alpha were
picked among variants by simulations like those of test_coverage.py, which may flatter them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.stats.test_coverage import clustered
from worldgym.stats.confusion import Confusion
from worldgym.stats.raters import cohens_kappa, krippendorff_alpha
from worldgym.stats.success_rates import score_rate

Check = Callable[..., None]
STUDIES = 1000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("frames", "repeats", "p", "correlation"),
    [
        *((15, 6, 0.4, 0.4), (25, 8, 0.15, 0.6), (40, 3, 0.9, 0.3), (12, 4, 0.6, 0.7)),
        *((60, 4, 0.03, 0.4), (35, 7, 0.7, 0.15), (8, 12, 0.5, 0.5)),
    ],
)
def test_rates(measured: Check, frames: int, repeats: int, p: float, correlation: float) -> None:
    rng, inside = np.random.default_rng(900 + frames), 0
    names = [str(i) for i in range(frames) for _ in range(repeats)]
    for _ in range(2 * STUDIES):
        scores = clustered(rng, frames, repeats, p, correlation).ravel().tolist()
        rate = score_rate(scores, names)
        inside += rate.low <= p <= rate.high
    measured(inside / (2 * STUDIES), 0.925, 0.975)


@pytest.mark.slow
@pytest.mark.parametrize("right", [0.75, 0.85, 0.93])
@pytest.mark.parametrize("n", [12, 15, 30, 45, 100])
def test_kappa(measured: Check, n: int, right: float) -> None:
    """Errors take seven in ten from successes; 35 and 60 % of the videos are successes."""
    rng = np.random.default_rng(7000 + n)
    for successes in (0.35, 0.6):
        shares = np.array([right * successes, (1 - right) * 0.7, (1 - right) * 0.3, 0.0])
        shares[3] = 1 - shares.sum()
        truth, _ = cohens_kappa(Confusion(*(round(share * 10**6) for share in shares)))
        assert truth is not None
        tables = [Confusion(*map(int, rng.multinomial(n, shares))) for _ in range(STUDIES)]
        found = [interval for value, interval in map(cohens_kappa, tables) if value is not None]
        held = float(np.mean([low <= truth <= high for low, high in found]))
        measured(held, 0.905, 0.985, f"{successes} successes")


@pytest.mark.slow
@pytest.mark.parametrize("right", [0.75, 0.85, 0.93])
@pytest.mark.parametrize("labellers", [2, 4])
@pytest.mark.parametrize("n", [12, 15, 30, 45, 100])
def test_alpha(measured: Check, n: int, labellers: int, right: float) -> None:
    rng, found = np.random.default_rng(8000 + n), []
    for _ in range(STUDIES):
        outcomes = rng.random(n) < 0.5
        ratings = outcomes[:, None] ^ (rng.random((n, labellers)) > right)
        value, interval = krippendorff_alpha(ratings.astype(float).tolist())
        if value is not None:
            found.append(interval)
    truth = 1 - 2 * right * (1 - right) / 0.5
    measured(np.mean([low <= truth <= high for low, high in found]), 0.925, 0.985)
