"""The episode store: one folder, two files per episode, and an index that is derived from them.

    STORE/store.json            format, version, action spec, frames per second, reach of the robot
                                where it is known
    STORE/episodes/NAME.mp4     the main view, h264 yuv444p crf 12: 34 times smaller than raw at
                                41.6 dB (decision 0001)
    STORE/views/VIEW/NAME.mp4   a further view of it, where it was recorded
    STORE/episodes/NAME.json    instruction, success, actions, states, extras; renamed into place
    last: it commits the episode
    STORE/index.jsonl           one line an episode without actions; rebuilt whenever it is absent
                                or stale

A name is a place in the store and no identity: `origin` says which episode of which dataset was
written there, `digest` what it held.

Why mp4 and JSON: both open in any tool, an episode can be added, copied or deleted by hand, several
processes write without a lock, and a killed recording leaves whole episodes only. Pixels are
decoded once, when latents are made."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from worldgym.actions.embodiment import NO_REACH, Reach
from worldgym.episodes.store_index import EpisodeInfo, load_index
from worldgym.errors import InputError
from worldgym.io.files import read_json, write_atomic, write_json
from worldgym.io.records import from_mapping, located
from worldgym.io.video import decode_video, encode_mp4
from worldgym.types import ONE_VIEW, Actions, ActionSpec, Episode, Frames, States

VIEW_NAME = re.compile(r"[\w-]{1,100}", re.ASCII)
FORMAT = "worldgym-episodes"
VERSION = 1
# frames between key frames: episodes are decoded whole, and one key frame instead of five saves a
# quarter
WHOLE = 250


def _rate(value: object) -> float:
    if not isinstance(value, int | float) or not 0.0 < value < float("inf"):
        raise InputError(f"fps is {value!r}, not a number of frames per second above 0")
    return float(value)


class EpisodeStore:
    """Lazy: opening reads the index only; `store[name]` reads one episode."""

    def __init__(self, root: Path) -> None:
        header = read_json(root / "store.json", "an episode store")
        if header.get("format") != FORMAT or header.get("version") != VERSION:
            raise InputError(
                f"{root}: not an episode store of version {VERSION}; convert or re-record it"
            )
        self.root = root
        with located(root / "store.json", "convert or record it again"):
            self.spec = from_mapping(ActionSpec, header.get("spec"), place="spec")
            self.reach = Reach.from_json(header.get("reach", ()))
            self.fps = _rate(header.get("fps"))
        self.views = tuple(map(str, header.get("views", ONE_VIEW)))
        self.infos = load_index(root)
        self._by_name = {info.name: info for info in self.infos}

    @staticmethod
    def create(
        root: Path,
        spec: ActionSpec,
        fps: float,
        reach: Reach = NO_REACH,
        views: tuple[str, ...] = ONE_VIEW,
    ) -> EpisodeStore:
        """Makes an empty store, or opens the one that is there if spec, rate, reach and views
        agree."""
        reach.check(spec)
        _check_names(views)
        header = {"format": FORMAT, "version": VERSION, "spec": spec.to_json(), "fps": fps}
        header |= {"reach": reach.to_json()} if reach.boxes else {}
        header |= {"views": list(views)} if views != ONE_VIEW else {}
        if (root / "store.json").exists():
            found = read_json(root / "store.json", "an episode store")
            if found != header:
                raise InputError(
                    f"{root} holds episodes of another action spec, rate, reach or views; choose "
                    f"another folder"
                )
        else:
            write_json(root / "store.json", header)
        return EpisodeStore(root)

    def __len__(self) -> int:
        return len(self.infos)

    def __iter__(self) -> Iterator[EpisodeInfo]:
        return iter(self.infos)

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def __getitem__(self, name: str) -> Episode:
        """Reads one episode, pixels and all."""
        data = self._annotation(name)
        main = self._decoded(name, self.views[0], len(data["actions"]) + 1)
        absent = data.get("absent", [])
        frames = [main, *(np.zeros_like(main) for _ in self.views[1:])]
        for v, view in enumerate(self.views[1:], 1):
            if view not in absent:
                frames[v] = self._decoded(name, view, len(main))
                if frames[v].shape != main.shape:
                    raise InputError(
                        f"{self.video(name, view)}: frames of another size than the main view's; "
                        f"remove the episode"
                    )
        return self._episode(data, np.stack(frames, axis=1))

    def _decoded(self, name: str, view: str, count: int) -> Frames:
        """uint8 [count, H, W, 3] of one view."""
        video = self.video(name, view)
        frames = decode_video(video)
        if len(frames) != count:
            raise InputError(
                f"{video}: {len(frames)} frames for {count - 1} actions; remove the episode"
            )
        return frames

    def without_frames(self, name: str) -> Episode:
        """What was recorded besides pictures: the episode with black frames of one pixel."""
        data = self._annotation(name)
        count = len(data["actions"]) + 1
        return self._episode(data, np.zeros((count, len(self.views), 1, 1, 3), np.uint8))

    def with_frames(self, name: str, frames: Frames) -> Episode:
        """The episode around frames [T+1, V, H, W, 3] that are available; its video is not
        touched."""
        return self._episode(self._annotation(name), frames)

    def actions(self, name: str) -> Actions:
        """float32 [T, A] of one episode; its video is not touched."""
        return self._table(self._annotation(name))

    def video(self, name: str, view: str = "") -> Path:
        """The file that holds the frames of one episode; view: "" = the main one."""
        if view in ("", self.views[0]):
            return self.root / "episodes" / f"{name}.mp4"
        return self.root / "views" / view / f"{name}.mp4"

    def frame_size(self) -> tuple[int, int]:
        """Height and width of the first episode's frames. InputError for an empty store."""
        if not self.infos:
            raise InputError(f"{self.root}: the store holds no episode; record some first")
        height, width = decode_video(self.video(self.infos[0].name)).shape[1:3]
        return height, width

    def _annotation(self, name: str) -> dict[str, Any]:
        return read_json(self.root / "episodes" / f"{name}.json", "an episode")

    def _episode(self, data: Mapping[str, Any], frames: Frames) -> Episode:
        facts = (
            data["instruction"],
            self.spec,
            self.fps,
            data["success"],
            data["source"],
            data["extras"],
        )
        states = _states(data.get("states"))
        absent = tuple(data.get("absent", ()))
        return Episode(frames, self._table(data), *facts, states, self.views, absent)

    def _table(self, data: Mapping[str, Any]) -> Actions:
        return np.asarray(data["actions"], np.float32).reshape(-1, self.spec.size)

    def info(self, name: str) -> EpisodeInfo:
        """What the index knows of one episode. KeyError for a name that is not there."""
        return self._by_name[name]

    def is_free(self, name: str, origin: str) -> bool:
        """Whether no episode of another origin had the name when the store was opened."""
        return name not in self._by_name or (origin != "" and self._by_name[name].origin == origin)

    def write(self, name: str, episode: Episode, origin: str = "") -> None:
        """Adds or replaces an episode. Safe from several processes as long as names differ."""
        if episode.views != self.views:
            raise InputError(
                f"{name}: has the views {', '.join(episode.views)}, but {self.root} holds "
                f"{', '.join(self.views)}; choose another folder"
            )
        videos = {
            self.video(name, view): encode_mp4(
                episode.frames[:, v], self.fps, crf=12, pixel_format="yuv444p", key_every=WHOLE
            )
            for v, view in enumerate(self.views)
            if view not in episode.absent
        }
        if (self.root / "episodes" / f"{name}.json").exists():
            # the names stay as they are: it could not be told stale
            (self.root / "index.jsonl").unlink(missing_ok=True)
        for path, video in videos.items():
            write_atomic(path, video)
        write_json(
            self.root / "episodes" / f"{name}.json",
            {
                "length": len(episode),
                "instruction": episode.instruction,
                "success": episode.success,
                "source": episode.source,
                "extras": dict(episode.extras),
                "origin": origin,
                "digest": episode_digest(episode),
                "actions": _rows(episode.actions),
                **({"states": _states_json(episode.states)} if episode.states else {}),
                **({"absent": list(episode.absent)} if episode.absent else {}),
            },
        )


def episode_digest(episode: Episode) -> str:
    """24 hexadecimal digits of what an episode shows and does: equal only for equal frames, actions
    and instruction."""
    # one view counts as it did before views had an axis
    frames = episode.main if episode.views == ONE_VIEW else episode.frames
    digest = hashlib.sha256(f"{frames.shape}{episode.actions.shape}{episode.instruction}".encode())
    for array in (frames, episode.actions):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:24]


def _check_names(views: tuple[str, ...]) -> None:
    """InputError for names that no folder can bear, or that two views share."""
    if odd := next((view for view in views if not VIEW_NAME.fullmatch(view)), None):
        raise InputError(
            f'a view is called "{odd}": its videos are in a folder of that name, so use letters, '
            f"digits, _ and -"
        )
    if not views or len(set(views)) < len(views):
        raise InputError(f"each view needs its own name: {', '.join(views)}")


def numbered_names(name: str) -> Iterator[str]:
    """ "a", "a-2", "a-3" ..."""
    yield name
    yield from (f"{name}-{number}" for number in itertools.count(2))


def _rows(values: Actions) -> list[list[float]]:
    return [[float(x) for x in row] for row in values]


def _states_json(states: States) -> dict[str, Any]:
    return {"names": list(states.names), "no_pose": states.no_pose, "values": _rows(states.values)}


def _states(data: Mapping[str, Any] | None) -> States | None:
    if data is None:
        return None
    return States(np.asarray(data["values"], np.float32), tuple(data["names"]), data["no_pose"])
