"""`worldgym data inspect`: what a data set holds, measured on a sample of its episodes, and what looks wrong with it."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from worldgym.episodes.alignment import Alignment, AlignmentMeter
from worldgym.episodes.images import fit
from worldgym.episodes.recording import Recording, Source
from worldgym.episodes.spread import spread
from worldgym.episodes.statistics import Statistics, number_statistics
from worldgym.errors import InputError, WorldGymError, at_least
from worldgym.files import write_atomic
from worldgym.progress import progress
from worldgym.types import Actions, Frames

SHEET_EPISODES, SHEET_FRAMES, SHEET_SIDE = 8, 6, 128
ZERO = 1e-4  # an action this close to none, with the gripper left out of account


@dataclass
class Inspection:
    """episodes: listed.   read: names of those read.   broken: name => what is wrong.   lengths: frames of those read.

    actions: statistics a number.   outside: share of numbers beyond the convention's bounds, a number; empty without one.
    notes: what readers did to make episodes fit => number of episodes.
    first_still: share of episodes whose first action moves nothing.
    """

    kind: str
    cameras: tuple[str, ...]
    camera: str
    episodes: int
    read: list[str] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)
    lengths: list[int] = field(default_factory=list)
    sizes: Counter[str] = field(default_factory=Counter)
    rates: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    instructions: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    names: list[str] = field(default_factory=list)
    actions: Statistics = field(default_factory=dict)
    outside: list[float] = field(default_factory=list)
    expected: int | None = None
    first_still: float = 0.0
    alignment: Alignment | None = None
    sheet: Frames | None = None

    def warnings(self) -> list[str]:
        """One sentence for everything a user should look at before training."""
        out = [f"{len(self.broken)} of {len(self.broken) + len(self.read)} episodes are broken"] if self.broken else []
        if self.alignment and (sentence := self.alignment.warning()):
            out.append(sentence)
        if self.first_still >= 0.5:
            out.append(f"the first action moves nothing in {self.first_still:.0%} of the episodes: consider --drop-first")
        if self.names and self.expected not in (None, len(self.names)):
            out.append(f"actions hold {len(self.names)} numbers, the convention {self.expected}: is it the right convention?")
        wide = [f"{name} {share:.1%}" for name, share in zip(self.names, self.outside, strict=False) if share > 0.01]
        if wide:
            out.append(f"numbers beyond the convention's bounds ({', '.join(wide)}): is it the right convention?")
        if len(self.sizes) > 1:
            out.append(f"frames of different sizes ({', '.join(self.sizes)}): give --size to convert them")
        if self.read and set(self.instructions) == {""}:
            out.append("no episode says what it does: a policy and a judge need one; give it with --instruction")
        out += [f"{note} ({count} of {len(self.read)} episodes)" for note, count in self.notes.items()]
        return out

    def to_json(self) -> dict[str, Any]:
        """Everything but the contact sheet."""
        data = {key: value for key, value in vars(self).items() if key not in ("sheet", "alignment")}
        data["alignment"] = vars(self.alignment) if self.alignment else None
        return {**data, "warnings": self.warnings()}


def inspect(source: Source, sample: int = 20, strict: bool = False) -> Inspection:
    """Reads `sample` episodes spread evenly over the set (0 = all). Broken ones are named and counted; `strict` stops there."""
    at_least("--sample", sample)
    listing = source.listing()
    if not listing:
        raise InputError("the data set lists no episode; is it the right folder?")
    out = Inspection(source.kind, source.cameras, source.camera, len(listing))
    meter, actions, shown = AlignmentMeter(source.spec), list[Actions](), list[Frames]()
    chosen = spread(len(listing), sample or len(listing))
    for i in progress(chosen, len(chosen), "reading", "episode"):
        name = listing[i].name
        try:
            recording = source.read(name)
        except WorldGymError as error:
            if strict:
                raise
            out.broken[name] = str(error)
            continue
        _count(out, name, recording)
        if len(recording.frames) > 1 and (not actions or recording.actions.shape[1] == actions[0].shape[1]):
            meter.add(recording)
            actions.append(recording.actions)
        if len(shown) < SHEET_EPISODES:
            shown.append(_strip(recording.frames))
    _measure(out, source, actions)
    out.alignment = meter.result() if actions else None
    out.sheet = np.concatenate(shown) if shown else None
    return out


def _count(out: Inspection, name: str, recording: Recording) -> None:
    out.read.append(name)
    out.lengths.append(len(recording.frames))
    height, width = recording.frames.shape[1:3]
    out.sizes[f"{width}x{height}"] += 1
    out.rates["rate unknown" if recording.fps is None else f"{recording.fps:g} Hz"] += 1
    out.outcomes[{True: "success", False: "failure", None: "unknown"}[recording.success]] += 1
    out.instructions[recording.instruction] += 1
    out.notes.update(recording.facts.notes)


def _measure(out: Inspection, source: Source, actions: Sequence[Actions]) -> None:
    if not actions:
        return
    joined, spec = np.concatenate(actions), source.spec
    out.expected = spec.size if spec else None
    fits = spec is not None and spec.size == joined.shape[1]
    out.names = list(spec.names) if spec and fits else [str(i) for i in range(joined.shape[1])]
    out.actions = number_statistics(joined)
    moving = [i for i, name in enumerate(out.names) if name != "gripper"]
    out.first_still = float(np.mean([bool((np.abs(rows[0][moving]) < ZERO).all()) for rows in actions]))
    if spec and fits:
        beyond = (joined < np.array(spec.low) - 1e-6) | (joined > np.array(spec.high) + 1e-6)
        out.outside = [float(share) for share in beyond.mean(axis=0)]


def _strip(frames: Frames) -> Frames:
    """[SIDE, FRAMES * SIDE, 3]: the episode from its first frame to its last."""
    picked = np.linspace(0, len(frames) - 1, SHEET_FRAMES).round().astype(int)
    return np.concatenate([fit(frames[i], (SHEET_SIDE, SHEET_SIDE)) for i in picked], axis=1)


def write_sheet(sheet: Frames, path: Path) -> None:
    """The contact sheet as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, "PNG")
    write_atomic(path, buffer.getvalue())
