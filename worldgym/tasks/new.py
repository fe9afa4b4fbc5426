"""`worldgym tasks new`: the first frames of a data set become tasks."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from worldgym.episodes.recording import SourceOptions
from worldgym.episodes.sources import open_source
from worldgym.errors import InputError, WorldGymError
from worldgym.progress import progress
from worldgym.tasks.folder import DEFAULT_STEPS
from worldgym.tasks.write import write_task
from worldgym.types import Frames, Task


@dataclass(frozen=True)
class NewTasks:
    """instruction: for episodes that have none; an episode left without one is skipped.   limit: tasks, 0 = all.

    partial_credit: criterion for a score of 0.5, the same for all.   strict: stop at the first episode that cannot be used.
    """

    source: Path
    out: Path
    options: SourceOptions = field(default_factory=SourceOptions)
    instruction: str = ""
    partial_credit: str = ""
    steps: int = DEFAULT_STEPS
    limit: int = 0
    strict: bool = False


def new_tasks(request: NewTasks) -> tuple[list[str], dict[str, str]]:
    """A task an episode, grouped by instruction => (names of the tasks, skipped episode => reason). InputError for none."""
    if request.steps < 1:
        raise InputError(f"{request.steps} steps leave a policy nothing to do; give 1 or more")
    source = open_source(request.source, request.options)
    names: list[str] = []
    skipped: dict[str, str] = {}
    listing = source.listing()
    for listed in progress(listing, len(listing), "first frames", "episode"):
        if request.limit and len(names) >= request.limit:
            break
        try:
            recording = source.read(listed.name)
            task = _task(listed.name, recording.instruction or request.instruction, recording.frames[0], request)
        except WorldGymError as error:
            if request.strict:
                raise
            skipped[listed.name] = str(error)
            continue
        write_task(request.out, task)
        names.append(task.name)
    if not names:
        reason = next(iter(skipped.values()), "it lists no episode")
        raise InputError(f"{request.source}: gives no task ({reason})")
    return names, skipped


def _task(episode: str, instruction: str, frame: Frames, request: NewTasks) -> Task:
    if not instruction:
        raise InputError(f"{episode}: has no instruction; give one for all such episodes with --instruction")
    group, name = slug(instruction), re.sub(r"[^\w.+-]", "_", episode)
    extras = {"source": f"{request.source.name}/{episode}"}
    return Task(f"{group}/{name}", group, frame, instruction, request.steps, request.partial_credit, extras=extras)


def slug(text: str) -> str:
    """The words of a text as the name of a folder: "Put the cup away." => "put-the-cup-away"."""
    return "-".join(re.findall(r"[a-z0-9]+", text.lower()))[:80] or "task"
