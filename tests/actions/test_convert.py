"""Every stated conversion goes there and back, matches published figures, and nothing else is
converted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worldgym.actions.conventions import CONVENTIONS, convention, convention_of, load_convention
from worldgym.actions.convert import CONVERSIONS, convert_actions
from worldgym.errors import InputError
from worldgym.io.records import from_mapping
from worldgym.types import Actions, ActionSpec


def within(spec: ActionSpec, seed: int, rows: int = 8) -> Actions:
    """Actions inside the bounds, the gripper fully open or closed."""
    rng = np.random.default_rng(seed)
    actions = rng.uniform(spec.low, spec.high, (rows, spec.size)).astype(np.float32)
    if "gripper" in spec.names:
        i = spec.names.index("gripper")
        actions[:, i] = np.where(rng.integers(0, 2, rows) == 1, spec.high[i], spec.low[i])
    return actions


@pytest.mark.parametrize("pair", sorted(CONVERSIONS))
@settings(max_examples=15)
@given(seed=st.integers(0, 1000))
def test_back_and_there_again(pair: tuple[str, str], seed: int) -> None:
    """What came out of a conversion comes out of it again: nothing is lost but what was clipped the
    first time."""
    source, target = pair
    there = convert_actions(within(convention(source), seed), source, target)
    again = convert_actions(convert_actions(there, target, source), source, target)
    np.testing.assert_allclose(again, there, atol=1e-5)


@pytest.mark.parametrize("pair", sorted(CONVERSIONS))
@settings(max_examples=15)
@given(seed=st.integers(0, 1000))
def test_there_and_back(pair: tuple[str, str], seed: int) -> None:
    """Small enough not to be clipped, actions come back as they were."""
    source, target = pair
    actions = within(convention(source), seed)
    poses = [i for i, name in enumerate(convention(source).names) if name != "gripper"]
    actions[:, poses] *= 0.15
    back = convert_actions(convert_actions(actions, source, target), target, source)
    np.testing.assert_allclose(back, actions, atol=1e-5)


def test_bridge_to_the_released_form_as_published() -> None:
    raw = np.array(
        [[0.01, -0.02, 0.05, 0.1, -0.25, 0.3, 1.0], [0, 0, -0.06, 0, 0, 0, 0.2]], np.float32
    )
    out = convert_actions(raw, "bridge_v2", "released_10")
    np.testing.assert_allclose(
        out[0], [0.35, -0.7, 1.74, 0.56, -1.39, 1.39, -1, 0, 0, 0], atol=1e-6
    )
    np.testing.assert_allclose(out[1], [0, 0, -1.74, 0, 0, 0, 1, 0, 0, 0], atol=1e-6)


def test_grippers_change_sign_and_scale() -> None:
    meta = np.array([[0.5, 0, 0, 1.0], [0, 0, 0, -1.0]], np.float32)
    np.testing.assert_allclose(
        convert_actions(meta, "metaworld", "bridge_v2")[:, [0, 6]], [[0.02, 0.0], [0.0, 1.0]]
    )
    droid = np.array([[0, 0, 0, 0, 0, 0, 1.0]], np.float32)
    assert convert_actions(droid, "droid_delta", "bridge_v2")[0, 6] == 0.0


def test_jaco_is_standardised() -> None:
    mean = np.array([[0.00096585, -0.00580069, -0.00395066, 1.0]], np.float32)
    np.testing.assert_allclose(
        convert_actions(mean, "jaco_play", "released_10")[0, :7], [0, 0, 0, 0, 0, 0, 1], atol=1e-6
    )


def test_the_same_convention_changes_nothing() -> None:
    actions = within(convention("viola"), 0)
    np.testing.assert_array_equal(convert_actions(actions, "viola", "viola"), actions)


@pytest.mark.parametrize(
    ("source", "target"),
    [("rt_1", "bridge_v2"), ("language_table", "released_10"), ("released_10", "metaworld")],
)
def test_what_is_not_stated_is_refused(source: str, target: str) -> None:
    with pytest.raises(InputError, match=f'no conversion from "{source}" to "{target}"; from'):
        convert_actions(within(convention(source), 0), source, target)


def test_nothing_is_dropped_silently() -> None:
    actions = np.zeros((3, 10), np.float32)
    actions[1, 7] = 0.5
    with pytest.raises(
        InputError, match='"released_10" actions use base_x, which "bridge_v2" cannot express'
    ):
        convert_actions(actions, "released_10", "bridge_v2")


def test_a_wrong_number_of_columns_is_refused() -> None:
    with pytest.raises(InputError, match=r'shape \(2, 6\) are not "bridge_v2", which has 7'):
        convert_actions(np.zeros((2, 6), np.float32), "bridge_v2", "released_10")


def test_the_fifteen_open_x_sets_of_the_released_converter_are_there() -> None:
    sets = {
        "rt_1",
        "bridge_v2",
        "taco_play",
        "jaco_play",
        "berkeley_cable_routing",
        "roboturk",
        "nyu_door_opening",
        "viola",
    }
    sets |= {
        "berkeley_autolab_ur5",
        "toto",
        "libero",
    }  # "bridge" shares bridge_v2's numbers, and four libero sets one form
    assert {source for source, target in CONVERSIONS if target == "released_10"} == sets


@pytest.mark.parametrize("name", sorted(CONVENTIONS))
def test_registered_conventions_are_sound_and_told_apart(name: str) -> None:
    spec = convention(name)
    assert len(spec.low) == len(spec.high) == spec.size and all(
        a < b for a, b in zip(spec.low, spec.high, strict=True)
    )
    assert (
        convention_of(spec) == name
        and from_mapping(ActionSpec, json.loads(json.dumps(spec.to_json()))) == spec
    )


def test_an_unknown_convention_is_refused_with_the_known() -> None:
    with pytest.raises(
        InputError,
        match=(
            r'no action convention "bridge_v3" \(did you mean bridge_v2\?\): one of aloha, '
            r"berkeley_autolab_ur5, .*viola"
        ),
    ):
        convention("bridge_v3")


def test_a_convention_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(convention("viola").to_json() | {"unit": "my own"}))
    assert (
        load_convention(str(path)).unit == "my own"
        and convention_of(load_convention(str(path))) is None
    )


@pytest.mark.parametrize(
    "change",
    [
        {"low": [0.0]},
        {"rate_hz": 0},
        {"names": None},
        {"high": ["a"] * 7},
        {"low": [9.0] * 7},
        {"names": "xyzabcg"},
    ],
)
def test_a_damaged_convention_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(convention("viola").to_json() | change))
    with pytest.raises(InputError, match=r"mine\.json: .*(it must be|needs a low below a high)"):
        load_convention(str(path))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"gripper": "1_open"}, 'its gripper is "1_open"; one of none, '),
        ({"mode": "delta"}, 'its mode is "delta"; one of delta_pose, '),
        ({"rotation": "euler"}, 'its rotation is "euler"'),
        ({"names": ["x", "y", "z", "roll", "pitch", "x", "gripper"]}, "each name stands once"),
        ({"names": ["x", "y", "z", "roll", "pitch", "yaw", "fingers"]}, "one of them ends so"),
    ],
)
def test_a_convention_in_unknown_words_is_refused(
    tmp_path: Path, change: dict[str, object], fault: str
) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(convention("viola").to_json() | change))
    with pytest.raises(InputError, match=rf"mine\.json: .*{fault}"):
        load_convention(str(path))
