import contextlib
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldgym.policies.own.action_bounds import (
    PolicyFault,
    answer_of,
    commanded,
    from_unit,
    to_unit,
)
from worldgym.policies.policy_protocol import Observation
from worldgym.testing import FakePolicy
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


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (None, "act returned nothing; it returns "),
        (np.zeros((1, 1, 2), np.float32), "act returned a ndarray of 1; "),
        ({"actions": 1}, "act returned a dict of 1; "),
        (([0], [0], [0]), "act returned a tuple of 3; "),
        ((None, np.zeros((1, 1, 2))), "act returned nothing as states of 1 trials; "),
        (([], np.zeros((1, 1, 2))), "act returned a list of 0 as states of 1 trials; "),
        (([0], [[[0.0, 0.0]]]), "its actions are a list of 1; "),
    ],
)
def test_an_answer_of_another_kind_says_what_is_due(returned: object, said: str) -> None:
    class Odd(FakePolicy):
        def act(self, states: object, observations: object) -> Any:
            return returned

    seen = Observation(np.zeros((4, 4, 3), np.uint8), "go", 0)
    with pytest.raises(PolicyFault, match=re.escape(f"policy fake-policy: {said}")) as caught:
        answer_of(Odd(), [0], [seen])
    assert "it returns (new states, actions [B, chunk, A])" in str(caught.value)
