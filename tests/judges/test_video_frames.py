"""Frames are looked at when they were shown, and what is odd about a video is said."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from worldgym.judges.video_frames import picture_notes, rate_notes, sampled


def test_of_an_even_video_every_so_many_frames() -> None:
    assert sampled(20, 20.0, 10.0, np.arange(20) / 20) == [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 19]
    assert sampled(5, 10.0, None, None) == sampled(5, 10.0, 20.0, None) == [0, 1, 2, 3, 4]
    assert sampled(5, None, 2.0, None) == [0, 1, 2, 3, 4]


def test_of_an_uneven_video_frames_are_taken_by_their_times() -> None:
    """Ten frames of a second, nothing for a second, ten more."""
    times = np.concatenate([np.arange(10), np.arange(20, 30)]) / 10
    assert sampled(20, 6.667, 2.0, times) == [0, 5, 9, 10, 15, 19]


@given(
    st.lists(st.floats(0.01, 2.0), min_size=2, max_size=40),
    st.floats(0.1, 50.0),
)
def test_numbers_rise_and_hold_the_first_and_the_last(gaps: list[float], wanted: float) -> None:
    times = np.concatenate([[0.0], np.cumsum(gaps)])
    count = len(times)
    numbers = sampled(count, (count - 1) / float(times[-1]), wanted, times)
    assert numbers == sorted({*numbers}) and numbers[0] == 0 and numbers[-1] == count - 1


def test_a_rate_that_a_video_does_not_have_is_said() -> None:
    assert rate_notes(10.0, 10.0) == rate_notes(10.0, None) == rate_notes(9.95, 10.0) == ()
    assert rate_notes(10.0, 100.0) == (
        "the video has 10 frames per second, fewer than 100: all are looked at",
    )
    assert "does not say its rate" in rate_notes(None, 5.0)[0]


def test_a_video_in_which_nothing_can_be_seen_is_said() -> None:
    grey = np.full((4, 8, 8, 3), 100, np.uint8)
    moving = grey.copy()
    moving[2, 3:5, 3:5] = 160
    assert picture_notes(moving) == ()
    assert picture_notes(grey) == ("all frames are alike: nothing happens",)
    assert picture_notes(grey * 0) == ("every frame is black",)
    assert picture_notes(grey[:1]) == ("the video has one frame: nothing can be seen to happen",)
