import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldgym.policies.own.action_bounds import PolicyFault, commanded, from_unit, to_unit
from worldgym.types import Actions, ActionSpec

SPEC = ActionSpec(
    ("x", "g"), "delta_pose", "m", "none", "1_open_0_closed", (-0.05, 0.0), (0.05, 1.0), 5.0
)


@given(st.floats(-1, 1, width=32), st.floats(-1, 1, width=32))
def test_there_and_back(x: float, g: float) -> None:
    unit = np.array([[x, g]], np.float32)
    actions = from_unit(unit, SPEC)
    assert actions.dtype == np.float32 and np.allclose(to_unit(actions, SPEC), unit, atol=1e-6)


def test_bounds_and_clipping() -> None:
    assert np.allclose(from_unit(np.array([[-1, 1]], np.float32), SPEC), [[-0.05, 1.0]])
    assert np.allclose(to_unit(np.array([[9.0, -9.0]], np.float32), SPEC), [[1.0, -1.0]])


def answer(*numbers: float) -> Actions:
    """Of one trial, an action of two numbers."""
    return np.asarray(numbers, np.float32).reshape(1, -1, 2)


def test_within_the_bounds_nothing_changes() -> None:
    given = answer(0.05, 1.0, -0.05, 0.0)
    held, outside = commanded(given, (1, 2, 2), SPEC, "p")
    assert np.array_equal(held, given) and not outside.any()


def test_outside_they_are_clipped_and_counted() -> None:
    held, outside = commanded(answer(0.06, 0.5, 0.0, -9.0, 0.0, 1.0000001), (1, 3, 2), SPEC, "p")
    assert np.array_equal(held, answer(0.05, 0.5, 0.0, 0.0, 0.0, 1.0)) and outside.tolist() == [
        [True, True, False]
    ]


@pytest.mark.parametrize(
    ("number", "complaint"),
    [
        (1e30, "p returned 1e\\+30 for g, whose bounds are 0 to 1: its unit or scale is wrong"),
        (-10.5, "p returned -10.5 for g"),
        (np.nan, "not finite"),
        (np.inf, "not finite"),
    ],
)
def test_what_no_robot_can_take_is_a_fault(number: float, complaint: str) -> None:
    with pytest.raises(PolicyFault, match=complaint):
        commanded(answer(0.0, number), (1, 1, 2), SPEC, "p")
    with pytest.raises(PolicyFault, match="shape"):
        commanded(answer(0.0, 0.0), (1, 2, 2), SPEC, "p")


@given(st.lists(st.floats(width=32), min_size=2, max_size=2))
def test_what_comes_back_lies_in_the_bounds(numbers: list[float]) -> None:
    with contextlib.suppress(PolicyFault):
        held, _ = commanded(answer(*numbers), (1, 1, 2), SPEC, "p")
        assert (np.float32(SPEC.low) <= held).all() and (held <= np.float32(SPEC.high)).all()
