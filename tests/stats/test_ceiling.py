from __future__ import annotations

import numpy as np
import pytest

from worldgym.stats.ceiling import NoiseCeiling, PairedCounts, noise_ceiling, posterior_rates


def trials(
    n: int, cells: int = 40, world_trials: int | None = None, frames: int = 0
) -> PairedCounts:
    """One policy whose observed rates lie evenly between 0 and 1; `frames` tried on both sides."""
    rates = np.linspace(0, 1, cells)
    counts, world = (np.full(cells, float(k)) for k in (n, world_trials or n))
    shared = np.full(cells, float(frames))
    return PairedCounts(
        np.zeros(cells, int), rates * n, counts, world, shared, world if frames else shared
    )


def found(known: PairedCounts, share: float = 0.0) -> NoiseCeiling:
    ceiling = noise_ceiling(known, share, simulations=600)
    assert ceiling is not None
    return ceiling


def test_more_trials_raise_the_ceiling_towards_one() -> None:
    means = [found(trials(n)).least.mean for n in (5, 20, 2000)]
    assert means == sorted(means) and len(means) == 3
    assert means[-1] > 0.995


def test_unlimited_generated_trials_leave_the_real_sides_noise() -> None:
    few, many = found(trials(10)), found(trials(10, world_trials=100_000))
    assert few.unlimited == pytest.approx(many.least.mean, abs=0.005)
    assert few.least.mean < many.least.mean < 1


def test_from_the_same_frames_that_decide_all_a_perfect_evaluator_reaches_one() -> None:
    same = found(trials(10, frames=10))
    assert (same.most.mean, same.most.low, same.most.high) == pytest.approx((1, 1, 1))
    assert same.most.rmse == same.most.mean_abs_gap == 0
    assert same.least == found(trials(10)).least
    repeated = found(trials(10, world_trials=30, frames=10))  # three times from each frame
    assert repeated.most.mean == pytest.approx(1) and repeated.least.mean < 1


def test_from_different_frames_there_is_one_ceiling() -> None:
    apart = found(trials(10))
    assert apart.least is apart.most and apart.most.mean < 1
    assert found(trials(10), share=0.9).least.share == 0  # no frame decides on both sides


def test_the_more_the_frames_decide_the_higher_the_ceiling() -> None:
    means = [found(trials(10, frames=10), share).least.mean for share in (0.0, 0.4, 0.8, 1.0)]
    assert means == sorted(means) and means[-1] == pytest.approx(1)


def test_frames_that_one_side_alone_tried_leave_noise() -> None:
    """The truth from 100 frames, the world from 50 of them."""
    half = found(trials(100, world_trials=50, frames=50))
    assert half.least.mean < half.most.mean < 1


def test_it_is_the_r_of_perfect_evaluators() -> None:
    """Over studies with known true rates: the mean ceiling is what perfect evaluators reach, though
    it knows one side only."""
    rng = np.random.default_rng(3)
    reached, told = [], []
    for _ in range(40):
        p = rng.beta(0.8, 1.2, 51)
        world, truth = rng.binomial(10, p), rng.binomial(10, p)
        ten, none = np.full(51, 10.0), np.zeros(51)
        known = PairedCounts(np.zeros(51, int), truth.astype(float), ten, ten, none, none)
        ceiling = noise_ceiling(known, simulations=300)
        assert ceiling is not None
        reached.append(np.corrcoef(world, truth)[0, 1])
        told.append(ceiling.least.mean)
    assert np.mean(told) == pytest.approx(np.mean(reached), abs=0.015)


def test_rates_drawn_for_the_cells_fit_their_trials() -> None:
    draws = posterior_rates(
        np.array([0.0, 5.0, 10.0]), np.full(3, 10.0), 4000, np.random.default_rng(0)
    )
    assert draws.shape == (4000, 3)
    assert draws.mean(0) == pytest.approx([0.06, 0.5, 0.94], abs=0.05)


def test_same_trials_same_ceiling() -> None:
    assert noise_ceiling(trials(10)) == noise_ceiling(trials(10))


def test_no_ceiling_without_cells_trials_or_spread() -> None:
    assert noise_ceiling(trials(10, cells=0)) is None
    assert noise_ceiling(trials(10, cells=2)) is None
    assert noise_ceiling(trials(0)) is None
