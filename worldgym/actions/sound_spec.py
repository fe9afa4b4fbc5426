"""Whether an action convention can be one: told by a server, or by the user's own code. Without
NumPy."""

from __future__ import annotations

import math

from worldgym.types import ActionSpec

MAX_NUMBERS = 1000  # of an action
MAX_NAME = 200  # characters
RATES = (1e-3, 1e5)  # Hz


def fault_of_spec(spec: ActionSpec) -> str | None:
    """What is wrong with it, in words; None where nothing is."""
    if not 1 <= spec.size <= MAX_NUMBERS or not len(spec.low) == len(spec.high) == spec.size:
        return (
            f"its spec needs 1 to {MAX_NUMBERS} names, and one lower and one upper bound for each"
        )
    if double := next((name for name in spec.names if spec.names.count(name) > 1), None):
        return f'its spec names "{double}" twice'
    if not all(0 < len(name) <= MAX_NAME and name.isprintable() for name in spec.names):
        return f"the names of its spec need 1 to {MAX_NAME} printable characters"
    bounds = [*spec.low, *spec.high]
    ordered = all(low < high for low, high in zip(spec.low, spec.high, strict=True))
    if not ordered or not all(map(math.isfinite, bounds)):
        return "its spec's bounds must be finite, low < high"
    if not RATES[0] <= spec.rate_hz <= RATES[1]:  # false for NaN too
        return f"its spec's rate is {spec.rate_hz:g} Hz; give {RATES[0]:g} to {RATES[1]:g}"
    return None
