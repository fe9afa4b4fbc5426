from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from worldgym.stats.comparison import tango_interval
from worldgym.stats.equivalence import Gate, passes


def names(n: int) -> list[str]:
    return [str(i) for i in range(n)]


def test_the_bounds_are_one_sided_and_corrected_for_several_policies() -> None:
    a, b = np.repeat([1.0, 1.0, 0.0], [60, 5, 35]), np.repeat([1.0, 0.0, 0.0], [60, 5, 35])
    one = passes(a, b, names(100), Gate(0.05))
    assert (one.low, one.high) == pytest.approx(tango_interval(5, 0, 100, 0.9))
    three = passes(a, b, names(100), Gate(0.05, tests=3))
    assert three.low < one.low and three.value == one.value == pytest.approx(0.05)
    assert passes(np.array([]), np.array([]), [], Gate(0.05)).answer == "undecided"


def test_one_initial_frame_passes_no_gate() -> None:
    assert passes(np.ones(500), np.ones(500), ["x"] * 500, Gate(0.3)).answer == "undecided"


@pytest.mark.slow
@pytest.mark.parametrize("two_sided", [False, True])
def test_what_lies_at_the_margin_passes_in_5_percent_at_most(
    two_sided: bool, measured: Callable[..., None]
) -> None:
    """A true loss of just the margin: it passes in 5 % of studies at most, and fails in 5 % at most
    (Tango's interval keeps close to its level, not below it). An equal policy passes in most."""
    rng, gate = np.random.default_rng(40), Gate(0.1, two_sided)
    found = {loss: list[str]() for loss in (0.1, 0.0)}
    for loss, answers in found.items():
        for _ in range(2000):
            # both, new alone, old alone, neither
            both = rng.choice(4, 200, p=[0.5, 0.08, 0.08 + loss, 0.34 - loss])
            new, old = np.isin(both, (0, 1)).astype(float), np.isin(both, (0, 2)).astype(float)
            answers.append(passes(new, old, names(200), gate).answer)
    measured(
        np.mean([answer == "passes" for answer in found[0.1]]),
        most=0.062,
        name="passes at the margin",
    )
    measured(
        np.mean([answer == "fails" for answer in found[0.1]]),
        most=0.062,
        name="fails at the margin",
    )
    measured(
        np.mean([answer == "passes" for answer in found[0.0]]), least=0.85, name="passes if equal"
    )
