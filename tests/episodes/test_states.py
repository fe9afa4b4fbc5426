"""Moves that are taken from states lead from the first pose to the last, by the rule that policies'
states are followed with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from worldgym.actions.conventions import convention
from worldgym.actions.pose import Pose, pose_after
from worldgym.episodes.recording import Recording, RecordingFacts
from worldgym.episodes.states import not_a_pose, plain_names, pose_moves, state_notes
from worldgym.episodes.time_rule import TimeRule, to_episode
from worldgym.errors import InputError

SPEC = convention("bridge_v2")
EULER = ("x", "y", "z", "roll", "pitch", "yaw")


def walk(seed: int, n: int) -> tuple[np.ndarray, Rotation]:
    """Positions [n, 3] and orientations of an arm that turns by up to half a radian between frames,
    from anywhere."""
    rng = np.random.default_rng(seed)
    turned = [Rotation.random(random_state=seed)]
    for turn in rng.uniform(-0.3, 0.3, (n - 1, 3)):
        turned.append(Rotation.from_rotvec(turn) * turned[-1])
    return rng.uniform(-0.5, 0.5, (n, 3)), Rotation.concatenate(turned)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 30), st.sampled_from(["euler_xyz", "axis_angle"]))
@pytest.mark.parametrize("form", ["euler", "named euler", "axis", "quaternion"])
def test_moves_lead_from_the_first_pose_to_the_last(
    form: str, seed: int, n: int, rotation: str
) -> None:
    places, turned = walk(seed, n)
    names: tuple[str, ...] = ()
    if form == "axis":
        states, names = (
            np.hstack([turned.as_rotvec(), places]),
            ("rx", "ry", "rz", "ee.x", "ee.y", "ee.z"),
        )
    elif form == "quaternion":
        states, names = (
            np.hstack([places, turned.as_quat()]),
            ("x", "y", "z", "qx", "qy", "qz", "qw"),
        )
    else:
        states = np.hstack([places, turned.as_euler("xyz")])
        if form == "named euler":
            states, names = states[:, ::-1], EULER[::-1]
    moves = pose_moves(states.astype(np.float32), names, rotation)
    spec = replace(SPEC, rotation=rotation)
    begin = Pose(places[0], turned[0].as_matrix(), 1.0)
    end = pose_after(begin, np.hstack([moves, np.ones((n - 1, 1), np.float32)]), spec)
    np.testing.assert_allclose(end.position, places[-1], atol=1e-5)
    # float32 angles near the pole
    assert (turned[-1].inv() * Rotation.from_matrix(end.rotation)).magnitude() < 1e-3


@pytest.mark.parametrize(
    "names",
    [
        EULER,
        ("x.pos", "y.pos", "z.pos", "rx", "ry", "rz", "gripper.pos"),
        ("ee_x", "ee_y", "ee_z", "ee_qx", "ee_qy", "ee_qz", "ee_qw"),
        ("observation.state.eef_x", "eef.y", "EEF_Z", "roll", "pitch", "yaw"),
        ("dim_0", "dim_1", "dim_2"),
        ("0", "1"),
        (),
    ],
)
def test_names_of_a_pose(names: tuple[str, ...]) -> None:
    assert not_a_pose(names) == ""
    assert not plain_names(names) or {"x", "y", "z"} <= set(plain_names(names))


@pytest.mark.parametrize(
    "names",
    [
        ("joint_0", "joint_1", "joint_2", "joint_3", "joint_4", "joint_5", "gripper"),
        (
            "shoulder_pan.pos",
            "shoulder_lift.pos",
            "elbow_flex.pos",
            "wrist_flex.pos",
            "wrist_roll.pos",
            "gripper.pos",
        ),
        ("motor_0", "motor_1", "motor_2", "motor_3", "motor_4", "motor_5"),
        ("x", "y", "z", "gripper"),
    ],
)
def test_names_of_anything_else_are_refused(names: tuple[str, ...]) -> None:
    n = 4
    states = np.zeros((n, len(names)), np.float32)
    frames, actions = np.zeros((n, 4, 4, 3), np.uint8), np.zeros((n, 7), np.float32)
    recording = Recording(
        frames, actions, states, "", "here", facts=RecordingFacts(state_names=names)
    )
    with pytest.raises(
        InputError,
        match=f"here: its states are not the robot's pose .its numbers are named {names[0]}",
    ):
        to_episode(recording, SPEC, TimeRule(relabel=True))
    with pytest.raises(InputError, match="not the robot's pose"):
        recording.moves()


def test_what_a_layout_knows_is_refused_too() -> None:
    states, frames = np.zeros((4, 31), np.float32), np.zeros((4, 4, 4, 3), np.uint8)
    facts = RecordingFacts(no_pose="they are the simulator's")
    recording = Recording(frames, np.zeros((4, 7), np.float32), states, "", "here", facts=facts)
    with pytest.raises(InputError, match=r"\(they are the simulator's\); leave relabelling off"):
        to_episode(recording, SPEC, TimeRule(relabel=True))


def test_what_is_to_be_known_of_states_is_noted() -> None:
    moving = np.arange(12, dtype=np.float32).reshape(2, 6)
    assert state_notes(None, ()) == state_notes(moving, EULER) == []
    assert "the states have no names" in state_notes(moving, ())[0]
    assert state_notes(moving * 0, EULER) == ["the states never change: is it the right --state?"]
