"""The lag that was put into synthetic data is the lag that is measured; real sets measure as
documented."""

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
    """Actions that alternate between rest and motion, and frames that change where an action is not
    zero."""
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
    assert (
        result.states is not None and result.states[0] is not None and result.states[-1] is not None
    )
    assert result.states[0] == pytest.approx(0.86, abs=0.03) and result.states[-1] == pytest.approx(
        0.84, abs=0.03
    )
    assert result.warning() == ""


def test_bridge_video_lags_behind_its_commands(sample_data: Path) -> None:
    source = open_source(sample_data / "bridge_mp4", SourceOptions(convention="released_10"))
    meter = AlignmentMeter(source.spec)
    for listed in source.listing():
        meter.add(source.read(listed.name))
    result = meter.result()
    assert all(value is not None for value in result.pixels.values())
    assert (
        min(result.pixels[-1] or 0, result.pixels[-2] or 0)
        > (result.pixels[0] or 0) + 0.05
        > (result.pixels[1] or 0) + 0.1
    )
    assert "the picture's motion follows action t -1" in result.warning()


def smooth(
    rng: np.random.Generator, steps: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.abs(np.convolve(rng.normal(size=steps + 3), np.ones(4) / 2, "valid"))


def pictures(
    rng: np.random.Generator, episodes: int, share: float, lag: int = 0, steps: int = 30
) -> Alignment:
    """Motion of the picture that follows action t + lag by `share`, the rest being noise of the
    same kind."""
    meter = AlignmentMeter(None)
    for _ in range(episodes):
        acted, other = smooth(rng, steps + 4), smooth(rng, steps + 4)
        meter.moved.append(share * acted[2 : steps + 1] + (1.0 - share) * other[2 : steps + 1])
        meter.acted.append(acted[2 - lag : 2 - lag + steps, None])
    return meter.result()


def false_advice(episodes: int, trials: int, share: float) -> float:
    rng = np.random.default_rng(episodes)
    return float(
        np.mean([pictures(rng, episodes, share).advice is not None for _ in range(trials)])
    )


@pytest.mark.parametrize(("episodes", "trials"), [(2, 30), (4, 20), (10, 5), (40, 1)])
def test_no_shift_is_advised_from_noise(episodes: int, trials: int) -> None:
    assert false_advice(episodes, trials, 0.0) <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize(("episodes", "trials"), [(2, 300), (4, 200), (10, 100), (40, 40)])
@pytest.mark.parametrize("share", [0.0, 0.2])
def test_the_rate_of_false_advice(episodes: int, trials: int, share: float) -> None:
    """Neither where nothing is related, nor where a weak relation is at lag 0."""
    assert false_advice(episodes, trials, share) <= 0.05


@pytest.mark.parametrize("lag", [-1, 1, 2])
def test_a_true_shift_is_found_in_smooth_signals(lag: int) -> None:
    rng = np.random.default_rng(7)
    found = [
        advice.lag if (advice := pictures(rng, 10, 0.5, lag).advice) else None for _ in range(3)
    ]
    assert found == [lag] * 3


def targets(rng: np.random.Generator, lag: int, absolute: bool) -> Recording:
    """Six joints that go a third of the way to their target within a step; the target of step t is
    stored at t + lag."""
    wanted = np.cumsum(rng.normal(size=(50, 14)) * (rng.random((50, 1)) < 0.4), axis=0)
    states = np.zeros((46, 14))
    for t in range(45):
        states[t + 1] = states[t] + (wanted[t + 2] - states[t]) / 3
    frames = np.zeros((46, 8, 8, 3), np.uint8)
    level = np.cumsum(np.abs(np.diff(states, axis=0)).mean(axis=1), dtype=np.float64)
    frames[1:] = (level * 20 % 250).astype(np.uint8)[:, None, None, None]
    actions = wanted[2 - lag : 2 - lag + 46].astype(np.float32)
    return Recording(frames, actions, states.astype(np.float32) if absolute else None, "", "here")


@pytest.mark.parametrize("lag", [-1, 0, 1])
def test_absolute_targets_are_compared_as_the_way_that_is_left(lag: int) -> None:
    rng, meter = np.random.default_rng(0), AlignmentMeter(convention("aloha"))
    for _ in range(6):
        meter.add(targets(rng, lag, absolute=True))
    result = meter.result()
    assert result.states is not None and (result.states[lag] or 0.0) > 0.9
    assert (result.advice.lag if result.advice else 0) == lag


def test_targets_stored_with_the_frame_that_they_led_to() -> None:
    """a[t] = s[t]: what is left to go at action t is nothing, and everything at the next one."""
    rng, meter = np.random.default_rng(1), AlignmentMeter(convention("aloha"))
    for _ in range(4):
        states = np.cumsum(rng.normal(size=(30, 14)), axis=0).astype(np.float32)
        frames = rng.integers(0, 255, (30, 8, 8, 3), np.uint8)
        meter.add(Recording(frames, states, states, "", "here"))
    result = meter.result()
    assert (
        result.states is not None
        and result.states[0] is None
        and result.states[1] == pytest.approx(1.0)
    )
    assert result.advice is not None and result.advice.lag == 1


def test_states_in_other_units_than_the_targets_are_not_compared() -> None:
    rng, meter = np.random.default_rng(2), AlignmentMeter(convention("aloha"))
    for _ in range(4):
        recording = targets(rng, 0, absolute=True)
        assert recording.states is not None
        meter.add(
            replace(recording, states=np.degrees(recording.states).astype(np.float32) + 400.0)
        )
    assert meter.result().states is None and meter.result().advice is None
