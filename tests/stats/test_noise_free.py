from __future__ import annotations

import numpy as np
import pytest

from worldgym.stats.cells import CellPair, Cells, SharedFrames
from worldgym.stats.noise_free import SamplingNoise, noise_free_measures, noise_free_span, noises


def told(pairs: list[CellPair], noise: SamplingNoise) -> dict[str, float]:
    once = np.ones((1, len(pairs)))
    measures = noise_free_measures(Cells.of(pairs), noise)
    return {name: float(measure(once)[0]) for name, measure in measures.items()}


def study(rng: np.random.Generator, n: int, shared: bool, cells: int = 400) -> list[CellPair]:
    """World = 0.1 + 0.8 truth and scatter of its own: noise-free r 0.906, slope 0.8."""
    truth = rng.uniform(0.1, 0.9, cells)
    world = np.clip(0.1 + 0.8 * truth + rng.normal(0, 0.086, cells), 0, 1)
    if shared:  # one uniform number a frame decides both sides
        frames = rng.random((cells, n, 1))
        counts = (frames < np.stack([world, truth], 1)[:, None]).mean(1).T
    else:
        counts = np.array([rng.binomial(n, rates) / n for rates in (world, truth)])
    names = [str(i) for i in range(cells)]
    return [CellPair("p", *row, n, n) for row in zip(names, *counts.tolist(), strict=True)]


@pytest.mark.parametrize("pairing", ["independent", "shared"])
def test_few_trials_pull_r_and_slope_down_and_the_correction_brings_them_back(pairing: str) -> None:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(20):
        pairs = study(rng, 10, pairing == "shared")
        found.append(told(pairs, noises(pairs)[pairing]))
    plain = np.corrcoef([(pair.world, pair.truth) for pair in pairs], rowvar=False)[0, 1]
    means = {name: float(np.mean([row[name] for row in found])) for name in found[0]}
    assert plain < (0.8 if pairing == "independent" else 0.95)
    assert means["pearson"] == pytest.approx(0.906, abs=0.015)
    assert means["slope"] == pytest.approx(0.8, abs=0.02)
    assert means["intercept"] == pytest.approx(0.1, abs=0.012)


def test_the_correction_for_independent_trials_would_overstate_r_of_shared_frames() -> None:
    pairs = study(np.random.default_rng(1), 10, True)
    alone, together = (told(pairs, noises(pairs)[kind]) for kind in ("independent", "shared"))
    assert alone["pearson"] == 1 > together["pearson"]
    assert alone["noise_share"] == 1 > together["noise_share"]


def test_a_perfect_evaluator_on_the_same_frames_is_perfect() -> None:
    pairs = [CellPair("p", str(i), i / 10, i / 10, 10, 10) for i in range(11)]
    found = told(pairs, noises(pairs)["shared"])
    assert (found["pearson"], found["slope"]) == (pytest.approx(1), pytest.approx(1))
    assert found["intercept"] == pytest.approx(0, abs=1e-12) and np.isnan(found["noise_share"])


def test_without_noise_the_line_is_least_squares() -> None:
    rng = np.random.default_rng(2)
    rates = rng.random((2, 30))
    pairs = [CellPair("p", str(i), w, t) for i, (w, t) in enumerate(rates.T.tolist())]
    found = told(pairs, SamplingNoise(*np.zeros((3, 30))))
    slope, intercept = np.polyfit(rates[1], rates[0], 1)
    assert (found["slope"], found["intercept"]) == pytest.approx((slope, intercept))
    assert found["pearson"] == pytest.approx(np.corrcoef(rates)[0, 1])
    span = noise_free_span(Cells.of(pairs), SamplingNoise(*np.zeros((3, 30))), [-0.2, 0.5])
    assert span == pytest.approx([-0.2, 0.5])


@pytest.mark.parametrize("n", [0, 1, 2])
def test_below_three_cells_nothing_is_told(n: int) -> None:
    pairs = [CellPair("p", str(i), i / 2, i / 2, 10, 10) for i in range(n)]
    for noise in noises(pairs).values():
        assert all(np.isnan(value) for value in told(pairs, noise).values())
        assert noise_free_span(Cells.of(pairs), noise, [0.1, 0.2]) is None


def test_nothing_is_told_where_all_spread_may_be_noise() -> None:
    rng = np.random.default_rng(3)
    rates = (rng.binomial(4, 0.5, (2, 200)) / 4).tolist()
    pairs = [CellPair("p", str(i), w, t, 4, 4) for i, (w, t) in enumerate(zip(*rates, strict=True))]
    found = told(pairs, noises(pairs)["independent"])
    assert np.isnan(found["pearson"]) and np.isnan(found["slope"])


def test_what_is_known_of_the_frames_decides_the_noise() -> None:
    bare, single = CellPair("p", "t", 0.5, 0.5), CellPair("p", "t", 0.5, 0.5, 10, 1)
    counted = CellPair("p", "t", 0.4, 0.6, 20, 10)
    measured = CellPair("p", "t", 0.4, 0.6, 20, 10, SharedFrames(0.02, 0.03, 0.01, 10, 20, (-1, 1)))
    assert noises([]) == noises([bare]) == noises([counted, single]) == {}
    assert (
        noises([counted]).keys() == {"independent", "shared"} == noises([counted, measured]).keys()
    )
    assert noises([counted], separate=True).keys() == {"independent"}
    assert noises([measured]).keys() == {"measured"}
    assert float(noises([measured])["measured"].covariance[0]) == 0.01
    together = noises([counted])["shared"]  # the world's 20 trials are two from each of ten frames
    assert float(together.world[0]) == pytest.approx(0.24 / 9)
    assert float(together.covariance[0]) == pytest.approx((0.4 - 0.24) / 9)
