"""No state of a number turns on the last bits of what a float32 network reads."""

from __future__ import annotations

import numpy as np
import pytest

from worldgym.trust.action_following import _gain, _state

# correlation with the command, gain, correlation on recordings
AT_A_LIMIT = [
    ((0.6, 1.0, 0.9), "follows"),
    ((0.9, 0.5, 0.9), "follows"),
    ((0.9, 2.0, 0.9), "follows"),
    ((0.9, 1.0, 0.5), "follows"),
    ((0.3, 1.0, 0.9), "weak"),
    ((0.9, 0.2, 0.9), "weak"),
]


@pytest.mark.parametrize("values, state", AT_A_LIMIT)
@pytest.mark.parametrize("bits", [-4e-7, -1e-15, 0.0, 1e-15, 4e-7])
def test_at_a_limit_the_last_bits_decide_nothing(
    values: tuple[float, float, float], state: str, bits: float
) -> None:
    moved = [float(np.float32(value) * (1 + bits)) for value in values]
    assert _state(*moved) == state


@pytest.mark.parametrize(
    "values, state",
    [
        ((0.59, 1.0, 0.9), "weak"),
        ((0.9, 2.01, 0.9), "weak"),
        ((0.29, 1.0, 0.9), "dead"),
        ((0.9, -1.0, 0.9), "dead"),
        ((0.9, 1.0, 0.49), "unreadable"),
        ((None, 1.0, 0.9), "unreadable"),
        ((0.9, None, 0.9), "unreadable"),
        ((0.9, 1.0, None), "unreadable"),
    ],
)
def test_beyond_a_limit_the_state_is_another(
    values: tuple[float | None, float | None, float | None], state: str
) -> None:
    assert _state(*values) == state


def test_a_gain_needs_a_slope_on_recordings() -> None:
    assert _gain(0.3, 0.1 - 1e-8) == pytest.approx(3.0)
    assert _gain(0.3, 0.09) is None and _gain(None, 0.5) is None and _gain(0.3, None) is None
