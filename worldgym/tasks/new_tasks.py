"""`worldgym tasks new`: the first frames of a dataset, or a photo, become tasks."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from worldgym.episodes.file_names import file_names
from worldgym.episodes.identity import origin_of
from worldgym.episodes.recording import Recording, SourceOptions
from worldgym.episodes.sources import open_source
from worldgym.episodes.store import numbered_names
from worldgym.errors import InputError, WorldGymError, at_least
from worldgym.io.files import read_json
from worldgym.io.progress import progress
from worldgym.tasks.photo_task import is_photo, photo_frame
from worldgym.tasks.task_folder import DEFAULT_STEPS
from worldgym.tasks.write_tasks import write_task
from worldgym.types import Task


@dataclass(frozen=True)
class NewTasks:
    """options: an episode without an instruction, of its own or of them, is skipped.   limit:
    tasks, 0 = all.

    partial_credit: criterion for a score of 0.5, the same for all.   strict: stop at the first
    episode that cannot be used."""

    source: Path
    out: Path
    options: SourceOptions = field(default_factory=SourceOptions)
    partial_credit: str = ""
    steps: int = DEFAULT_STEPS
    limit: int = 0
    strict: bool = False


def new_tasks(request: NewTasks) -> tuple[list[str], dict[str, str]]:
    """One task per episode, grouped by instruction, or one of a photo => (names of the tasks,
    skipped episode => reason). InputError for none."""
    if request.steps < 1:
        raise InputError(f"{request.steps} steps leave a policy nothing to do; give 1 or more")
    at_least("--limit", request.limit)
    if is_photo(request.source):
        return [_of_photo(request)], {}
    source = open_source(request.source, request.options)
    names: list[str] = []
    skipped: dict[str, str] = {}
    listing = source.listing()
    named = list(zip(listing, file_names(listed.name for listed in listing), strict=True))
    for listed, file in progress(named, len(named), "first frames", "episode"):
        if request.limit and len(names) >= request.limit:
            break
        try:
            recording = source.read(listed.name)
            task = _task(listed.name, file, recording, request)
        except WorldGymError as error:
            if request.strict:
                raise
            skipped[listed.name] = str(error).removeprefix(f"{listed.name}: ")
            continue
        write_task(request.out, task)
        names.append(task.name)
    if not names:
        reason = next(iter(skipped.values()), "it lists no episode")
        raise InputError(f"{request.source}: gives no task ({reason})")
    return names, skipped


def _of_photo(request: NewTasks) -> str:
    """The name of the task that it became."""
    photo, instruction = request.source, request.options.instruction
    if not instruction.strip():
        raise InputError(f"{photo}: say what is to be done there, with --instruction")
    frame = photo_frame(photo, request.options)
    group = slug(instruction)
    (file,) = file_names([photo.stem])
    extras = {"source": photo.name, "origin": hashlib.sha256(frame.tobytes()).hexdigest()[:12]}
    name = _free_name(request.out, f"{group}/{file}", extras)
    task = Task(
        name, group, frame, instruction, request.steps, request.partial_credit, extras=extras
    )
    write_task(request.out, task)
    return name


def _task(episode: str, file: str, recording: Recording, request: NewTasks) -> Task:
    """With the first frames of all views that the episode has."""
    instruction = recording.instruction
    if not instruction:
        raise InputError(
            f"{episode}: has no instruction; give one for all such episodes with --instruction"
        )
    group = slug(instruction)
    # the folder's name may be that of another one's too, and its path is nobody else's business
    origin = hashlib.sha256(origin_of(request.source, episode).encode()).hexdigest()[:12]
    extras = {"source": f"{request.source.name}/{episode}", "origin": origin}
    name = _free_name(request.out, f"{group}/{file}", extras)
    others = {view: frames[0] for view, frames in recording.others.items() if frames is not None}
    return Task(
        name,
        group,
        recording.frames[0],
        instruction,
        request.steps,
        request.partial_credit,
        extras=extras,
        others=others,
    )


def _free_name(out: Path, wanted: str, extras: Mapping[str, str]) -> str:
    """The wanted one, or with a number."""
    return next(name for name in numbered_names(wanted) if _is_free(out / f"{name}.json", extras))


def _is_free(path: Path, extras: Mapping[str, str]) -> bool:
    """Whether no task is there, or that of the same episode (one from before there were origins has
    none), so that no task takes another's place."""
    if not path.exists():
        return True
    there = read_json(path, "a task")
    return there.get("source", "") == extras["source"] and there.get("origin") in (
        None,
        extras["origin"],
    )


def slug(text: str) -> str:
    """The words of a text as the name of a folder: "Put the cup away." => "put-the-cup-away".

    Where letters of other alphabets, or words beyond 80 characters, do not fit in, 6 digits of the
    text's SHA-256 tell texts apart.
    """
    plain = "".join(
        c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c)
    )
    words = "-".join(re.findall(r"[a-z0-9]+", plain))
    if len(words) <= 80 and all(c.isascii() or not c.isalnum() for c in plain):
        return words or "task"
    return "-".join(
        filter(None, (words[:73].rstrip("-"), hashlib.sha256(text.encode()).hexdigest()[:6]))
    )
