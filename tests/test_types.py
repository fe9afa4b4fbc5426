"""The nouns refuse what contradicts them, and a trial's seed depends on nothing but the trial."""

from __future__ import annotations

import json
import math
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldgym.io.records import from_mapping
from worldgym.testing import FAKE_SPEC
from worldgym.types import ActionSpec, Episode, Task, Trial, Verdict, Vote, is_success

NUMBERS = st.floats(-1e6, 1e6)


@st.composite
def specs(draw: st.DrawFn) -> ActionSpec:
    size = draw(st.integers(1, 8))
    return ActionSpec(
        names=tuple(f"a{i}" for i in range(size)),
        mode=draw(
            st.sampled_from(["delta_pose", "absolute_pose", "joint_velocity", "joint_position"])
        ),
        unit=draw(st.text(max_size=20)),
        rotation=draw(st.sampled_from(["none", "euler_xyz", "axis_angle", "quaternion"])),
        gripper=draw(st.sampled_from(["none", "+1_closed", "+1_open", "1_open_0_closed"])),
        low=tuple(draw(st.lists(NUMBERS, min_size=size, max_size=size))),
        high=tuple(draw(st.lists(NUMBERS, min_size=size, max_size=size))),
        rate_hz=draw(st.floats(0.1, 1000.0)),
    )


def trial(name: str = "drawer-open/10000", repeat: int = 0, run_seed: int = 0) -> Trial:
    task = Task(name, "drawer-open", np.zeros((4, 4, 3), np.uint8), "open the drawer", steps=40)
    return Trial(task, repeat, run_seed)


@given(specs())
def test_a_spec_survives_json(spec: ActionSpec) -> None:
    again = from_mapping(ActionSpec, json.loads(json.dumps(spec.to_json())))
    assert again == spec
    assert spec.differences(again) == []
    assert again.size == len(spec.names)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("gripper", "+1_open"),
        ("rate_hz", 20.0),
        ("low", (-2.0, -1.0, -1.0)),
        ("mode", "joint_position"),
    ],
)
def test_differences_name_the_field_and_both_values(field: str, value: object) -> None:
    other = replace(FAKE_SPEC, **{field: value})  # type: ignore[arg-type]
    (sentence,) = FAKE_SPEC.differences(other)
    mine, theirs = FAKE_SPEC.to_json()[field], other.to_json()[field]
    assert sentence == f"{field}: {mine} against {theirs}"


def test_an_episode_has_one_frame_more_than_actions() -> None:
    frames, actions = np.zeros((4, 1, 8, 8, 3), np.uint8), np.zeros((3, 3), np.float32)
    assert len(Episode(frames, actions, "push", FAKE_SPEC, 5.0)) == 3
    with pytest.raises(
        ValueError, match=r"actions must have shape \(3, 3\) for 4 frames, not \(4, 3\)"
    ):
        Episode(frames, np.zeros((4, 3), np.float32), "push", FAKE_SPEC, 5.0)


@pytest.mark.parametrize(
    "frames",
    [
        np.zeros((4, 1, 8, 8, 3), np.float32),
        np.zeros((4, 1, 3, 8, 8), np.uint8),
        np.zeros((4, 8, 8, 3), np.uint8),
        np.zeros((8, 8, 3), np.uint8),
    ],
)
def test_an_episode_refuses_frames_of_another_form(frames: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"frames must be uint8 \[T\+1, V, H, W, 3\]"):
        Episode(frames, np.zeros((3, 3), np.float32), "push", FAKE_SPEC, 5.0)


@given(st.text(max_size=30), st.integers(0, 10_000), st.integers(0, 2**63 - 1))
def test_a_seed_has_63_bits_and_depends_on_the_trial_alone(
    name: str, repeat: int, run_seed: int
) -> None:
    seed = trial(name, repeat, run_seed).seed
    assert 0 <= seed < 2**63
    assert seed == trial(name, repeat, run_seed).seed


def test_seeds_differ_between_trials_and_stay_what_they_are() -> None:
    trials = [
        trial(name, repeat, run) for name in ("a", "b") for repeat in range(20) for run in range(5)
    ]
    assert len({t.seed for t in trials}) == len(trials)
    # changing the derivation would break every log on disk
    assert trial().seed == 7019112629928290268
    assert trial(repeat=3).key == "drawer-open/10000#3"


def test_an_unscored_verdict_gives_its_reason() -> None:
    assert Verdict(None, "judge", reason="too dark").unscored
    assert not Verdict(0.0, "judge").unscored
    with pytest.raises(ValueError, match="needs a reason"):
        Verdict(None, "judge")


@pytest.mark.parametrize("score", [-0.1, 1.1, float("nan")])
def test_a_score_lies_between_0_and_1(score: float) -> None:
    with pytest.raises(ValueError, match="score must lie in"):
        Verdict(score, "judge")


def test_one_half_is_no_success_however_it_was_added_up() -> None:
    halves = (0.5, sum([0.1] * 5), 0.15 + 0.35, sum([1 / 6] * 3), 0.5 + 1e-12)
    assert not any(map(is_success, halves)) and is_success(0.51) and is_success(1.0)


def test_a_verdict_holds_what_a_log_can_hold() -> None:
    vote = Vote(np.float32(0.5), cost_usd=np.float64(0.1))  # type: ignore[arg-type]
    verdict = Verdict(np.float32(0.5), "judge", probability=np.float64(0.25), votes=(vote,))  # type: ignore[arg-type]
    assert {type(x) for x in (verdict.score, verdict.probability, vote.score, vote.cost_usd)} == {
        float
    }
    for numbers in (
        {"probability": math.nan},
        {"progress": 1.5},
        {"cost_usd": math.inf},
        {"paid_usd": math.nan},
    ):
        with pytest.raises(ValueError, match="must"):
            Verdict(1.0, "judge", **numbers)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="finite"):
        Vote(math.nan)
    for provenance in ({"tokens": np.int64(3)}, {"score": math.nan}):
        with pytest.raises((TypeError, ValueError)):
            Verdict(1.0, "judge", provenance=provenance)


def test_nouns_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        trial().repeat = 1  # type: ignore[misc]


def test_an_edited_task_meets_the_noise_of_its_twin() -> None:
    nominal = trial()
    twin = replace(
        nominal, task=replace(nominal.task, name="dim/drawer-open/10000", nominal=nominal.task.name)
    )
    assert twin.seed == nominal.seed and twin.key != nominal.key
