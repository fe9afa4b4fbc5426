"""Statistics from histograms equal those of the pixels themselves."""

from __future__ import annotations

import numpy as np

from worldgym.episodes.action_statistics import QUANTILES
from worldgym.episodes.writers.pixel_statistics import EVERY, PixelCounts


def test_histograms_equal_pixels() -> None:
    rng = np.random.default_rng(0)
    first, second = (rng.integers(low, 200, (2 * EVERY + 1, 6, 8, 3), np.uint8) for low in (10, 90))
    found = PixelCounts().add(first).add(second).statistics()
    pixels = np.concatenate([first[::EVERY], second[::EVERY]]).reshape(-1, 3) / 255
    assert found["count"] == [6] and np.shape(found["mean"]) == (3, 1, 1)
    expected = {
        "mean": pixels.mean(axis=0),
        "std": pixels.std(axis=0),
        "min": pixels.min(axis=0),
        "max": pixels.max(axis=0),
    }
    expected |= {
        name: np.quantile(pixels, q, axis=0, method="inverted_cdf") for name, q in QUANTILES.items()
    }
    for name, values in expected.items():
        np.testing.assert_allclose(np.ravel(found[name]), values, atol=1e-9, err_msg=name)
