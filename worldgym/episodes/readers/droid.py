"""Folders of mp4 files with one JSON file an episode, several cameras: DROID as Ctrl-World cuts it.

    SET/annotation/SPLIT/NAME.json     texts, success, videos, states at the rate of the video; actions at DROID's 15 Hz
    SET/videos/SPLIT/NAME/0.mp4        a file a camera

The layout is that of github Robert-gyj/Ctrl-World. The video shows every k-th recorded step (k = 3), and the rate in the mp4 is
wrong in some of the published files: k and the rate come from the lengths. Between two frames lie k recorded actions:
velocities are averaged over them, poses are the last one commanded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from worldgym.actions.conventions import convention
from worldgym.episodes.recording import Listed, Recording, SourceOptions, no_episode
from worldgym.episodes.states import pose_moves
from worldgym.episodes.video import decode_video
from worldgym.errors import InputError
from worldgym.files import read_json
from worldgym.types import Actions, ActionSpec

RATE_HZ = 15.0  # of DROID's recordings
CAMERAS = ("0", "1", "2")
ARM = {"droid_joint_velocity": "action.joint_velocity", "droid_cartesian": "action.cartesian_position"}
GRIPPER = "action.gripper_position"
STATED = "droid_delta"  # from the states: how far the arm went between frames


class DroidSource:
    """`worldgym.episodes.recording.Source`. The convention chooses among the recorded actions; default: joint velocities."""

    kind = "mp4 + json"
    cameras = CAMERAS

    def __init__(self, root: Path, options: SourceOptions = SourceOptions()) -> None:
        self.root, self.options = root, options
        self.camera = options.choose(CAMERAS, root)
        self.convention = options.convention or "droid_joint_velocity"
        if self.convention not in (*ARM, STATED):
            raise InputError(f"{root}: its actions are {', '.join((*ARM, STATED))}, not {self.convention}; name one of them")
        self.spec: ActionSpec | None = replace(convention(self.convention), rate_hz=RATE_HZ)
        files = sorted((root / "annotation").rglob("*.json"))
        self.files = {"-".join(path.relative_to(root / "annotation").with_suffix("").parts): path for path in files}

    def listing(self) -> Sequence[Listed]:
        return [Listed(name) for name in self.files]

    def read(self, name: str) -> Recording:
        if name not in self.files:
            raise no_episode(self.root, name)
        path = self.files[name]
        data = read_json(path, "an annotated episode")
        frames = decode_video(self._video(data, path), self.options.size)
        step = _step(data, path)
        states = _numbers(data, "states", path)
        if len(states) != len(frames):
            raise InputError(f"{path}: {len(states)} states for {len(frames)} frames; re-export the episode")
        actions = self._actions(data, path, len(frames), step, states)
        texts, success = data.get("texts"), data.get("success")
        instruction = texts[0] if isinstance(texts, list) and texts and isinstance(texts[0], str) else ""
        known = None if success not in (0, 1) else bool(success)
        return Recording(frames, actions, states, instruction, str(path), self.options.fps or RATE_HZ / step, known)

    def _video(self, data: Mapping[str, Any], path: Path) -> Path:
        try:
            video = self.root / str(data["videos"][int(self.camera)]["video_path"])
        except (KeyError, IndexError, TypeError) as error:
            raise InputError(
                f"{path}: names no video of camera {self.camera}; choose another or re-export the episode"
            ) from error
        if not video.resolve().is_relative_to(self.root.resolve()):
            raise InputError(f"{path}: its video {video} lies outside the data set; mend the path")
        return video

    def _actions(self, data: Mapping[str, Any], path: Path, n: int, step: int, states: Actions) -> Actions:
        """float32 [n - 1, A]: between frame t and t + 1 lie the recorded steps from t * step on."""
        gripper = _numbers(data, GRIPPER, path)
        if self.convention == STATED:
            return np.hstack([pose_moves(states), _every(gripper, n, step, path)[:, -1]])
        arm = _every(_numbers(data, ARM[self.convention], path), n, step, path)
        moved = arm.mean(axis=1) if self.convention == "droid_joint_velocity" else arm[:, -1]
        return np.hstack([moved, _every(gripper, n, step, path)[:, -1]]).astype(np.float32)


def _step(data: Mapping[str, Any], path: Path) -> int:
    """Recorded steps a frame."""
    raw, shown = data.get("raw_length"), data.get("video_length")
    if not isinstance(raw, int) or not isinstance(shown, int) or shown < 2 or raw < shown:
        raise InputError(f"{path}: raw_length {raw!r} and video_length {shown!r} do not fit; re-export the episode")
    return -(-raw // shown)


def _numbers(data: Mapping[str, Any], key: str, path: Path) -> Actions:
    """float32 [rows, k]; a plain list has one number a row."""
    try:
        values = np.asarray(data[key], np.float32)
        return values.reshape(len(values), -1)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: {key} is not a table of numbers ({error}); re-export the episode") from error


def _every(values: Actions, n: int, step: int, path: Path) -> Actions:
    """[raw, k] => [n - 1, step, k]."""
    if values.ndim != 2 or len(values) < (n - 1) * step:
        raise InputError(f"{path}: {values.shape} recorded actions for {n} frames of {step} steps; re-export the episode")
    return values[: (n - 1) * step].reshape(n - 1, step, -1)
