"""Videos to be judged, and human labels of them.

A label file is JSON Lines, append-only; the last line of a labeller on a video counts, and a torn
last line is ignored:

    {"video": "videos/good/door/1-0.mp4", "instruction": "open the door", "partial_credit": "the
    door is ajar", "score": 1.0,
     "reason": "", "labeller": "anna", "frames": "91ab...", "time": "2026-11-22T10:00:00+00:00",
     "task": "door/1"}

`video` is relative to the file's folder, or absolute. `score` is in [0, 1], or null where the
labeller cannot tell. `video` and `instruction` suffice for a list of videos to be labelled; a label
needs `score` too. `frames` is a digest of the decoded pixels: a label belongs to what was seen,
whatever the file is called. `task` names the initial frame that the video starts from, which others
may share; it may be left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.io.jsonl import CHECKSUM, append_line, read_lines
from worldgym.io.records import from_mapping
from worldgym.io.video import decode_video, views_of
from worldgym.judges.judge_protocol import Judge, Scaled
from worldgym.judges.judging import prepare
from worldgym.judges.majority import most_said
from worldgym.tasks.task_digest import frame_digest
from worldgym.types import ONE_VIEW, Frames, Rollout, Task, Trial, joined_views

RUN_LOG = "log.jsonl"  # beside the labels of a run's videos
T = TypeVar("T")
SIMULATOR = "recorded"  # the labeller of episodes that come with their success


@dataclass(frozen=True)
class Clip:
    """A video to be judged. partial_credit: the task's written criterion for 0.5, or "".   task:
    whose initial frame it starts from, or "" where that is not noted.   views: names of the cameras
    that it shows side by side.   stride: frames of the video to one that a judge looks at, where a
    world draws one every so many actions and the video shows it until the next."""

    video: Path
    instruction: str
    partial_credit: str = ""
    task: str = ""
    views: tuple[str, ...] = ONE_VIEW
    stride: int = 1

    @property
    def initial_frame(self) -> str:
        """Its task; where that is not noted the video itself, as if no other began alike."""
        return self.task or self.video.as_posix()

    def rollout(self, frames: Frames | None = None) -> Rollout:
        """The video as a record of what happened, with its task; the actions are unknown.
        InputError if it cannot be read.

        frames: uint8 [N, H, W, 3], what is to be looked at of it; None = each that was drawn.
        """
        shown = decode_video(self.video)[:: self.stride] if frames is None else frames
        frames = views_of(shown, self.views, self.video)
        task = self.asked(frames[0, 0], max(len(frames) - 1, 1))
        unknown = np.zeros((len(frames) - 1, 0), np.float32)
        return Rollout(Trial(task, 0, 0), "unknown", frames, unknown, views=self.views)

    def asked(self, frame: Frames, steps: int = 1) -> Task:
        """The task that the video is judged by, begun from this frame, uint8 [H, W, 3]."""
        name, group = self.video.with_suffix("").as_posix(), self.video.parent.name
        return Task(name, group, frame, self.instruction, steps, self.partial_credit)


@dataclass(frozen=True)
class Label:
    """What one labeller said of one clip. score: None = cannot tell. frames: digest of the pixels,
    "" = not noted."""

    clip: Clip
    score: float | None
    labeller: str = ""
    reason: str = ""
    frames: str = ""
    time: str = ""


@dataclass(frozen=True)
class LabelledClip:
    """A clip with the labels of everybody who looked at it, one each."""

    clip: Clip
    labels: tuple[Label, ...]

    @property
    def score(self) -> float | None:
        """What more labellers said than anything else; None for a tie, and where nobody could
        tell."""
        said = most_said(label.score for label in self.labels)
        return None if said is None else said[0]


def frames_digest(frames: Frames) -> str:
    """32 hexadecimal digits of the pixels and their shape. frames: uint8 [T+1, V, H, W, 3]; several
    views count as people saw them, side by side."""
    return frame_digest(joined_views(frames))[:32]


def prepare_clips(judge: Judge, clips: Sequence[Clip]) -> None:
    """Lets a judge look, before the first video, for what it could not judge, whatever the size of
    the pictures. InputError names it."""
    size = judge.size_for((1, 1)) if isinstance(judge, Scaled) else (1, 1)
    nothing = np.zeros((*size, 3), np.uint8)
    for views in dict.fromkeys(clip.views for clip in clips):
        prepare(judge, [clip.asked(nothing) for clip in clips if clip.views == views], views)


def read_clips(path: Path, instruction: str = "") -> list[Clip]:
    """The videos of a list or label file, each once with each instruction, in its order.
    instruction: of those that come without one."""
    clips = _read(path, lambda data, line, clip: clip, instruction)
    return list({(clip.video, clip.instruction): clip for clip in clips}.values())


def clips_to_label(path: Path) -> list[Clip]:
    """The videos of a list or label file. InputError for one with two instructions: a label is of a
    video, and would not say of which."""
    clips = read_clips(path)
    if twice := next(
        (video for video, n in Counter(c.video for c in clips).items() if n > 1), None
    ):
        raise InputError(
            f"{path}: {twice} has two instructions, and a label would not say which it is of; list "
            f"them in two files"
        )
    return clips


def read_labels(path: Path) -> list[LabelledClip]:
    """The labelled videos of a label file, or of an episode store whose successes are known.
    InputError if there is none."""
    if path.is_dir():
        labelled = _recorded(EpisodeStore(path))
    else:
        last: dict[tuple[Path, str], Label] = {}
        for label in _read(path, _label):
            last.pop((label.clip.video, label.labeller), None)
            last[label.clip.video, label.labeller] = label
        clips = {label.clip.video: label.clip for label in last.values()}
        labelled = [
            LabelledClip(clip, tuple(a for (v, _), a in last.items() if v == video))
            for video, clip in clips.items()
        ]
    if not labelled:
        raise InputError(f"{path}: holds no label; make some with  worldgym judge label")
    return labelled


def append_label(path: Path, label: Label) -> None:
    """Writes one line through to the disk, the video relative to the file where it lies below
    it."""
    folder, clip = path.parent.resolve(), label.clip
    video = clip.video.resolve()
    below = video.is_relative_to(folder)
    row = {
        "video": video.relative_to(folder).as_posix() if below else str(video),
        "instruction": clip.instruction,
        "partial_credit": clip.partial_credit,
        "score": label.score,
        "reason": label.reason,
        "labeller": label.labeller,
        "frames": label.frames,
        "time": label.time,
        "task": clip.task,
        **({"views": list(clip.views)} if clip.views != ONE_VIEW else {}),
        **({"stride": clip.stride} if clip.stride != 1 else {}),
    }
    append_line(path, row)


@dataclass(frozen=True)
class LabelLine:
    """What a line may hold besides; a list of videos lacks most of it."""

    video: str
    instruction: str = ""
    partial_credit: str = ""
    score: float | None = None
    reason: str = ""
    labeller: str = ""
    frames: str = ""
    time: str = ""
    task: str | None = None
    views: tuple[str, ...] = ONE_VIEW
    stride: int = 1

    def __post_init__(self) -> None:
        if self.stride < 1:
            raise ValueError(f'"stride" is {self.stride}; it is 1 or more')
        if not self.instruction.strip():
            raise ValueError("the instruction is empty; write what the robot was asked to do")
        if self.score is not None and not 0 <= self.score <= 1:
            raise ValueError(f'"score" is {self.score}; a label has a number from 0 to 1, or null')


def _read(
    path: Path, parse: Callable[[Mapping[str, Any], LabelLine, Clip], T], instruction: str = ""
) -> list[T]:
    """Of every whole line what `parse` makes of its data, its fields and its clip."""
    of_run = (path.parent / RUN_LOG).exists()

    def read(data: dict[str, Any]) -> T:
        line = from_mapping(LabelLine, {"instruction": instruction, **data}, more=True)
        task = line.task or (_task_in(Path(line.video)) if of_run else "")
        place = path.parent / line.video
        clip = Clip(place, line.instruction, line.partial_credit, task, line.views, line.stride)
        return parse(data, line, clip)

    remedy = f'fix the line, and remove its "{CHECKSUM}"'
    return [
        line.read(read) for line in read_lines(path, "a label file or a list of videos", remedy)
    ]


def _task_in(video: Path) -> str:
    """Of a run's video, for labels that do not say it: "videos/POLICY/door/1-0.mp4" => "door/1"; ""
    for other paths."""
    found = re.fullmatch(r"videos/[^/]+/(.+)-\d+\.mp4", video.as_posix())
    return found[1] if found else ""


def _label(data: Mapping[str, Any], line: LabelLine, clip: Clip) -> Label:
    if "score" not in data:
        raise ValueError('"score" is missing; a label has a number from 0 to 1, or null')
    score = None if line.score is None else float(line.score)
    return Label(clip, score, line.labeller, line.reason, line.frames, line.time)


def _recorded(store: EpisodeStore) -> list[LabelledClip]:
    labelled = []
    for info in store:
        if info.success is not None:
            seed = info.extras.get("seed")  # episodes of one seed and task start alike
            task = "" if seed is None else f"{info.group}/{seed}"
            clip = Clip(store.root / "episodes" / f"{info.name}.mp4", info.instruction, task=task)
            labelled.append(LabelledClip(clip, (Label(clip, float(info.success), SIMULATOR),)))
    return labelled
