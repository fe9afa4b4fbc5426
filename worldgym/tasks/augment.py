"""`worldgym data augment`: recordings whose pictures are edited, so that a world can be trained on
scenes that were not recorded.

Every episode gets one edit of the file, the same from the first frame to the last; ranges
(ranges.py) are drawn again for each. The robot's motion is not changed, so an edit may change only
things that the motion does not depend on."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from worldgym.episodes.identity import origin_of
from worldgym.episodes.store import EpisodeStore, numbered_names
from worldgym.episodes.store_index import EpisodeInfo
from worldgym.episodes.subsample import evenly_spaced
from worldgym.errors import EditRefused, InputError, at_least
from worldgym.io.files import read_toml
from worldgym.io.output_folder import check_apart
from worldgym.io.progress import progress
from worldgym.tasks.edits.edit_file import Edit, fits_any, read_suite
from worldgym.tasks.edits.edit_protocol import ImageStep, Scene, generator_of
from worldgym.tasks.edits.ranges import RangedEdit, ranged_edits
from worldgym.types import Episode, Frames


@dataclass(frozen=True)
class AugmentConfig:
    """limit: episodes per group, spread evenly over the store, 0 = all.   seed: of the choice of
    edits and of their strengths."""

    store: Path
    edits: Path
    out: Path
    limit: int = 0
    seed: int = 0


def augment_store(config: AugmentConfig) -> tuple[dict[str, int], dict[str, str]]:
    """Writes the store OUT, resuming one that is there => (episodes of each edit, episode that fits
    no edit => reason)."""
    check_apart(config.out, config.store)
    at_least("--limit", config.limit)
    store = EpisodeStore(config.store)
    edits = _edits(config.edits)
    made_with = _digest(config)
    written = EpisodeStore.create(config.out, store.spec, store.fps, store.reach, store.views)
    if other := next((info for info in written if _made_with(info) not in ("", made_with)), None):
        raise InputError(
            f"{config.out}: holds episodes of other edits or of another seed, {other.name} among "
            f"them; choose another --out"
        )
    counts = dict.fromkeys((edit.name for edit in edits), 0)
    skipped = dict[str, str]()
    known = {info.origin.removesuffix(f"@{made_with}") for info in written}
    chosen = _spread(store.infos, config.limit)
    for info in progress(chosen, len(chosen), "editing", "episode"):
        rng = generator_of(f"{config.seed}/{info.name}")
        full_name = f"{info.group}/{info.name}"
        fitting = [
            edits[i]
            for i in rng.permutation(len(edits))
            if fits_any(edits[i].described.only, full_name)
        ]
        reason = f"no edit is for {info.group}"
        for ranged in fitting:
            strength = float(rng.uniform())
            noise = int(rng.integers(2**32))
            name = f"{info.name}-{ranged.name}"
            origin = f"{origin_of(config.store, info.name)}#{ranged.name}"
            full = f"{origin}@{made_with}"
            if origin not in known and not _older(written, name, info):
                try:
                    edit = ranged.at(strength, ranged.name)
                    episode = edited_episode(store[info.name], edit, strength, noise)
                except InputError as error:
                    reason = str(error)
                    continue
                free = next(place for place in numbered_names(name) if written.is_free(place, full))
                written.write(free, episode, full)
            counts[ranged.name] += 1
            break
        else:
            skipped[info.name] = reason
    return counts, skipped


def _digest(config: AugmentConfig) -> str:
    """12 hexadecimal digits of the edits as they are written, and of the seed."""
    table = read_toml(config.edits, "edits are described in a TOML file")
    text = json.dumps([table, config.seed], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _made_with(info: EpisodeInfo) -> str:
    """The digest in an episode's origin, DATASET#NAME#EDIT@DIGEST; "" in one from before there was
    one."""
    found = re.search(r"#[\w.-]+@([0-9a-f]{12})$", info.origin)
    return "" if found is None else found[1]


def _older(written: EpisodeStore, name: str, info: EpisodeInfo) -> bool:
    """Whether the edited episode was written before episodes had an origin."""
    return (
        name in written
        and not written.info(name).origin
        and written.info(name).source == info.source
    )


def edited_episode(episode: Episode, edit: Edit, strength: float = 0.0, seed: int = 0) -> Episode:
    """The episode with every frame of the main view edited, fresh noise for each, and the
    instruction too. Further views become absent: what is painted into one picture is not in them.

    A step that cannot be done on a later frame (the robot hides what it adds or recolours) is left
    out of that frame. InputError if it cannot be done on the first.
    """
    first = Scene(np.random.default_rng(seed))
    later = replace(first, later=True)
    painted: list[Frames] = []
    for frame in episode.main:
        for paint in edit.image:
            frame = _painted(paint, frame, later if painted else first)
        painted.append(frame)
    frames = np.zeros_like(episode.frames)
    frames[:, 0] = painted
    instruction = episode.instruction
    for reword in edit.text:
        instruction = reword.say(instruction, first)
    extras = {**episode.extras, "edit": edit.name, "strength": strength}
    return replace(
        episode,
        frames=frames,
        instruction=instruction,
        extras=extras,
        absent=episode.views[1:],
    )


def _painted(step: ImageStep, frame: Frames, scene: Scene) -> Frames:
    try:
        return step.paint(frame, scene)
    except (InputError, EditRefused):
        if not scene.later:
            raise
        return frame


def _edits(path: Path) -> list[RangedEdit]:
    """InputError for what cannot be trained on: a new goal, and edits that ask a server for every
    frame."""
    suite = read_suite(path)
    if suite.client is not None:
        raise InputError(
            f"{path}: has a [server], which would be used for every frame; remove edits by a model"
        )
    edits = ranged_edits(suite)
    for edit in edits:
        if edit.described.success:
            raise InputError(
                f"{path}: edit {edit.name} has a new goal, which the recorded actions do not "
                f"pursue; remove it"
            )
        try:
            edit.try_ends()
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
    return edits


def _spread(infos: Sequence[EpisodeInfo], limit: int) -> list[EpisodeInfo]:
    """At most this many of each group, evenly over the store."""
    groups: Mapping[str, list[EpisodeInfo]] = {info.group: [] for info in infos}
    for info in infos:
        groups[info.group].append(info)
    return [
        some[i] for some in groups.values() for i in evenly_spaced(len(some), limit or len(some))
    ]
