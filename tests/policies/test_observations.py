"""What a policy is shown: history, views and state, or a refusal before the first frame."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from worldgym.actions.conventions import CONVENTIONS
from worldgym.errors import InputError
from worldgym.policies.observations import check_needs, observe, substitutes
from worldgym.policies.policy_protocol import Needs
from worldgym.testing import FAKE_SPEC
from worldgym.types import Task

FRAMES = np.arange(6, dtype=np.uint8)[:, None, None, None, None] * np.ones(
    (1, 1, 4, 4, 3), np.uint8
)
TASK = Task("a/1", "a", FRAMES[0, 0], "push", 5)
STATED = replace(TASK, state={"x": 1.0, "y": 2.0, "gripper_open": 1.0})
MOVES = np.tile(np.array([[0.5, -1.0, 1.0]], np.float32), (5, 1))


def test_the_newest_frame_is_the_default() -> None:
    seen = observe(Needs(), FAKE_SPEC, TASK, FRAMES[:3], MOVES[:2])
    assert (seen.step, seen.instruction, seen.past, dict(seen.views), seen.state) == (
        2,
        "push",
        (),
        {},
        (),
    )
    assert seen.frame[0, 0, 0] == 2 and seen.history.shape == (1, 4, 4, 3)


@pytest.mark.parametrize(
    ("step", "levels"), [(0, [0, 0, 0, 0]), (2, [0, 0, 1, 2]), (5, [2, 3, 4, 5])]
)
def test_history_repeats_the_initial_frame(step: int, levels: list[int]) -> None:
    seen = observe(Needs(history=4), FAKE_SPEC, TASK, FRAMES, MOVES[:step])
    assert seen.history[:, 0, 0, 0].tolist() == levels
    assert seen.frame[0, 0, 0] == levels[-1]


def test_the_first_camera_is_the_worlds_and_the_others_are_black() -> None:
    needs = Needs(cameras=("front", "wrist"), blackened=("wrist",))
    seen = observe(needs, FAKE_SPEC, TASK, FRAMES, MOVES)
    assert list(seen.views) == ["front", "wrist"]
    assert (seen.views["front"] == 5).all() and not seen.views["wrist"].any()
    assert substitutes(needs, TASK) == ("black view: wrist",)


def test_state_starts_at_the_tasks_and_follows_the_actions() -> None:
    needs = Needs(state=("y", "x", "gripper_closed"))  # FAKE_SPEC: 0.01 m a unit, +1 closes
    assert observe(needs, FAKE_SPEC, STATED, FRAMES, MOVES[:0]).state == (2.0, 1.0, 0.0)
    assert observe(needs, FAKE_SPEC, STATED, FRAMES, MOVES[:4]).state == pytest.approx(
        (1.96, 1.02, 1.0)
    )
    before = observe(replace(needs, history=3), FAKE_SPEC, STATED, FRAMES, MOVES[:1]).past_states
    assert before == ((2.0, 1.0, 0.0), (2.0, 1.0, 0.0))
    assert substitutes(needs, STATED) == ()
    assert substitutes(replace(needs, from_zero=True), TASK) == ("state counted from zero",)


@pytest.mark.parametrize(
    ("needs", "task", "complaint"),
    [
        (
            Needs(cameras=("front", "wrist")),
            TASK,
            'camera "wrist", and the world draws one view, which is its "front"',
        ),
        (Needs(state=("x",)), TASK, "task a/1 does not say how it starts"),
        (Needs(state=("x", "z"), from_zero=True), STATED, 'add "state" with z'),
        (Needs(state=("elbow",)), STATED, "elbow.*cannot be followed"),
    ],
)
def test_what_cannot_be_given_is_refused(needs: Needs, task: Task, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        check_needs("p", needs, FAKE_SPEC, [STATED, task])


def test_joint_velocities_are_refused_with_a_reason() -> None:
    with pytest.raises(
        InputError, match=r"\(x\), which is not known: joint velocities need a model of the arm"
    ):
        check_needs("p", Needs(state=("x",)), CONVENTIONS["droid_joint_velocity"], [STATED])


def test_what_can_be_given_is_not() -> None:
    needs = Needs(15, ("front", "wrist"), ("wrist",), ("x", "gripper_open"), from_zero=True)
    check_needs("p", needs, FAKE_SPEC, [TASK, STATED])
    check_needs("p", Needs(), CONVENTIONS["droid_joint_velocity"], [TASK])


def test_needs_that_contradict_themselves() -> None:
    with pytest.raises(ValueError, match="history"):
        Needs(history=0)
    with pytest.raises(ValueError, match="wrist"):
        Needs(cameras=("front",), blackened=("wrist",))
    with pytest.raises(ValueError, match="up to 100 names of 1 to 100 characters"):
        Needs(cameras=("",))
    assert Needs().to_json() == {} and Needs(2, ("front",)).to_json() == {
        "history": 2,
        "cameras": ["front"],
    }


@pytest.mark.parametrize("needs", [Needs(), Needs(15, ("a", "b"), ("b",), ("x",), True)])
def test_needs_survive_json(needs: Needs) -> None:
    assert Needs.from_json(json.loads(json.dumps(needs.to_json()))) == needs


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"history": "two"}, "\"history\" holds 'two'; it must be a whole number"),
        ({"history": 0}, "history must be 1 to 1000"),
        ({"state": ["x", 1]}, r'"state\[1\]" holds 1; it must be a text'),
        ({"cameras": ["x"] * 101}, "up to 100 names"),
        ({"blackened": ["x"]}, "not among the cameras"),
        ({"colour": 1}, '"colour" is unknown'),
        ([], "it must be a table of history"),
    ],
)
def test_json_that_says_no_needs(values: object, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Needs.from_json(values)


def test_cameras_are_found_by_name_among_several_views() -> None:
    views = ("front", "wrist")
    both = np.concatenate([FRAMES, FRAMES + 100], axis=1)
    needs = Needs(cameras=("image", "wrist"))
    seen = observe(needs, FAKE_SPEC, TASK, both, MOVES, views)
    assert seen.frame[0, 0, 0] == 5 and seen.views["wrist"][0, 0, 0] == 105
    seen = observe(Needs(cameras=("wrist",)), FAKE_SPEC, TASK, both, MOVES, views)
    assert seen.frame[0, 0, 0] == 105
    check_needs("p", needs, FAKE_SPEC, [TASK], views)
    assert substitutes(needs, TASK, views) == ()
    for cameras in (("image", "hand"), ("image", "front")):
        with pytest.raises(InputError, match="and the world draws front, wrist"):
            check_needs("p", Needs(cameras=cameras), FAKE_SPEC, [TASK], views)
    long = Needs(cameras=("observation.images.front", "observation.images.wrist"))
    assert substitutes(long, TASK, views) == ()
    seen = observe(long, FAKE_SPEC, TASK, both, MOVES, views)
    assert seen.views["observation.images.wrist"][0, 0, 0] == 105
    black = Needs(cameras=("front", "hand"), blackened=("hand",))
    check_needs("p", black, FAKE_SPEC, [TASK], views)
    assert observe(black, FAKE_SPEC, TASK, both, MOVES, views).views["hand"].max() == 0
    assert substitutes(black, TASK, views) == ("black view: hand",)
