"""Our prediction-powered inference against the authors' library, ppi-python 0.2.3 (350 MB with what it needs): make test-ppi."""

from __future__ import annotations

import numpy as np
import pytest

from worldgym.stats.prediction import Frames, power_tuning, prediction_powered

ppi_py = pytest.importorskip("ppi_py", reason="an opt-in check: make test-ppi")

SETTINGS = [(0.9, 400, 4000), (0.6, 400, 4000), (0.2, 1000, 2000), (0.6, 150, 600)]


def study(trust: float, n: int, N: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Real and imagined scores of n frames, and imagined ones of N more; trust: share of the real score that f explains."""
    rng = np.random.default_rng([round(100 * trust), n])
    f, extra = rng.random(n), rng.random(N)
    return np.clip(trust * f + (1 - trust) * rng.random(n), 0, 1), f, extra


@pytest.mark.parametrize(("trust", "n", "N"), SETTINGS)
def test_lambda_and_estimate_are_theirs(trust: float, n: int, N: int) -> None:
    y, f, extra = study(trust, n, N)
    known = float(np.squeeze(ppi_py.ppi_mean_pointestimate(y, f, extra)))
    belief, _ = power_tuning(y, f - extra.mean(), np.ones(n), extra.var() / N)
    ours = float(y.mean() - belief * (f.mean() - extra.mean()))
    print(f"trust {trust}, n {n}, N {N}: lambda {belief:.4f}, estimate {ours:.5f}, ppi-python {known:.5f}")
    assert ours == pytest.approx(known, abs=2e-4)


@pytest.mark.parametrize(("trust", "n", "N"), SETTINGS)
def test_the_interval_is_theirs_up_to_doubt_and_wilson(trust: float, n: int, N: int) -> None:
    """Ours has half a frame of doubt on either side and Wilson's form: with hundreds of frames that moves little."""
    y, f, extra = study(trust, n, N)
    low, high = (float(np.squeeze(end)) for end in ppi_py.ppi_mean_ci(y, f, extra, alpha=0.05))
    zeros = np.zeros(n, int)
    found = prediction_powered(Frames(y, f, zeros, extra, np.zeros(N, int)))
    print(f"trust {trust}, n {n}, N {N}: ours {found.low:.4f} to {found.high:.4f}, ppi-python {low:.4f} to {high:.4f}")
    assert found.high - found.low == pytest.approx(high - low, rel=0.08)
    assert (found.low + found.high) / 2 == pytest.approx((low + high) / 2, abs=0.1 * (high - low))
