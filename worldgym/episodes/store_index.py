"""The index of an episode store: what is known of every episode without reading it.

STORE/index.jsonl   one line an episode without actions; rebuilt whenever it is absent or stale
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worldgym.errors import InputError
from worldgym.io.files import read_json, write_atomic


@dataclass(frozen=True)
class EpisodeInfo:
    """What the index knows: everything but pixels, actions, states and lists. `length` is the
    number of actions.

    origin: dataset and episode that it was made from.   digest: of frames, actions and instruction
    as they were written. Both are "" where the writer did not say.   absent: views of the store
    that this episode was recorded without.
    """

    name: str
    length: int
    instruction: str
    success: bool | None
    source: str
    extras: Mapping[str, Any]
    origin: str = ""
    digest: str = ""
    absent: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        """What results are summed over: the task that it was recorded for, or where that is not
        known its instruction."""
        return str(self.extras.get("task", self.instruction))


def load_index(root: Path) -> list[EpisodeInfo]:
    """Of every episode of a store, sorted by name; made of the episodes where it is absent or
    stale."""
    written = {
        entry.name[:-5]: entry.stat().st_mtime_ns
        for entry in _scan(root)
        if entry.name.endswith(".json")
    }
    names = sorted(written)
    index = root / "index.jsonl"
    if index.exists() and index.stat().st_mtime_ns >= max(written.values(), default=0):
        try:
            infos = [_indexed(line) for line in index.read_text(encoding="utf-8").splitlines()]
        except (ValueError, TypeError):  # damaged: it is made of the episodes, and again
            infos = []
        if [info.name for info in infos] == names:
            return infos
    infos = [_info(root, name) for name in names]
    if infos:
        lines = (json.dumps(vars(info)) for info in infos)
        with suppress(InputError):  # a store that is read alone has no index, or an old one
            write_atomic(index, ("\n".join(lines) + "\n").encode())
    return infos


def _indexed(line: str) -> EpisodeInfo:
    """ValueError for a line from before episodes had an origin: what the file says of it is not in
    the line."""
    data = json.loads(line)
    if "origin" not in data:
        raise ValueError("no origin")
    return EpisodeInfo(**{**data, "absent": tuple(data.get("absent", ()))})


def _scan(root: Path) -> Iterator[os.DirEntry[str]]:
    if (root / "episodes").is_dir():
        with os.scandir(root / "episodes") as entries:
            yield from entries


def _info(root: Path, name: str) -> EpisodeInfo:
    data = read_json(root / "episodes" / f"{name}.json", "an episode")
    extras = {key: value for key, value in data["extras"].items() if not isinstance(value, list)}
    facts = (
        data["instruction"],
        data["success"],
        data["source"],
        extras,
        data.get("origin", ""),
        data.get("digest", ""),
        tuple(data.get("absent", ())),
    )
    return EpisodeInfo(name, data["length"], *facts)
