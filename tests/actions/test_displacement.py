"""A motion moved aside ends as far beside its old end as was asked for, wherever bounds have
room."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldgym.actions.conventions import CONVENTIONS, convention
from worldgym.actions.displacement import immovable, in_action_units, moved_aside, sideways
from worldgym.errors import InputError

SPEC = convention("metaworld")  # 0.04 m an action, bounds of 1


@given(seed=st.integers(0, 2**40), level=st.floats(0.0, 1.0))
def test_a_motion_ends_ten_centimetres_beside_its_end(seed: int, level: float) -> None:
    actions = np.random.default_rng(seed).uniform(-level, level, (40, 4)).astype(np.float32)
    offset = sideways(actions, SPEC, seed)
    assert np.hypot(*offset[:2]) == pytest.approx(0.1 / 0.04) and not offset[2:].any()
    moved, left = moved_aside(actions, offset, SPEC)
    assert np.abs(moved).max() <= 1.0 and not np.abs(left).max() > 1e-9
    np.testing.assert_allclose((moved - actions).sum(0), offset, atol=1e-4)
    np.testing.assert_array_equal(moved[20:], actions[20:])  # early: nothing is left to be done


def test_the_way_aside_is_at_right_angles_to_the_motion_and_on_either_side() -> None:
    ahead = np.tile(np.array([[0.3, 0.4, -0.2, 1.0]], np.float32), (10, 1))
    sides = [sideways(ahead, SPEC, seed) for seed in (0, 1)]
    assert [float(side[:2] @ [0.3, 0.4]) for side in sides] == pytest.approx([0.0, 0.0], abs=1e-6)
    np.testing.assert_allclose(sides[0], -sides[1])


def test_bounds_without_room_leave_some_over() -> None:
    full = np.full((3, 4), 1.0, np.float32)
    moved, left = moved_aside(full, in_action_units({"x": 0.1}, SPEC), SPEC)
    np.testing.assert_array_equal(moved, full)
    assert left[0] == pytest.approx(2.5)


def test_absolute_poses_move_as_they_are() -> None:
    spec = replace(SPEC, mode="absolute_pose", unit="1 m", low=(-1.0,) * 4, high=(1.0,) * 4)
    places = np.array([[0.1, 0.5, 0.2, 1.0], [0.3, 0.5, 0.2, -1.0]], np.float32)
    moved, left = moved_aside(places, sideways(places, spec, 1), spec)
    np.testing.assert_allclose(moved - places, [[0, 0.1, 0, 0]] * 2, atol=1e-6)
    assert np.abs(left).max() < 1e-9
    _, stopped = moved_aside(places, in_action_units({"x": 0.8}, spec), spec)
    assert stopped[0] == pytest.approx(0.1, abs=1e-6)


def test_every_convention_is_moved_or_refused_in_a_sentence() -> None:
    actions = np.zeros((40, 20), np.float32)
    for name, spec in CONVENTIONS.items():
        if reason := immovable(spec):
            assert "\n" not in reason
            with pytest.raises(InputError, match="give a convention"):
                in_action_units({"x": 0.1}, spec)
        else:
            shown = actions[:, : spec.size]
            offset = sideways(shown, spec, 0)
            assert np.abs(moved_aside(shown, offset, spec)[1]).max() < 1e-9, name
    assert "contain no pose" in str(immovable(convention("droid_joint_velocity")))
    assert "does not give metres" in str(immovable(convention("rt_1")))
    assert immovable(convention("bridge_v2")) is None
