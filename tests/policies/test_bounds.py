import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from worldgym.policies.bounds import from_unit, to_unit
from worldgym.types import ActionSpec

SPEC = ActionSpec(("x", "g"), "delta_pose", "m", "none", "1_open_0_closed", (-0.05, 0.0), (0.05, 1.0), 5.0)


@given(st.floats(-1, 1, width=32), st.floats(-1, 1, width=32))
def test_there_and_back(x: float, g: float) -> None:
    unit = np.array([[x, g]], np.float32)
    actions = from_unit(unit, SPEC)
    assert actions.dtype == np.float32 and np.allclose(to_unit(actions, SPEC), unit, atol=1e-6)


def test_bounds_and_clipping() -> None:
    assert np.allclose(from_unit(np.array([[-1, 1]], np.float32), SPEC), [[-0.05, 1.0]])
    assert np.allclose(to_unit(np.array([[9.0, -9.0]], np.float32), SPEC), [[1.0, -1.0]])
