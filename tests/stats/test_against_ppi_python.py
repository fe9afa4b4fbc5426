"""Our prediction-powered inference against the authors' library, ppi-python 0.2.3: make
test-ppi."""

from __future__ import annotations

import numpy as np
import pytest

from worldgym.stats.prediction import Frames, power_tuning, prediction_powered

ppi_py = pytest.importorskip("ppi_py", reason="an opt-in check: make test-ppi")

SETTINGS = [(0.9, 400, 4000), (0.6, 400, 4000), (0.2, 1000, 2000), (0.6, 150, 600)]


def study(trust: float, n: int, N: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Real and generated scores of n frames, and generated ones of N more; trust: share of the real
    score that f explains."""
    rng = np.random.default_rng([round(100 * trust), n])
    f, extra = rng.random(n), rng.random(N)
    return np.clip(trust * f + (1 - trust) * rng.random(n), 0, 1), f, extra


def theirs(y: np.ndarray, f: np.ndarray, extra: np.ndarray) -> tuple[float, float, float]:
    """Estimate and 95 % interval."""
    estimate = float(np.squeeze(ppi_py.ppi_mean_pointestimate(y, f, extra)))
    low, high = (float(np.squeeze(end)) for end in ppi_py.ppi_mean_ci(y, f, extra, alpha=0.05))
    return estimate, low, high


@pytest.mark.parametrize(("trust", "n", "N"), SETTINGS)
def test_estimate_and_variance_are_theirs(trust: float, n: int, N: int) -> None:
    """They estimate the variance of f from both samples, we from the frames tried for real: a
    hundredth of the width apart."""
    y, f, extra = study(trust, n, N)
    known, low, high = theirs(y, f, extra)
    belief, gain = power_tuning(y, f - extra.mean(), np.ones(n), extra.var() / N)
    ours = float(y.mean() - belief * (f.mean() - extra.mean()))
    width = 2 * 1.959964 * float(np.sqrt(y.var() / n / gain))
    print(
        f"trust {trust}, n {n}, N {N}: lambda {belief:.4f}, estimate {ours:.5f}, width "
        f"{width:.5f};",
        end=" ",
    )
    print(f"ppi-python {known:.5f}, width {high - low:.5f}")
    assert ours == pytest.approx(known, abs=0.01 * (high - low))
    assert width == pytest.approx(high - low, rel=0.03)


@pytest.mark.parametrize(("trust", "n", "N"), SETTINGS)
def test_pseudo_frames_make_the_interval_wider_and_never_narrower(
    trust: float, n: int, N: int
) -> None:
    y, f, extra = study(trust, n, N)
    known, low, high = theirs(y, f, extra)
    found = prediction_powered(Frames(y, f, np.zeros(n, int), extra, np.zeros(N, int)))
    print(
        f"trust {trust}, n {n}, N {N}: ours {found.low:.4f} to {found.high:.4f}, ppi-python "
        f"{low:.4f} to {high:.4f}"
    )
    assert 0.99 <= (found.high - found.low) / (high - low) <= 1.2
    assert found.value == pytest.approx(known, abs=0.05 * (high - low))
