"""One rule of time for every set: action t moves frame t to frame t + 1."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worldgym.actions.conventions import convention
from worldgym.episodes.recording import Recording, RecordingFacts
from worldgym.episodes.states import pose_moves
from worldgym.episodes.time_rule import TimeRule, to_episode
from worldgym.errors import InputError

SPEC = convention("bridge_v2")


def numbered(n: int = 6, extra: int = 0) -> Recording:
    """Frame t is of grey level t; action t is t / 1000 in every number; n or n - 1 actions."""
    frames = np.zeros((n, 4, 4, 3), np.uint8) + np.arange(n, dtype=np.uint8)[:, None, None, None]
    actions = np.repeat(np.arange(n - 1 + extra)[:, None] / 1000, 7, axis=1).astype(np.float32)
    states = np.cumsum(np.arange(n)[:, None] * np.full((1, 7), 0.01), axis=0).astype(np.float32)
    return Recording(frames, actions, states, "do it", "here", None, True, {"a": 1})


@settings(max_examples=40)
@given(st.integers(3, 9), st.booleans(), st.booleans(), st.integers(-2, 2))
def test_frame_t_is_moved_by_action_t_plus_shift(
    n: int, extra: bool, drop: bool, shift: int
) -> None:
    rule = TimeRule(drop_first=drop, shift=shift)
    try:
        episode = to_episode(numbered(n, extra), SPEC, rule)
    except InputError:
        assert n - 1 - int(drop) <= abs(shift) + 1
        return
    shown = episode.main[:-1, 0, 0, 0].astype(int)
    np.testing.assert_allclose(episode.actions[:, 0] * 1000, shown + shift, atol=1e-4)
    np.testing.assert_array_equal(episode.main[1:, 0, 0, 0], shown + 1)
    assert not drop or (shown.min() >= 1 and episode.actions[:, 0].min() > 0)


def test_as_it_is_the_last_action_leads_nowhere() -> None:
    episode = to_episode(numbered(6, extra=1), SPEC)
    assert len(episode) == 5 and len(episode.frames) == 6
    assert (episode.instruction, episode.success, episode.source, episode.extras) == (
        "do it",
        True,
        "here",
        {"a": 1},
    )
    assert episode.fps == SPEC.rate_hz


def test_the_recorded_rate_becomes_the_specs() -> None:
    episode = to_episode(replace(numbered(), fps=12.0), SPEC)
    assert episode.fps == episode.spec.rate_hz == 12.0


def test_relabelling_takes_moves_from_states_and_the_gripper_from_actions() -> None:
    facts = RecordingFacts(state_names=SPEC.names)
    recording = replace(numbered(6, extra=1), facts=facts)
    episode = to_episode(recording, SPEC, TimeRule(drop_first=True, relabel=True))
    assert recording.states is not None
    np.testing.assert_allclose(episode.actions[:, :6], pose_moves(recording.states)[1:], atol=1e-6)
    np.testing.assert_allclose(episode.actions[:, 6], recording.actions[1:5, 6])


def test_relabelling_is_refused_where_it_has_no_sense() -> None:
    with pytest.raises(InputError, match="only delta poses in metres and radians"):
        to_episode(numbered(), convention("roboturk"), TimeRule(relabel=True))
    with pytest.raises(InputError, match=r"not the robot's pose \(it holds no states\)"):
        to_episode(replace(numbered(), states=None), SPEC, TimeRule(relabel=True))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="actions of 7 numbers, but the convention has 4"):
        to_episode(numbered(), convention("metaworld"))
    with pytest.raises(InputError, match="2 frames leave no action"):
        to_episode(numbered(2), SPEC, TimeRule(drop_first=True))
    for change in (
        {"actions": np.zeros((3, 7), np.float32)},
        {"states": np.zeros((2, 7), np.float32)},
    ):
        with pytest.raises(InputError, match="here: 6 frames but"):
            replace(numbered(), **change)
    with pytest.raises(InputError, match="an action is not a finite number"):
        replace(numbered(), actions=np.full((5, 7), np.nan, np.float32))
