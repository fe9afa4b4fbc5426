"""Actions in units of their own spread."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from worldgym.actions.conventions import CONVENTIONS
from worldgym.actions.embodiment import Embodiment, Reach, Scaling
from worldgym.errors import InputError
from worldgym.io.records import from_mapping
from worldgym.testing import FAKE_SPEC


def drawn(mean: float, spread: float, count: int = 4000, size: int = FAKE_SPEC.size) -> np.ndarray:
    return np.random.default_rng(0).normal(mean, spread, (count, size)).astype(np.float32)


def test_nothing_is_touched_without_a_scale() -> None:
    actions = drawn(0.0, 1.0, 3)
    assert Scaling().shown(actions) is actions


def test_moves_keep_their_zero_and_get_unit_mean_square() -> None:
    scaling = Scaling.measured(FAKE_SPEC, drawn(0.01, 0.02))
    shown = scaling.shown(drawn(0.01, 0.02))
    assert shown.dtype == np.float32
    np.testing.assert_allclose(np.square(shown).mean(0), 1.0, rtol=1e-4)
    assert not scaling.shown(np.zeros((1, FAKE_SPEC.size), np.float32)).any()


def test_places_get_zero_mean_and_unit_variance() -> None:
    spec = replace(FAKE_SPEC, mode="absolute_pose")
    shown = Scaling.measured(spec, drawn(0.7, 0.02)).shown(drawn(0.7, 0.02))
    np.testing.assert_allclose(shown.mean(0), 0.0, atol=1e-3)
    np.testing.assert_allclose(shown.std(0), 1.0, rtol=1e-3)


def test_a_number_that_never_moves_stays() -> None:
    actions = drawn(0.0, 1.0)
    actions[:, 1] = 0.0
    assert Scaling.measured(FAKE_SPEC, actions).scale[1] == 1.0


@pytest.mark.parametrize(
    "spec", [CONVENTIONS["bridge_v2"], CONVENTIONS["droid_cartesian"]], ids=["moves", "places"]
)
def test_json_round_trip(spec) -> None:  # type: ignore[no-untyped-def]
    robot = Embodiment("arm", spec, Scaling.measured(spec, drawn(0.2, 0.1, size=spec.size)))
    assert Embodiment.from_json(robot.to_json()) == robot


def test_a_reach_is_told_in_actions_and_shown_as_they_are() -> None:
    size = FAKE_SPEC.size
    reach = Reach((((-2.0,) * size, (4.0,) * size), ((0.0,) * size, (1.0,) * size)))
    reach.check(FAKE_SPEC)
    scaling = Scaling((0.0,) * size, (0.5,) * size, reach)
    assert scaling.sums == 2 and Scaling().sums == 1
    bounds = scaling.bounds(size)
    assert (
        bounds is not None
        and bounds.dtype == np.float32
        and bounds.tolist() == [[[-4.0] * size, [8.0] * size], [[0.0] * size, [2.0] * size]]
    )
    assert Scaling().bounds(size) is None
    robot = Embodiment("arm", FAKE_SPEC, scaling)
    assert Embodiment.from_json(robot.to_json()) == robot
    assert from_mapping(Scaling, {"offset": [], "scale": []}) == Scaling()  # of older checkpoints


@pytest.mark.parametrize("box", [((0.1,), (1.0,)), ((-1.0,), (-0.5,)), ((-1.0, -1.0), (1.0,))])
def test_a_box_that_does_not_hold_the_start_is_refused(
    box: tuple[tuple[float, ...], tuple[float, ...]],
) -> None:
    with pytest.raises(InputError, match="box of a reach"):
        Reach((box,)).check(replace(FAKE_SPEC, names=("x",)))
    with pytest.raises(InputError, match="absolute_pose"):
        Reach((((-1.0,), (1.0,)),)).check(replace(FAKE_SPEC, names=("x",), mode="absolute_pose"))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"name": 3}, '"name" holds 3; it must be a text'),
        ({"scaling": {"offset": ["0"], "scale": []}}, r'"scaling.offset\[0\]" holds'),
        ({"spec": FAKE_SPEC.to_json() | {"rate_hz": "5"}}, '"spec.rate_hz" holds'),
        ({"scaling": {"reach": [[[0.0]]]}}, r'"boxes\[0\]" holds'),
    ],
)
def test_a_field_that_does_not_fit_is_named(change: dict[str, object], fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        Embodiment.from_json(Embodiment("arm", FAKE_SPEC).to_json() | change)
