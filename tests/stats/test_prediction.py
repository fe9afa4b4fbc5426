from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worldgym.stats.prediction import Frames, expected_gain, power_tuning, prediction_powered
from worldgym.stats.success_rates import clopper_pearson_interval, wilson_interval


def study(
    rng: np.random.Generator,
    n: int,
    N: int,
    p: float = 0.6,
    optimism: float = 0.1,
    blindness: float = 0.05,
) -> Frames:
    """One group; the world shows a failure as success with probability `optimism`, a success as
    failure with `blindness`."""
    y = rng.random(n + N) < p
    f = np.where(y, rng.random(n + N) > blindness, rng.random(n + N) < optimism).astype(float)
    return Frames(y[:n].astype(float), f[:n], np.zeros(n, int), f[n:], np.zeros(N, int))


def test_a_good_world_saves_trials() -> None:
    found = prediction_powered(study(np.random.default_rng(0), 50, 500))
    assert found.helps and found.worth > 80 and 0.5 < found.belief <= 1
    assert found.high - found.low < 0.8 * (found.real_high - found.real_low)
    assert found.saved == pytest.approx(found.worth - 50)
    assert (found.n, found.paired, found.N) == (50, 50, 500)


def test_a_world_that_knows_nothing_leaves_the_classical_interval() -> None:
    rng = np.random.default_rng(1)
    useless = Frames(
        *(rng.integers(0, 2, 30).astype(float) for _ in "yf"),
        np.zeros(30, int),
        np.ones(0),
        np.zeros(0, int),
    )
    useless = replace(
        useless,
        twin=1 - useless.real,
        extra=rng.integers(0, 2, 300).astype(float),
        extra_groups=np.zeros(300, int),
    )
    found = prediction_powered(useless)
    assert not found.helps and found.belief == 0 and found.saved == 0
    assert (found.value, found.low, found.high) == (found.real, found.real_low, found.real_high)
    assert (found.low, found.high) == pytest.approx(wilson_interval(float(useless.real.sum()), 30))
    assert (found.exact_low, found.exact_high) == clopper_pearson_interval(
        int(useless.real.sum()), 30
    )


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_real_frames(n: int) -> None:
    frames = study(np.random.default_rng(2), n, 100)
    found = prediction_powered(frames)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.high - found.low > 0.4
    assert 0 <= found.bet_low <= found.bet_high <= 1 and found.bet_high - found.bet_low > 0.9


def test_no_real_frame_is_an_error() -> None:
    with pytest.raises(ValueError, match="real trial"):
        prediction_powered(study(np.random.default_rng(0), 0, 10))


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(1, 25), st.integers(0, 40), st.booleans())
def test_whatever_the_frames_the_numbers_are_in_range(
    seed: int, n: int, N: int, partial: bool
) -> None:
    rng = np.random.default_rng(seed)
    real, twin, extra = (
        rng.random(size) if partial else rng.integers(0, 2, size).astype(float)
        for size in (n, n, N)
    )
    twin[rng.random(n) < 0.3] = np.nan
    found = prediction_powered(
        Frames(real, twin, rng.integers(0, 3, n), extra, rng.integers(0, 4, N))
    )
    for low, value, high in (
        (found.low, found.value, found.high),
        (found.real_low, found.real, found.real_high),
    ):
        assert -1e-9 <= low <= value + 1e-9 and value - 1e-9 <= high <= 1 + 1e-9
    assert 0 <= found.bet_low <= found.bet_high <= 1
    assert found.worth >= 1 and found.saved >= 0 and 0 <= found.belief <= 1
    assert found.paired <= n and found.N <= N


def test_a_constant_bias_of_the_world_does_not_move_the_estimate() -> None:
    rng = np.random.default_rng(4)
    real, twin, extra = rng.random(40) * 0.4, rng.random(40) * 0.4, rng.random(400) * 0.4
    twin = 0.5 * twin + 0.5 * real
    one = Frames(real, twin, np.zeros(40, int), extra, np.zeros(400, int))
    other = replace(one, twin=twin + 0.5, extra=extra + 0.5)
    a, b = prediction_powered(one), prediction_powered(other)
    assert a.helps and b.value == pytest.approx(a.value, abs=0.02)


def test_groups_may_be_tried_in_other_proportions_for_real() -> None:
    """Easy frames are rare on the robot and common among the generated: the estimate keeps the
    robot's proportions."""
    rng = np.random.default_rng(5)
    groups, extra_groups = np.repeat([0, 1], [10, 40]), np.repeat([0, 1], [900, 100])
    rate = np.array([0.9, 0.2])
    y = (rng.random(50) < rate[groups]).astype(float)
    f = np.where(rng.random(50) < 0.9, y, 1 - y)
    extra = (rng.random(1000) < np.array([0.82, 0.26])[extra_groups]).astype(float)
    found = prediction_powered(Frames(y, f, groups, extra, extra_groups))
    assert found.value == pytest.approx(y.mean(), abs=0.12)
    assert found.low < 0.34 < found.high


def test_power_tuning_is_the_best_lambda() -> None:
    rng = np.random.default_rng(6)
    g = rng.random(200)
    y, once, noise = 0.7 * g + 0.1 * rng.random(200), np.ones(200), 0.0004
    belief, gain = power_tuning(y, g, once, noise)

    def variance(value: float) -> float:
        return float(np.var(y - value * g)) / 200 + value**2 * noise

    assert variance(belief) <= min(variance(belief - 0.01), variance(belief + 0.01))
    assert gain == pytest.approx(float(np.var(y)) / 200 / variance(belief), rel=0.05)
    assert power_tuning(-y, g, once, noise) == (0.0, 1.0)


@pytest.mark.parametrize("N", [1, 2, 3, 5])
@pytest.mark.parametrize("extra", [0.0, 1.0])
def test_few_further_frames_that_all_turn_out_alike_say_little(N: int, extra: float) -> None:
    """Twenty real trials of which half succeed, and a world that is right on all of them."""
    y = np.repeat([1.0, 0.0], 10)
    frames = Frames(y, y, np.zeros(20, int), np.full(N, extra), np.zeros(N, int))
    found = prediction_powered(frames)
    assert found.worth <= 20 + N and found.low < 0.5 < found.high
    assert found.high - found.low > 0.95 * (found.real_high - found.real_low)


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(2, 40), st.integers(0, 60), st.booleans())
def test_generated_frames_are_never_worth_more_than_real_ones(
    seed: int, n: int, N: int, partial: bool
) -> None:
    rng = np.random.default_rng(seed)
    y = rng.random(n) if partial else rng.integers(0, 2, n).astype(float)
    extra = rng.random(N) if partial else rng.integers(0, 2, N).astype(float)
    found = prediction_powered(Frames(y, y, rng.integers(0, 2, n), extra, rng.integers(0, 2, N)))
    assert n <= found.worth <= n + found.N + 1e-9
    assert found.saved == pytest.approx(found.worth - n)


def test_the_expected_gain_is_that_of_frames_that_come_as_expected() -> None:
    """Half of 40 succeed on either side, and 36 agree: r = 0.8; 200 further frames alike."""
    y, f = (
        np.repeat([1.0, 1.0, 0.0, 0.0], [18, 2, 2, 18]),
        np.repeat([1.0, 0.0, 1.0, 0.0], [18, 2, 2, 18]),
    )
    extra = np.tile([1.0, 0.0], 100)
    found = prediction_powered(Frames(y, f, np.zeros(40, int), extra, np.zeros(200, int)))
    assert 40 * expected_gain(40, 200, 0.5, 0.8) == pytest.approx(found.worth)
    assert expected_gain(40, 200, 0.5, 0.0) == 1
    assert expected_gain(20, 2, 0.5, 0.999) <= 22 / 20
