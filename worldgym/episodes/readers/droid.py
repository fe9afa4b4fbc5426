"""Folders of mp4 files with one JSON file an episode, several cameras: DROID as Ctrl-World cuts it.

    SET/annotation/SPLIT/NAME.json     texts, success, videos, states at the rate of the video;
                                       actions at DROID's 15 Hz
    SET/videos/SPLIT/NAME/0.mp4        one file per camera

The layout is that of github Robert-gyj/Ctrl-World. The video shows every k-th recorded step (k =
3), and the rate in the mp4 is wrong in some of the published files: k and the rate come from the
lengths. Between two frames lie k recorded actions: velocities are averaged over them, poses are the
last one commanded. Some of the published episodes hold states alone: of those the only actions are
the states' own moves, and nothing says the rate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from worldgym.actions.conventions import POSE, convention, load_convention
from worldgym.episodes.file_names import distinct
from worldgym.episodes.instructions import called
from worldgym.episodes.readers.keys import side_by_side, wanted
from worldgym.episodes.readers.paths import inside
from worldgym.episodes.recording import AbsentCamera, Listed, Recording, SourceOptions, no_episode
from worldgym.episodes.states import pose_moves
from worldgym.errors import InputError
from worldgym.io.files import read_json
from worldgym.io.video import Film, clock_notes, read_film
from worldgym.types import Actions, ActionSpec

RATE_HZ = 15.0  # of DROID's recordings
CAMERAS = ("0", "1", "2")
ARM = {
    "droid_joint_velocity": "action.joint_velocity",
    "droid_cartesian": "action.cartesian_position",
}
GRIPPER = "action.gripper_position"
STATED = "droid_delta"  # from the states: how far the arm went between frames
STATE = (*POSE, "gripper")


class DroidSource:
    """`worldgym.episodes.recording.Source`. The convention chooses among the recorded actions;
    default: joint velocities."""

    kind = "mp4 + json"
    cameras = CAMERAS

    def __init__(self, root: Path, options: SourceOptions = SourceOptions()) -> None:
        self.root = root
        self.options = options
        self.camera = options.choose(CAMERAS, root)
        self.convention = options.convention or "droid_joint_velocity"
        self.spec: ActionSpec | None
        if options.action:
            self.spec = load_convention(options.convention) if options.convention else None
        elif self.convention in (*ARM, STATED):
            self.spec = replace(convention(self.convention), rate_hz=RATE_HZ)
        else:
            known = ", ".join((*ARM, STATED))
            raise InputError(
                f"{root}: its actions are {known}, not {self.convention}; name one of them, or a "
                f"key with --action"
            )
        files = sorted((root / "annotation").rglob("*.json"))
        names = (
            "-".join(path.relative_to(root / "annotation").with_suffix("").parts) for path in files
        )
        self.files = dict(zip(distinct(names), files, strict=True))

    def listing(self) -> Sequence[Listed]:
        return [Listed(name) for name in self.files]

    def read(self, name: str) -> Recording:
        if name not in self.files:
            raise no_episode(self.root, name)
        path = self.files[name]
        data = read_json(path, "an annotated episode")
        film = read_film(self._video(data, path), self.options.size)
        step = _step(data, path)
        keys = wanted(self.options.state, ("states",), data, "key", "--state", path) or ["states"]
        film, states, notes = _fitted(film, self._table(data, keys, path), path)
        actions = self._actions(data, path, len(film.frames), step, states)
        texts, success = data.get("texts"), data.get("success")
        instruction, facts = called(
            self.options, [str(text) for text in texts] if isinstance(texts, list) else ()
        )
        rate = RATE_HZ / step if step else None
        facts = replace(
            facts,
            times=film.times,
            stated_fps=rate,
            state_names=STATE if keys == ["states"] and states.shape[1] == len(STATE) else (),
            notes=(*facts.notes, *film.notes, *notes),
            contradictions=clock_notes(film.times),
        )
        known = None if success not in (0, 1) else bool(success)
        return Recording(
            film.frames,
            actions,
            states,
            instruction,
            str(path),
            self.options.fps or rate,
            known,
            facts=facts,
        )

    def _video(self, data: Mapping[str, Any], path: Path) -> Path:
        try:
            video = self.root / str(data["videos"][int(self.camera)]["video_path"])
        except (KeyError, IndexError, TypeError) as error:
            raise AbsentCamera(
                f"{path}: names no video of camera {self.camera}; choose another or re-export the "
                f"episode"
            ) from error
        if not inside(video, self.root):
            raise InputError(
                f"{path}: its video {video} lies outside the dataset; fix the path, or copy the "
                f"file into it"
            )
        if not video.exists():
            raise AbsentCamera(f"{path}: its video {video} is not there; download it again")
        return video

    def _table(self, data: Mapping[str, Any], keys: Sequence[str], path: Path) -> Actions:
        return side_by_side(keys, {key: _numbers(data, key, path) for key in keys}, path)

    def _actions(
        self, data: Mapping[str, Any], path: Path, n: int, step: int | None, states: Actions
    ) -> Actions:
        """float32 [n - 1 or n, A]: between frame t and t + 1 lie the recorded steps from t * step
        on."""
        if self.options.action:
            named = self._table(
                data, wanted(self.options.action, (), data, "key", "--action", path), path
            )
            return named if len(named) in (n - 1, n) else _every(named, n, step, path)[:, -1]
        if self.convention == STATED:
            recorded = GRIPPER in data and step
            gripper = (
                _every(_numbers(data, GRIPPER, path), n, step, path)[:, -1]
                if recorded
                else states[1:, len(POSE) :][:, :1]
            )
            return np.hstack([pose_moves(states), gripper])
        if ARM[self.convention] not in data:
            raise InputError(
                f"{path}: holds no {ARM[self.convention]}; --convention {STATED} takes actions "
                f"from the states"
            )
        gripper = _numbers(data, GRIPPER, path)
        arm = _every(_numbers(data, ARM[self.convention], path), n, step, path)
        moved = arm.mean(axis=1) if self.convention == "droid_joint_velocity" else arm[:, -1]
        return np.hstack([moved, _every(gripper, n, step, path)[:, -1]]).astype(np.float32)


def _fitted(film: Film, states: Actions, path: Path) -> tuple[Film, Actions, tuple[str, ...]]:
    """Frames and states of one length: where there is one too many of either, it is left out, and
    said."""
    n = min(len(film.frames), len(states))
    if max(len(film.frames), len(states)) > n + 1:
        raise InputError(
            f"{path}: {len(states)} states for {len(film.frames)} frames; re-export the episode"
        )
    if len(film.frames) == len(states):
        return film, states, ()
    more, less = ("frame", "states") if len(film.frames) > n else ("state", "frames")
    times = None if film.times is None else film.times[:n]
    return (
        replace(film, frames=film.frames[:n], times=times),
        states[:n],
        (f"one {more} more than {less}: the last is left out",),
    )


def _step(data: Mapping[str, Any], path: Path) -> int | None:
    """Recorded steps per frame; None where the episode holds no recorded steps."""
    raw, shown = data.get("raw_length"), data.get("video_length")
    if raw is None:
        return None
    if not isinstance(raw, int) or not isinstance(shown, int) or shown < 2 or raw < shown:
        raise InputError(
            f"{path}: raw_length {raw!r} and video_length {shown!r} do not fit; re-export the "
            f"episode"
        )
    return -(-raw // shown)


def _numbers(data: Mapping[str, Any], key: str, path: Path) -> Actions:
    """float32 [rows, k]; a plain list has one number per row."""
    try:
        values = np.asarray(data[key], np.float32)
        return values.reshape(len(values), -1)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: {key} is not a table of numbers ({error}); re-export the episode"
        ) from error


def _every(values: Actions, n: int, step: int | None, path: Path) -> Actions:
    """[raw, k] => [n - 1, step, k]."""
    if step is None:
        raise InputError(
            f"{path}: no raw_length says how many recorded actions lie between two frames; "
            f"re-export the episode"
        )
    if values.ndim != 2 or len(values) < (n - 1) * step:
        raise InputError(
            f"{path}: {values.shape} recorded actions for {n} frames of {step} steps; re-export "
            f"the episode"
        )
    return values[: (n - 1) * step].reshape(n - 1, step, -1)
