from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
import scipy.stats

from worldgym.stats.ranking import posterior_scores, ranking


def frames(n: int) -> list[str]:
    return [str(i) for i in range(n)]


def test_one_policy_with_whole_scores_has_the_beta_posterior() -> None:
    rates = posterior_scores(np.array([[1.0] * 14 + [0.0] * 6]), frames(20), 4000, 0)[:, 0]
    assert scipy.stats.kstest(rates, scipy.stats.beta(15, 7).cdf).pvalue > 0.001


def test_separate_frames_compare_like_two_betas() -> None:
    scores = np.full((2, 40), np.nan)
    scores[0, :20], scores[1, 20:] = [1.0] * 14 + [0.0] * 6, [1.0] * 10 + [0.0] * 10
    rng = np.random.default_rng(1)
    known = np.mean(rng.beta(15, 7, 100_000) > rng.beta(11, 11, 100_000))
    assert ranking(scores, frames(40)).above[0][1] == pytest.approx(known, abs=0.03)


def test_pairing_makes_a_steady_lead_surer() -> None:
    b = np.tile([1.0, 0.0], 20)
    a = b.copy()
    a[1:12:2] = 1.0  # better in six frames, never worse
    apart = np.full((2, 80), np.nan)
    apart[0, :40], apart[1, 40:] = a, b
    assert ranking(np.stack([a, b]), frames(40)).above[0][1] > ranking(apart, frames(80)).above[0][1] > 0.5


def test_twenty_of_twenty_is_not_certainly_better_than_nineteen() -> None:
    found = ranking(np.array([[1.0] * 20, [1.0] * 19 + [0.0], [0.0] * 20]), frames(20))
    assert found.best[0] == pytest.approx(0.75, abs=0.03)
    assert found.best[2] < 0.001 and found.ranks[2] == (3, 3)
    assert found.orders[0][0] == (0, 1, 2)


def test_probabilities_are_probabilities() -> None:
    scores = np.random.default_rng(0).random((3, 30))
    found = ranking(scores, [f"f{i // 2}" for i in range(30)])
    above = np.array(found.above)
    assert sum(found.best) == pytest.approx(1) == pytest.approx(sum(share for _, share in found.orders))
    assert above + above.T == pytest.approx(np.ones((3, 3)))


def test_repeats_of_a_frame_count_as_one() -> None:
    once = np.array([[1.0, 1, 1, 0, 1], [0.0, 1, 0, 0, 1]])
    few, many = ranking(once, frames(5)), ranking(np.tile(once, 20), frames(5) * 20)
    assert many.above[0][1] < 0.99  # as five pairs and not a hundred
    assert few.above[0][1] > 0.8


def test_without_trials_every_order_is_as_probable() -> None:
    found = ranking(np.empty((2, 0)), [])
    assert found.best == pytest.approx((0.5, 0.5), abs=0.03)


@pytest.mark.slow
def test_ranks_lie_in_their_ranges(measured: Callable[..., None]) -> None:
    """Four policies whose true rates are drawn from the prior, 30 start frames: each true rank lies within in 95 % or more."""
    rng, names, inside = np.random.default_rng(20), [str(i) for i in range(30)], 0
    for study in range(4000):
        rates = rng.random(4)
        found = ranking((rng.random((4, 30)) < rates[:, None]).astype(float), names, draws=400, seed=study)
        true = np.argsort(np.argsort(-rates)) + 1
        inside += sum(low <= rank <= high for rank, (low, high) in zip(true, found.ranks, strict=True))
    measured(inside / (4 * 4000), 0.94)


@pytest.mark.slow
def test_probabilities_of_the_better_policy_come_true(measured: Callable[..., None]) -> None:
    """Four policies, 30 start frames, true rates drawn from the prior: of pairs called with 90 %, say, 90 % are so."""
    rng, names, said, true = np.random.default_rng(25), [str(i) for i in range(30)], list[float](), list[bool]()
    for study in range(4000):
        rates = rng.random(4)
        above = ranking((rng.random((4, 30)) < rates[:, None]).astype(float), names, draws=400, seed=study).above
        for a, b in combinations(range(4), 2):
            said.append(max(above[a][b], above[b][a]))
            true.append(bool((rates[a] > rates[b]) == (above[a][b] > above[b][a])))
    known, right = np.array(said), np.array(true)
    for low, high in ((0.5, 0.7), (0.7, 0.9), (0.9, 0.98), (0.98, 1.01)):
        here = (known >= low) & (known < high)
        mean = float(known[here].mean())
        measured(right[here].mean(), mean - 0.03, mean + 0.03, f"said {mean:.3f}")
