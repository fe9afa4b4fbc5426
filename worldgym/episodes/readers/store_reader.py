"""Our own episode store as a dataset among others: to inspect it, convert it again, or write it as
LeRobot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from worldgym.actions.conventions import load_convention
from worldgym.episodes.instructions import called
from worldgym.episodes.recording import AbsentCamera, Listed, Recording, SourceOptions
from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.io.video import decode_video
from worldgym.types import ONE_VIEW, ActionSpec


class StoreSource:
    """`worldgym.episodes.recording.Source` over a store."""

    kind = "worldgym"

    def __init__(self, root: Path, options: SourceOptions = SourceOptions()) -> None:
        self.store = EpisodeStore(root)
        self.options = options
        self.cameras: tuple[str, ...] = (
            ("video",) if self.store.views == ONE_VIEW else self.store.views
        )
        self.camera = options.choose(self.cameras, root)
        if options.action or options.state:
            raise InputError(
                f"{root}: a store has one table of actions and one of states; leave --action and "
                f"--state out"
            )
        self.spec: ActionSpec | None = (
            load_convention(options.convention) if options.convention else self.store.spec
        )

    def listing(self) -> Sequence[Listed]:
        return [Listed(info.name, info.length + 1) for info in self.store]

    def read(self, name: str) -> Recording:
        view = "" if self.camera == self.cameras[0] else self.camera
        if self.store.info(name).absent and view in self.store.info(name).absent:
            raise AbsentCamera(f"{name}: was recorded without the view {view}")
        frames = decode_video(self.store.video(name, view), self.options.size)
        episode = self.store.without_frames(name)
        fps = self.options.fps or episode.fps
        instruction, facts = called(self.options, (episode.instruction,))
        facts = replace(facts, stated_fps=episode.fps)
        states = episode.states
        if states:
            facts = replace(facts, state_names=states.names, no_pose=states.no_pose)
        told = fps, episode.success, episode.extras, facts
        values = states.values if states else None
        return Recording(
            frames, episode.actions, values, instruction, episode.source or name, *told
        )
