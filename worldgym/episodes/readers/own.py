"""Our own episode store as a data set among others: to inspect it, convert it again, or write it as LeRobot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from worldgym.actions.conventions import load_convention
from worldgym.episodes.recording import Listed, Recording, SourceOptions
from worldgym.episodes.store import EpisodeStore
from worldgym.episodes.video import decode_video
from worldgym.types import ActionSpec


class StoreSource:
    """`worldgym.episodes.recording.Source` over a store."""

    kind = "worldgym"
    cameras = ("video",)
    camera = "video"

    def __init__(self, root: Path, options: SourceOptions = SourceOptions()) -> None:
        self.store, self.options = EpisodeStore(root), options
        options.choose(self.cameras, root)
        self.spec: ActionSpec | None = load_convention(options.convention) if options.convention else self.store.spec

    def listing(self) -> Sequence[Listed]:
        return [Listed(info.name, info.length + 1) for info in self.store]

    def read(self, name: str) -> Recording:
        episode = self.store[name]
        frames = episode.frames
        if self.options.size:
            frames = decode_video(self.store.video(name), self.options.size)
        fps = self.options.fps or episode.fps
        facts = fps, episode.success, episode.extras
        return Recording(frames, episode.actions, None, episode.instruction, episode.source or name, *facts)
