"""What a person who labels videos may know, and where the labels go. The page is
`worldgym.web.label_app`. It does not show which policy a video is from. The order of the videos is
derived from their names, so that neighbouring videos are unrelated. What others add to the file of
labels meanwhile counts too."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from worldgym.errors import InputError
from worldgym.io.video import decode_video, encode_mp4, video_facts
from worldgym.judges.labels import Clip, Label, append_label, frames_digest, read_labels

MAX_REASON = 10_000  # characters
SCORES = (0.0, 0.5, 1.0, None)
# by every browser; not MPEG-4 part 2, which OpenCV writes as "mp4v"
PLAYED = ("h264", "vp8", "vp9", "av1")
FPS = 10.0  # of a video that does not say


def browser_video(path: Path) -> bytes:
    """The file as it is where every browser plays it; else its frames, coded again. What people say
    is of the file's own frames."""
    facts = video_facts(path)
    if facts.codec in PLAYED and facts.pixel_format in ("yuv420p", "yuvj420p"):
        return path.read_bytes()
    return _coded_again(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=2)  # as many as are looked at
def _coded_again(path: Path, changed: int) -> bytes:
    frames = decode_video(path)
    odd = [(0, 0), *((0, side % 2) for side in frames.shape[1:3]), (0, 0)]
    return encode_mp4(np.pad(frames, odd, "edge"), video_facts(path).fps or FPS)


@contextmanager
def nameless() -> Iterator[None]:
    """The name of a video tells whose it is: where one cannot be read, the terminal is told which,
    and InputError does not say."""
    try:
        yield
    except InputError as error:
        print(f"worldgym: {error}", file=sys.stderr)
        raise InputError("this video cannot be read") from None


class SharedFile:
    """A file that other programs may add to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._state: tuple[int, ...] | None = ()  # of no file

    def changed(self) -> bool:
        """Whether it did since the last call; at first it has."""
        try:
            facts = self.path.stat()
            state = (facts.st_ino, facts.st_size, facts.st_mtime_ns)
        except OSError:
            state = None
        changed = state != self._state
        self._state = state
        return changed


@dataclass(frozen=True)
class LabelConfig:
    """labels: the file that labels are added to.   labeller: who labels; videos that this person
    has labelled are not new."""

    labels: Path
    labeller: str


class LabelSession:
    """One labeller and their videos."""

    def __init__(self, clips: Sequence[Clip], config: LabelConfig) -> None:
        """InputError without clips or labeller."""
        if not clips:
            raise InputError("there is no video to label")
        if not config.labeller.strip():
            raise InputError("give the name of the person who labels; it is stored with each label")
        self.config = config
        self.clips = sorted(
            clips, key=lambda clip: hashlib.sha256(str(clip.video).encode()).digest()
        )
        self.scores = dict[int, float | None]()
        self._file = SharedFile(config.labels)
        self._refresh()

    def state(self) -> dict[str, Any]:
        """What the page may know: no file name, no policy, no score of a judge."""
        self._refresh()
        items = [
            {
                "instruction": clip.instruction,
                "partial": clip.partial_credit,
                "labelled": i in self.scores,
                "score": self.scores.get(i),
            }
            for i, clip in enumerate(self.clips)
        ]
        return {"labeller": self.config.labeller, "items": items}

    def done(self) -> str:
        """How far they are, in words."""
        self._refresh()
        return f"{len(self.scores)} of {len(self.clips)} videos labelled"

    def video(self, number: int) -> bytes:
        """As a browser plays it. IndexError for a number that no video has, InputError without its
        name for one that cannot be read."""
        with nameless():
            return browser_video(self.clips[number].video)

    def fps(self, number: int) -> float:
        """Frames per second of a video."""
        with nameless():
            return video_facts(self.clips[number].video).fps or FPS

    def label(self, said: dict[str, Any]) -> None:
        """Appends a label. ValueError if it is out of form; InputError for a score of a video that
        cannot be read: of that nobody can tell."""
        number = said.get("item")
        score = said.get("score", "absent")
        reason = said.get("reason", "")
        if (
            not isinstance(number, int)
            or not 0 <= number < len(self.clips)
            or score not in SCORES
            or isinstance(score, bool)
        ):
            raise ValueError("item and score")
        if not isinstance(reason, str) or len(reason) > MAX_REASON:
            raise ValueError("reason")
        clip = self.clips[number]
        digest = self._digest(clip, score is None)
        time = datetime.now(UTC).isoformat(timespec="seconds")
        value = None if score is None else float(score)
        self._refresh()
        append_label(
            self.config.labels,
            Label(clip, value, self.config.labeller, reason.strip(), digest, time),
        )
        self.scores[number] = value
        self._file.changed()  # by this label

    def _digest(self, clip: Clip, may_lack: bool) -> str:
        """Of what is seen; "" where nothing is, and may."""
        try:
            with nameless():
                return frames_digest(clip.rollout().frames)
        except InputError:
            if may_lack:
                return ""
            raise

    def _refresh(self) -> None:
        if self._file.changed():
            self.scores = self._known()

    def _known(self) -> dict[int, float | None]:
        """The labeller's own labels so far, by place."""
        if not self.config.labels.exists():
            return {}
        own = {
            label.clip.video.resolve(): label.score
            for clip in read_labels(self.config.labels)
            for label in clip.labels
            if label.labeller == self.config.labeller
        }
        return {
            i: own[clip.video.resolve()]
            for i, clip in enumerate(self.clips)
            if clip.video.resolve() in own
        }
