"""No number of the statistics turns on the last bits of a float.

Every public estimator is given scores as rubrics and means make them, again with each moved by a
few parts in 10^15, and says the same. What decides by comparing sums, such as a test's p-value or
a tie, must not see the difference either.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worldgym.stats.agreement import CellPair, agreement_of_cells
from worldgym.stats.betting import anytime_interval, betting_interval, wealth
from worldgym.stats.bradley_terry import Verdicts, bradley_terry
from worldgym.stats.comparison import (
    holm,
    newcombe_interval,
    paired_difference,
    permutation_p,
    sign_flip_p,
    tango_interval,
    unpaired_difference,
)
from worldgym.stats.confusion import Confusion
from worldgym.stats.drop_agreement import drop_agreement
from worldgym.stats.equivalence import Gate, passes
from worldgym.stats.judge_calibration import Judged, Worth, corrected_rate
from worldgym.stats.judge_figures import (
    abstention_curve,
    area_under_curve,
    calibration_figures,
    threshold_curve,
)
from worldgym.stats.mmrv import VARIANTS, mmrv
from worldgym.stats.prediction import Frames, prediction_powered
from worldgym.stats.ranking import Table, contrasts, ranking
from worldgym.stats.raters import cohens_kappa, krippendorff_alpha
from worldgym.stats.sequential import Looks, in_rounds, sequential_tests
from worldgym.stats.success_rates import effective_trials, score_rate, wilson_interval

BITS = 4e-15
A_DRAW = 2e-3  # shares of random draws move by whole draws
Estimator = Callable[[np.ndarray], object]

N = 24
FRAMES = [f"frame {i // 3}" for i in range(N)]
SINGLE = [f"frame {i}" for i in range(N)]
GROUPS = np.arange(N // 2) % 2


def pairs(x: np.ndarray) -> list[Verdicts]:
    ends = [(0, 1), (1, 2), (0, 2)]
    return [Verdicts(*ends[i % 3], x[i], 1 - x[i], frame=FRAMES[i]) for i in range(N)]


def judged(x: np.ndarray) -> list[Judged]:
    known = zip(x[: N // 2].tolist(), x[N // 2 :].tolist(), FRAMES, strict=False)
    return [Judged(i % 2 == 0, score, p, frame) for i, (score, p, frame) in enumerate(known)]


def cells(x: np.ndarray) -> list[CellPair]:
    halves = x[: N // 2], x[N // 2 :]
    rates = zip(*halves, strict=True)
    return [CellPair(f"p{i % 3}", f"t{i // 3}", w, r, 10, 10) for i, (w, r) in enumerate(rates)]


def rounds(x: np.ndarray) -> Looks:
    return in_rounds({"a": x[::2].tolist(), "b": x[1::2].tolist()}, {"a": 6, "b": 6})


def table(x: np.ndarray) -> Table:
    known = x.reshape(3, 8).copy()
    known[0, 5] = known[1, 6] = np.nan
    return Table(known, FRAMES[:8], ["a", "b"] * 4)


def policy_means(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    world, truth = x[: N // 2].reshape(4, 3).mean(1), x[N // 2 :].reshape(4, 3).mean(1)
    return world, truth


ESTIMATORS: dict[str, Estimator] = {
    "wilson_interval": lambda x: wilson_interval(x.sum(), N),
    "score_rate": lambda x: asdict(score_rate(x.tolist(), FRAMES)),
    "score_rate, one a frame": lambda x: asdict(score_rate(x.tolist(), SINGLE)),
    "score_rate, unequal": lambda x: asdict(score_rate(x.tolist(), ["all"] * 9 + SINGLE[9:])),
    "score_rate, one frame": lambda x: asdict(score_rate(x.tolist(), ["all"] * N)),
    "effective_trials": lambda x: effective_trials(x, FRAMES),
    "paired_difference": lambda x: asdict(paired_difference(x[:12], x[12:], FRAMES[:12])),
    "paired_difference, one a frame": lambda x: asdict(
        paired_difference(x[:12], x[12:], SINGLE[:12])
    ),
    "unpaired_difference": lambda x: asdict(
        unpaired_difference(x[:15], SINGLE[:15], x[15:], SINGLE[15:])
    ),
    "tango_interval": lambda x: tango_interval(x[:12].sum(), x[12:].sum(), N),
    "newcombe_interval": lambda x: newcombe_interval((x[:6].mean(), x[6:].mean()), (6, 18)),
    "sign_flip_p": lambda x: sign_flip_p(x[:12] - x[12:]),
    "sign_flip_p, on the grid": lambda x: sign_flip_p(x[:12] ** 2 - x[12:] ** 3),
    "passes": lambda x: asdict(passes(x[:12], x[12:], FRAMES[:12], Gate(0.1))),
    "permutation_p": lambda x: permutation_p(x[:10], x[10:], 500),
    "holm": lambda x: holm(x.tolist()),
    "bradley_terry": lambda x: asdict(bradley_terry(pairs(x), 3)),
    "betting_interval": lambda x: betting_interval(x, np.zeros(N)),
    "anytime_interval": lambda x: anytime_interval(x[:12] - x[12:]),
    "wealth": lambda x: wealth(x[:12] - x[12:]),
    "sequential_tests": lambda x: [
        asdict(found) for found in sequential_tests([rounds(x[:12] - x[12:]), rounds(x[12:] - 0.5)])
    ],
    "corrected_rate": lambda x: asdict(
        corrected_rate(x.sum(), N, Confusion(9, 1, 2, 8), worth=Worth(9 + x[0], 8 + x[1]))
    ),
    "cohens_kappa": lambda x: cohens_kappa(Confusion(9, 1, 2, 8), videos=12 + x[0]),
    "krippendorff_alpha": lambda x: krippendorff_alpha(x.reshape(8, 3).tolist()),
    "krippendorff_alpha, interval": lambda x: krippendorff_alpha(x.reshape(8, 3), "interval"),
    "krippendorff_alpha, ordinal": lambda x: krippendorff_alpha(x.reshape(8, 3), "ordinal"),
    "area_under_curve": lambda x: area_under_curve(judged(x)),
    "threshold_curve": lambda x: threshold_curve(judged(x)),
    "abstention_curve": lambda x: abstention_curve(judged(x), 0.6),
    "calibration_figures": lambda x: calibration_figures(judged(x), 0.6),
    "drop_agreement": lambda x: asdict(
        drop_agreement([(a - b, b - a) for a, b in zip(x[:12], x[12:], strict=True)])
    ),
    "prediction_powered": lambda x: asdict(
        prediction_powered(Frames(x[:12], x[12:], GROUPS, x[::2], GROUPS))
    ),
    "ranking": lambda x: ranking(table(x)).best,
    "contrasts": lambda x: list(contrasts(table(x))),
    "agreement": lambda x: asdict(agreement_of_cells(cells(x))),
    **{f"mmrv, {v}": lambda x, v=v: mmrv(*policy_means(x), v) for v in VARIANTS},  # type: ignore[misc]
}
DRAWN = ("bradley_terry", "ranking", "agreement")
SLOW = ("agreement", "calibration_figures", "bradley_terry", "paired_difference")


def numbers(value: object) -> list[float]:
    """All numbers in a value, None as NaN; words are left out."""
    if isinstance(value, dict):
        return [number for part in value.values() for number in numbers(part)]
    if isinstance(value, (list, tuple, np.ndarray)):
        return [number for part in value for number in numbers(part)]
    if isinstance(value, str):
        return []
    return [np.nan if value is None else float(value)]  # type: ignore[arg-type]


scores = st.one_of(
    st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=N, max_size=N),
    st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4, 0.7, 1 / 3, 2 / 3]), min_size=N, max_size=N),
    st.sampled_from([0.0, 0.1, 0.3, 0.4, 1 / 3, 0.5, 0.9, 1.0]).map(lambda score: [score] * N),
    st.permutations([0.0, 0.1, 0.2, 0.3, 0.4, 0.5] * 4),
)
signs = st.lists(st.sampled_from([-1, 0, 1]), min_size=N, max_size=N)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_number_does_not_turn_on_the_last_bits(name: str) -> None:
    estimate, atol = ESTIMATORS[name], A_DRAW if name in DRAWN else 1e-6

    @settings(max_examples=8 if name in SLOW else 30, derandomize=True)
    @given(scores, signs)
    def same(drawn: Sequence[float], moved: Sequence[int]) -> None:
        x = np.array(drawn)
        beside = np.clip(x * (1 + BITS * np.array(moved)) + BITS * 1e-3 * np.array(moved), 0.0, 1.0)
        expected, found = numbers(estimate(x)), numbers(estimate(beside))
        assert len(found) == len(expected)
        np.testing.assert_allclose(found, expected, atol=atol, rtol=1e-6)

    same()
