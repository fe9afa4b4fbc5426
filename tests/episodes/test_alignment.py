"""The lag that was put into synthetic data is the lag that is measured; real sets measure as documented."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic_sets import recordings

from worldgym.actions.conventions import convention
from worldgym.episodes.alignment import LAGS, Alignment, AlignmentMeter
from worldgym.episodes.recording import Recording, SourceOptions
from worldgym.episodes.sources import open_source

SPEC = convention("bridge_v2")


def measured(episodes: list[Recording]) -> Alignment:
    meter = AlignmentMeter(SPEC)
    for episode in episodes:
        meter.add(episode)
    return meter.result()


def late(recording: Recording, lag: int) -> Recording:
    """The same motion, with action t of before now stored at t + lag."""
    return replace(recording, actions=np.roll(recording.actions, lag, axis=0))


@pytest.mark.parametrize("lag", LAGS)
def test_the_lag_is_found_in_states(lag: int) -> None:
    result = measured([late(recording, lag) for recording in recordings(12)])
    assert result.states is not None
    known = {k: value for k, value in result.states.items() if value is not None}
    assert max(known, key=lambda k: known[k]) == lag and known[lag] > 0.8
    assert ("--shift" in result.warning()) == (lag != 0)
    assert lag == 0 or f"--shift {lag} " in result.warning()


def test_without_states_the_picture_speaks() -> None:
    """Actions that alternate between rest and motion, and frames that change where an action is not zero."""
    rng = np.random.default_rng(0)
    moving = rng.integers(0, 2, 60)
    actions = np.outer(moving, np.full(7, 0.03)).astype(np.float32)
    levels = np.cumsum(np.concatenate([[0], moving[:-1]])) * 3 % 250
    frames = np.zeros((60, 8, 8, 3), np.uint8) + levels[:, None, None, None].astype(np.uint8)
    good = Recording(frames, actions, None, "", "here")
    assert measured([good]).warning() == "" and measured([good]).pixels[0] == pytest.approx(1.0)
    assert "the picture's motion follows action t +1" in measured([late(good, 1)]).warning()


def test_too_little_data_warns_of_nothing() -> None:
    assert measured([]).warning() == "" and measured([late(recordings(1)[0], 1)]).warning() == ""
    still = replace(recordings(1)[0], actions=np.zeros((6, 7), np.float32))
    assert set(measured([still]).pixels.values()) == {None}


def test_bridge_states_follow_action_t_and_the_one_before(sample_data: Path) -> None:
    source = open_source(sample_data / "bridge_rlds" / "1.0.0")
    result = measured([source.read(listed.name) for listed in source.listing()[:25]])
    assert result.states is not None and result.states[0] is not None and result.states[-1] is not None
    assert result.states[0] == pytest.approx(0.86, abs=0.03) and result.states[-1] == pytest.approx(0.84, abs=0.03)
    assert result.warning() == ""


def test_bridge_video_lags_behind_its_commands(sample_data: Path) -> None:
    source = open_source(sample_data / "bridge_mp4", SourceOptions(convention="released_10"))
    meter = AlignmentMeter(source.spec)
    for listed in source.listing():
        meter.add(source.read(listed.name))
    result = meter.result()
    assert all(value is not None for value in result.pixels.values())
    assert min(result.pixels[-1] or 0, result.pixels[-2] or 0) > (result.pixels[0] or 0) + 0.05 > (result.pixels[1] or 0) + 0.1
    assert "the picture's motion follows action t -1" in result.warning()
