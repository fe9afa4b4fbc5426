"""The origin of a store's episode: which episode of which dataset, so that two episodes with one
name are not confused.

    STORE/convert.json    by dataset (its resolved path) the settings that its episodes were
                          converted with, and `prefix`, what stands before their names in the store;
                          the first dataset's is ""

An episode of the store carries its origin, DATASET#NAME. One that is there by its origin, or an
equal one that was converted from another place, is not written again. Episodes of stores from
before origins were kept count by name for the datasets listed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from worldgym.episodes.store import EpisodeStore, numbered_names
from worldgym.errors import InputError
from worldgym.io.files import locked, read_json, write_json
from worldgym.io.records import first_difference

NAME = "convert.json"
PREFIX = "prefix"


def origin_of(dataset: Path, episode: str) -> str:
    """The same whatever path or link led to the dataset."""
    return f"{dataset.resolve()}#{episode}"


@dataclass
class Origins:
    """Of the episodes of `dataset` in the store at `out`, which is None where no store is written.

    settings: what the conversion depends on.   defaults: what held in a store from before there was
    such a setting.
    before: the store as it was when the run began.   legacy: it lists the dataset, and has no
    origins.   taken: names given."""

    dataset: Path
    out: Path | None
    settings: Mapping[str, object]
    defaults: Mapping[str, object]
    before: EpisodeStore | None = None
    legacy: bool = False
    prefix: str = ""
    taken: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """InputError where the store holds episodes of the dataset that were converted with other
        settings."""
        if self.out is not None and (self.out / "store.json").exists():
            self.before = EpisodeStore(self.out)
        entry = self._entry(_made(self.out)) if self.out is not None else None
        self.legacy = entry is not None and PREFIX not in entry
        self.known = {info.origin for info in self.before or ()} - {""}
        self.contents = {info.digest for info in self.before or ()} - {""}

    def origin(self, name: str) -> str:
        return origin_of(self.dataset, name)

    def holds(self, name: str, safe: str) -> bool:
        """Whether the episode is in the store by its origin, or in one from before there were
        origins by its name."""
        if self.origin(name) in self.known:
            return True
        return (
            self.legacy
            and self.before is not None
            and safe in self.before
            and not self.before.info(safe).origin
        )

    def holds_content(self, digest: str) -> bool:
        """Whether an equal episode was in the store when the run began: the dataset was moved, or
        is part of another."""
        return digest in self.contents

    def place(self, name: str, safe: str) -> str:
        """The name in the store, which no episode of another origin has."""

        def free(place: str) -> bool:
            return place not in self.taken and (
                self.before is None or self.before.is_free(place, self.origin(name))
            )

        place = next(filter(free, numbered_names(f"{self.prefix}{safe}")))
        self.taken.add(place)
        return place

    def register(self) -> None:
        """Enters the dataset in STORE/convert.json, one process at a time; from then on `prefix` is
        known."""
        if self.out is None:
            return
        with locked(self.out):
            made = _made(self.out)
            entry = self._entry(made)
            if entry is None:
                entry = {**self.settings, PREFIX: _prefix(self.dataset, made)}
                write_json(self.out / NAME, {**made, str(self.dataset.resolve()): entry})
        self.prefix = str(entry.get(PREFIX, ""))

    def _entry(self, made: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Of this dataset."""
        entry: Mapping[str, Any] | None = next(
            (made[key] for key in made if _same(key, made[key], self.dataset)), None
        )
        if entry is None:
            return None
        before = {**self.defaults, **{key: value for key, value in entry.items() if key != PREFIX}}
        if difference := first_difference(before, dict(self.settings)):
            raise InputError(
                f"{self.out} holds episodes of {self.dataset} converted otherwise: {difference}; "
                f"choose another --out, or "
                f"remove it"
            )
        return entry


def _same(key: str, entry: Mapping[str, Any], dataset: Path) -> bool:
    """Whether convert.json means this dataset. Older ones have the path as it was typed, from an
    unknown folder."""
    path = Path(key)
    here = dataset.resolve()
    typed = PREFIX not in entry and not path.is_absolute() and path.name == here.name
    return typed or path.resolve() == here


def _made(out: Path) -> dict[str, Any]:
    path = out / NAME
    return read_json(path, "a converted store") if path.exists() else {}


def _prefix(dataset: Path, made: Mapping[str, Any]) -> str:
    """ "" for the first dataset of a store, then the dataset's name, with a number where another is
    called so."""
    if not made:
        return ""
    resolved = dataset.resolve()
    plain = re.sub(r"[^\w.+-]", "_", resolved.stem if resolved.is_file() else resolved.name)
    taken = {str(entry.get(PREFIX, "")) for entry in made.values()}
    return next(f"{free}-" for free in numbered_names(plain) if f"{free}-" not in taken)
