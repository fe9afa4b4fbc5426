"""A convention from a server, or from the user's own code, is checked before anything is divided
by its rate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from worldgym.actions.conventions import CONVENTIONS
from worldgym.actions.sound_spec import fault_of_spec
from worldgym.testing import FAKE_SPEC

NAN = float("nan")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"names": ()}, "needs 1 to 1000 names"),
        ({"low": (-1.0,)}, "one lower and one upper bound"),
        ({"names": ("x", "y", "x")}, 'names "x" twice'),
        ({"names": ("x", "y", "")}, "printable"),
        ({"names": ("x", "y", "\x1b[2J")}, "printable"),
        ({"low": (NAN, -1.0, -1.0)}, "bounds must be finite"),
        ({"high": (float("inf"), 1.0, 1.0)}, "bounds must be finite"),
        ({"low": (1.0, -1.0, -1.0)}, "low < high"),
        ({"rate_hz": 0.0}, "rate is 0 Hz; give 0.001 to 100000"),
        ({"rate_hz": -5.0}, "rate is -5 Hz"),
        ({"rate_hz": NAN}, "rate is nan Hz"),
        ({"rate_hz": float("inf")}, "rate is inf Hz"),
        ({"rate_hz": 1e300}, "rate is 1e+300 Hz"),
        ({"rate_hz": 1e-300}, "rate is 1e-300 Hz"),
    ],
)
def test_what_cannot_be_is_told_in_words(changes: dict[str, Any], words: str) -> None:
    fault = fault_of_spec(replace(FAKE_SPEC, **changes))
    assert fault is not None and words in fault


@pytest.mark.parametrize("name", sorted(CONVENTIONS))
def test_every_named_convention_can_be(name: str) -> None:
    assert fault_of_spec(CONVENTIONS[name]) is None
