"""Faults of a camera are found against the motion of the arm, and sound episodes have none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from worldgym.actions.conventions import convention
from worldgym.episodes.quality import (
    DARK,
    DEPTH,
    FROZEN,
    RATE,
    REPEATED,
    QualityIssue,
    arm_moves,
    quality_issues,
)
from worldgym.episodes.recording import Recording, RecordingFacts, SourceOptions
from worldgym.episodes.sources import open_source
from worldgym.types import Frames

SPEC = convention("bridge_v2")


def sound(n: int = 30) -> Recording:
    """A camera that sees noise that moves, and an arm that moves at every step."""
    rng = np.random.default_rng(0)
    scene = rng.integers(40, 200, (8, 64, 3), np.uint8)
    frames = np.stack([np.roll(scene, t, axis=1)[:, :32] for t in range(n)])
    actions = rng.uniform(-0.04, 0.04, (n, 7)).astype(np.float32)
    states = np.zeros((n, 7), np.float32)
    states[1:, :6] = np.cumsum(actions[:-1, :6], axis=0)
    return Recording(frames, actions, states, "go", "here", 5.0)


def changed(
    change: Callable[[Frames], None], recording: Recording | None = None
) -> list[QualityIssue]:
    recording = recording or sound()
    frames = recording.frames.copy()
    change(frames)
    return quality_issues(replace(recording, frames=frames), SPEC)


def test_a_sound_episode_has_none() -> None:
    assert quality_issues(sound(), SPEC) == [] == quality_issues(sound(), None)


def test_a_picture_that_stands() -> None:
    def stand(frames: Frames) -> None:
        frames[8:] = frames[8]

    assert changed(stand) == [QualityIssue(FROZEN, "21 of 30 frames, from frame 8 on")]
    for without in (
        replace(sound(), states=None),
        replace(sound(), states=np.zeros((30, 7), np.float32)),
    ):
        (issue,) = changed(stand, without)
        assert issue.kind == FROZEN


def test_a_picture_that_stands_because_the_arm_does() -> None:
    recording = sound()
    actions = recording.actions.copy()
    actions[8:] = 0.0

    def stand(frames: Frames) -> None:
        frames[9:] = frames[8]

    assert changed(stand, replace(recording, actions=actions, states=None)) == []


def test_repeated_frames_are_counted() -> None:
    def repeat(frames: Frames) -> None:
        frames[1::2] = frames[::2]

    (issue,) = changed(repeat)
    assert issue.kind == REPEATED and 11 <= int(issue.detail.split(" of ")[0]) <= 15

    def once(frames: Frames) -> None:
        frames[4] = frames[3]

    assert changed(once) == []


def test_black_frames() -> None:
    def black(frames: Frames) -> None:
        frames[15:] = 1

    assert changed(black) == [QualityIssue(DARK, "15 of 30, from frame 15 on")]


def test_depth_contradictions_and_clocks() -> None:
    recording = replace(
        sound(), facts=RecordingFacts(depth=True, contradictions=("the video holds more frames",))
    )
    assert [issue.kind for issue in quality_issues(recording, SPEC)] == [
        "the video holds more frames",
        DEPTH,
    ]
    clip = replace(sound(), fps=None, facts=RecordingFacts(times=np.arange(30) / 20.0))
    assert quality_issues(clip, SPEC) == [QualityIssue(RATE, "20 and 5 Hz")]
    assert quality_issues(replace(clip, fps=5.0), SPEC) == [] == quality_issues(clip, None)


def test_motion_of_targets_is_their_change() -> None:
    recording = replace(sound(), states=None, actions=np.full((30, 14), 0.5, np.float32))
    assert not arm_moves(recording, convention("aloha")).any()
    moving = replace(recording, actions=np.cumsum(recording.actions, axis=0))
    assert arm_moves(moving, convention("aloha"))[1:].all()


@pytest.mark.parametrize("folder", ["bridge_mp4", "droid_mp4"])
def test_real_cameras_have_none(sample_data: Path, folder: str) -> None:
    options = (
        SourceOptions(convention="released_10", fps=5.0)
        if folder == "bridge_mp4"
        else SourceOptions()
    )
    source = open_source(sample_data / folder, options)
    for listed in list(source.listing())[:4]:
        assert quality_issues(source.read(listed.name), source.spec) == []
