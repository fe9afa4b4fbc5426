"""An episode at a lower rate shows the same seconds and makes the same motion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worldgym.actions.conventions import convention
from worldgym.episodes.recording import Recording, RecordingFacts
from worldgym.episodes.resample import kept_frames, recorded_rate, resampled
from worldgym.errors import InputError
from worldgym.types import Episode, States

SPEC = replace(convention("bridge_v2"), rate_hz=10.0)


def episode(steps: int, seed: int = 0) -> Episode:
    rng = np.random.default_rng(seed)
    frames = (
        np.zeros((steps + 1, 4, 4, 3), np.uint8)
        + np.arange(steps + 1, dtype=np.uint8)[:, None, None, None]
    )
    actions = rng.uniform(-0.04, 0.04, (steps, 7)).astype(np.float32)
    states = States(np.arange(steps + 1, dtype=np.float32)[:, None], ("x",))
    return Episode(frames[:, None], actions, "go", SPEC, 10.0, True, "here", {}, states)


def test_half_the_rate_keeps_every_other_frame_and_both_actions() -> None:
    before = episode(9)
    after = resampled(before, 5.0, 10.0)
    assert after.main[:, 0, 0, 0].tolist() == [0, 2, 4, 6, 8] and (
        after.fps,
        after.spec.rate_hz,
    ) == (5.0, 5.0)
    np.testing.assert_allclose(
        after.actions[:, :3], before.actions[:8, :3].reshape(4, 2, 3).sum(axis=1), atol=1e-6
    )
    np.testing.assert_array_equal(after.actions[:, 6], before.actions[1:8:2, 6])
    assert after.states is not None and after.states.values[:, 0].tolist() == [0, 2, 4, 6, 8]
    assert after.spec.high[0] == pytest.approx(0.1) and after.spec.high[6] == 1.0


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([(3, 2), (4, 3), (10, 9), (10, 3), (5, 1), (7, 5)]), st.integers(20, 60))
def test_sums_lie_within_the_bounds_that_are_kept_with_them(
    ratio: tuple[int, int], steps: int
) -> None:
    """At every ratio, and the bounds are those of any other episode."""
    before = episode(steps)
    largest = np.tile(np.array(SPEC.high, np.float32), (steps, 1))
    largest[:, 3:6] = 0  # turns in a row are no sums
    after = resampled(replace(before, actions=largest), 10.0 * ratio[1] / ratio[0], 10.0)
    assert (after.actions <= np.array(after.spec.high) + 1e-6).all()
    most = -(-ratio[0] // ratio[1])
    assert after.spec.high[:3] == pytest.approx([0.05 * most] * 3)


def test_bounds_that_were_stated_for_the_lower_rate_stay() -> None:
    assert resampled(episode(9), 5.0, 5.0).spec.high == SPEC.high


def test_the_recorded_rate_changes_nothing_and_a_higher_one_is_refused() -> None:
    before = episode(5)
    assert resampled(before, 10.0, 10.0) is before
    with pytest.raises(
        InputError, match=r"recorded at 10 Hz, so there are no frames for 20; .*--recorded-fps"
    ):
        resampled(before, 20.0, 10.0)
    with pytest.raises(InputError, match="too short for 1 Hz"):
        resampled(before, 1.0, 10.0)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 300), st.floats(5.0, 60.0), st.floats(0.05, 1.0))
def test_kept_frames_are_those_nearest_in_time(count: int, recorded: float, share: float) -> None:
    fps = recorded * share
    kept = kept_frames(count, recorded, fps)
    assert kept[0] == 0 and kept[-1] < count and (np.diff(kept) >= 1).all()
    assert np.abs(kept / recorded - np.arange(len(kept)) / fps).max() <= 0.51 / recorded
    assert len(kept) == int(np.floor((count - 1) * share + 1e-3)) + 1


def test_the_recorded_rate_is_what_is_said_and_never_a_guess() -> None:
    frames, actions = np.zeros((6, 4, 4, 3), np.uint8), np.zeros((6, 7), np.float32)
    recording = Recording(frames, actions, None, "", "clip.mp4")
    assert (
        recorded_rate(recording, SPEC) == 10.0
        and recorded_rate(replace(recording, fps=7.0), SPEC) == 7.0
    )
    clocked = replace(recording, facts=RecordingFacts(times=np.arange(6) / 20.0))
    with pytest.raises(
        InputError,
        match=(
            r"clip.mp4: the video shows 20 frames per second, the convention says 10: "
            r".*--recorded-fps"
        ),
    ):
        recorded_rate(clocked, SPEC)
    assert recorded_rate(replace(clocked, fps=20.0), SPEC) == 20.0
