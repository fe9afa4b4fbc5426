from __future__ import annotations

import numpy as np
import pytest

from worldgym.stats.ceiling import Trials, noise_ceiling, posterior_rates


def trials(n: int, cells: int = 40, spread: float = 1.0, world_trials: int | None = None) -> Trials:
    """One policy whose observed rates lie evenly between 0 and `spread`."""
    rates = np.linspace(0, spread, cells)
    counts = np.full(cells, float(n))
    return Trials(np.zeros(cells, int), rates * n, counts, np.full(cells, float(world_trials or n)))


def test_more_trials_raise_the_ceiling_towards_one() -> None:
    means = [ceiling.mean for n in (5, 20, 2000) if (ceiling := noise_ceiling(trials(n)))]
    assert means == sorted(means) and len(means) == 3
    assert means[-1] > 0.995


def test_unlimited_imagined_trials_leave_the_real_sides_noise() -> None:
    few, many = noise_ceiling(trials(10)), noise_ceiling(trials(10, world_trials=100_000))
    assert few is not None and many is not None
    assert few.unlimited == pytest.approx(many.mean, abs=0.005)
    assert few.mean < many.mean < 1


def test_it_is_the_r_of_perfect_evaluators() -> None:
    """Over studies with known true rates: the mean ceiling is what perfect evaluators reach, though it knows one side only."""
    rng = np.random.default_rng(3)
    reached, told = [], []
    for _ in range(40):
        p = rng.beta(0.8, 1.2, 51)
        world, truth = rng.binomial(10, p), rng.binomial(10, p)
        ten = np.full(51, 10.0)
        ceiling = noise_ceiling(Trials(np.zeros(51, int), truth.astype(float), ten, ten), simulations=300)
        assert ceiling is not None
        reached.append(np.corrcoef(world, truth)[0, 1])
        told.append(ceiling.mean)
    assert np.mean(told) == pytest.approx(np.mean(reached), abs=0.015)


def test_rates_drawn_for_the_cells_fit_their_trials() -> None:
    draws = posterior_rates(np.array([0.0, 5.0, 10.0]), np.full(3, 10.0), 4000, np.random.default_rng(0))
    assert draws.shape == (4000, 3)
    assert draws.mean(0) == pytest.approx([0.06, 0.5, 0.94], abs=0.05)


def test_same_trials_same_ceiling() -> None:
    assert noise_ceiling(trials(10)) == noise_ceiling(trials(10))


def test_no_ceiling_without_cells_trials_or_spread() -> None:
    assert noise_ceiling(trials(10, cells=0)) is None
    assert noise_ceiling(trials(10, cells=2)) is None
    assert noise_ceiling(trials(0)) is None
