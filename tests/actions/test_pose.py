"""Integrated poses: known answers, and the laws of composition."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from worldgym.actions.conventions import CONVENTIONS
from worldgym.actions.pose import (
    ANGLES,
    AXIS,
    GRIPPER,
    NUMBERS,
    POSITION,
    QUATERNION,
    Pose,
    given_by,
    lacking,
    pose_after,
    unsound,
)

BRIDGE, LIBERO, METAWORLD, RELEASED = (
    CONVENTIONS[name] for name in ("bridge_v2", "libero", "metaworld", "released_10")
)
START = {"x": 0.3, "y": -0.1, "z": 0.2, "roll": 0.1, "pitch": -0.4, "yaw": 2.0, "gripper_open": 1.0}
SEQUENCES = arrays(
    np.float32, st.tuples(st.integers(0, 12), st.just(7)), elements=st.floats(-1, 1, width=32)
)


def numbers(start: dict[str, float], actions: object, spec=BRIDGE) -> dict[str, float]:  # type: ignore[no-untyped-def]
    return pose_after(Pose.of(start), np.asarray(actions, np.float32), spec).numbers()


def test_position_adds_up_in_metres_whatever_the_unit() -> None:
    for name, scale in (
        ("bridge_v2", 1.0),
        ("libero", 0.05),
        ("metaworld", 0.04),
        ("released_10", 1 / 35),
        ("language_table", 1.0),
    ):
        spec = CONVENTIONS[name]
        actions = np.zeros((3, spec.size), np.float32)
        actions[:, :2] = [[0.5, 0.1], [0.5, 0.0], [-0.1, 0.1]]
        found = numbers({"x": 0.3, "y": 0.0, "z": 0.2}, actions, spec)
        assert [found[axis] for axis in POSITION] == pytest.approx(
            [0.3 + 0.9 * scale, 0.2 * scale, 0.2]
        )


def test_rotations_compose_about_the_axes_of_the_base() -> None:
    """A quarter about z, then a quarter about x: the gripper's own x axis first points along y,
    then along z."""
    spec = replace(BRIDGE, low=(-4.0,) * 7, high=(4.0,) * 7)
    turned = pose_after(
        Pose.of({}),
        np.array([[0, 0, 0, 0, 0, np.pi / 2, 1], [0, 0, 0, np.pi / 2, 0, 0, 1]], np.float32),
        spec,
    )
    np.testing.assert_allclose(turned.rotation @ [1, 0, 0], [0, 0, 1], atol=1e-6)
    other = pose_after(
        Pose.of({}),
        np.array([[0, 0, 0, np.pi / 2, 0, 0, 1], [0, 0, 0, 0, 0, np.pi / 2, 1]], np.float32),
        spec,
    )
    np.testing.assert_allclose(other.rotation @ [1, 0, 0], [0, 1, 0], atol=1e-6)


def test_axis_angle_is_scaled_to_radians() -> None:
    found = numbers({}, [[0, 0, 0, 0, 0, 1, -1], [0, 0, 0, 0, 0, 1, -1]], LIBERO)
    assert [found[name] for name in AXIS] == pytest.approx([0, 0, 1.0])
    assert [found[name] for name in QUATERNION] == pytest.approx([0, 0, np.sin(0.5), np.cos(0.5)])


@given(SEQUENCES, SEQUENCES)
def test_integrating_in_two_parts_is_integrating_at_once(
    first: np.ndarray, second: np.ndarray
) -> None:
    start = Pose.of(START)
    parts = pose_after(pose_after(start, first, LIBERO), second, LIBERO)
    whole = pose_after(start, np.concatenate([first, second]), LIBERO)
    np.testing.assert_allclose(parts.position, whole.position, atol=1e-9)
    np.testing.assert_allclose(parts.rotation, whole.rotation, atol=1e-9)
    assert parts.gripper_open == whole.gripper_open


@given(st.tuples(*[st.floats(-3.1, 3.1)] * 3))
def test_every_form_of_rotation_is_the_same_rotation(angles: tuple[float, float, float]) -> None:
    pose = Pose.of(dict(zip(ANGLES, angles, strict=True)))
    found = pose.numbers()
    for form in (ANGLES, AXIS, QUATERNION):
        again = Pose.of({name: found[name] for name in form})
        np.testing.assert_allclose(again.rotation, pose.rotation, atol=1e-6)


@pytest.mark.parametrize("pitch", [np.pi / 2, -np.pi / 2])
def test_straight_up_and_down_have_angles_too(pitch: float) -> None:
    pose = Pose.of({"roll": 0.3, "pitch": pitch, "yaw": 0.9})
    found = pose.numbers()
    assert found["yaw"] == 0.0
    np.testing.assert_allclose(
        Pose.of({name: found[name] for name in ANGLES}).rotation, pose.rotation, atol=1e-9
    )


@pytest.mark.parametrize(
    ("form", "told", "opened"),
    [
        ("1_open_0_closed", [0.0, 0.8], 0.8),
        ("1_closed_0_open", [0.0, 0.8], 0.2),
        ("+1_closed", [-0.3], 1.0),
        ("+1_closed", [0.3, 0.0], 0.0),  # 0 leaves it as it is
        ("+1_open", [0.3, 0.0], 1.0),
        ("+1_open", [0.0], 0.5),  # as it started
    ],
)
def test_the_gripper_is_where_it_was_sent(form: str, told: list[float], opened: float) -> None:
    actions = np.zeros((len(told), 7), np.float32)
    actions[:, 6] = told
    found = numbers({"gripper_open": 0.5}, actions, replace(BRIDGE, gripper=form))
    assert [found[name] for name in GRIPPER] == pytest.approx([opened, 1.0 - opened])


@pytest.mark.parametrize(
    ("spec", "names", "reason"),
    [
        (BRIDGE, ("x", "elbow"), '"elbow" cannot be followed'),
        (CONVENTIONS["droid_joint_velocity"], ("x",), "need a model of the arm"),
        (CONVENTIONS["droid_cartesian"], ("x",), "need not reach"),
        (replace(BRIDGE, mode="torque"), ("x",), 'mode "torque"'),
        (CONVENTIONS["rt_1"], ("x",), '"as published by RT-1" does not give metres'),
        (replace(BRIDGE, unit="1 m"), ("yaw",), '"1 m" does not give radians'),
        (replace(BRIDGE, unit="1/0 m"), ("x",), "does not give metres"),
        (CONVENTIONS["language_table"], ("gripper_open",), "no gripper"),
        (
            replace(BRIDGE, names=(*BRIDGE.names[:2], "dz", *BRIDGE.names[3:])),
            ("x",),
            'action number "dz" moves',
        ),
    ],
)
def test_what_is_not_sound_is_said(spec, names: tuple[str, ...], reason: str) -> None:  # type: ignore[no-untyped-def]
    assert reason in str(unsound(spec, names))


def test_what_is_sound() -> None:
    assert unsound(BRIDGE, NUMBERS) is None and unsound(LIBERO, NUMBERS) is None
    assert unsound(METAWORLD, NUMBERS) is None  # it never turns
    assert unsound(RELEASED, ("x", "yaw", "gripper_open")) is None
    assert unsound(CONVENTIONS["rt_1"], ("gripper_closed",)) is None


def test_what_a_start_state_lacks() -> None:
    assert lacking(START, NUMBERS) is None
    assert lacking({}, ("x", "y")) == "x" and lacking({"x": 0.0}, ("x", "y")) == "y"
    assert lacking({"x": 0.0, "roll": 0.0}, ("x", "qw")) == "roll, pitch, yaw"
    assert lacking({"x": 0.0}, ("x", "gripper_closed")) == "gripper_open"
    assert lacking({"gripper_closed": 1.0}, ("gripper_open",)) is None


def test_a_start_state_gives_a_number_in_each_of_its_forms() -> None:
    """The task says how far the gripper is open, and a world predicts how far it is closed."""
    state = {"x": 0.1, "y": 0.2, "z": 0.3, "rx": 0.0, "ry": 0.0, "rz": 0.5, "gripper_open": 0.25}
    np.testing.assert_allclose(given_by(state, ("gripper_closed", "yaw", "x")), [0.75, 0.5, 0.1])
    np.testing.assert_allclose(given_by({"joint_0": 2.0}, ("joint_0",)), [2.0])
    assert np.isnan(given_by({"x": 0.1}, ("y", "roll", "gripper_open", "joint_0"))).all()
    assert np.isnan(given_by({}, ("x", "gripper_closed"))).all()
