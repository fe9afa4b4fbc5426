"""`worldgym data inspect`: what a dataset holds, measured on a sample of its episodes, and what
looks wrong with it."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from worldgym.episodes.action_statistics import Statistics, number_statistics
from worldgym.episodes.alignment import Alignment, AlignmentMeter
from worldgym.episodes.channel_order import exchanged
from worldgym.episodes.quality import quality_issues
from worldgym.episodes.readers.lerobot_counts import contradictions
from worldgym.episodes.recording import Recording, Source, SourceOptions, to_episode
from worldgym.episodes.resample import recorded_rate, resampled
from worldgym.episodes.sources import open_source
from worldgym.episodes.subsample import evenly_spaced
from worldgym.errors import InputError, WorldGymError, at_least
from worldgym.io.files import write_atomic
from worldgym.io.images import resized
from worldgym.io.progress import progress
from worldgym.types import Actions, ActionSpec, Frames

SHEET_EPISODES, SHEET_FRAMES, SHEET_SIDE = 8, 6, 128
NAMED = 3  # episodes that a warning names
COLOUR_EVERY = 8  # frames of which one is looked at for its colours
ZERO = 1e-4  # an action this close to none, with the gripper left out of account


@dataclass
class Inspection:
    """episodes: listed.   read: names of those read.   broken: name => what is wrong.   lengths:
    frames of those read.

    actions: statistics a number.   outside: share of numbers beyond the convention's bounds, a
    number; empty without one.
    notes: what readers did to make episodes fit => number of episodes.   hints: what the format
    makes likely.
    issues: kind of issue => episode => detail (see quality.py).   contradictions: of the set's
    metadata.
    copies: episode => the one read before that it equals.   first_still: share of episodes whose
    first action moves nothing. resampling: what `convert --fps` would do, where that was asked.
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
    hints: list[str] = field(default_factory=list)
    issues: dict[str, dict[str, str]] = field(default_factory=dict)
    contradictions: list[str] = field(default_factory=list)
    copies: dict[str, str] = field(default_factory=dict)
    resampling: str = ""
    names: list[str] = field(default_factory=list)
    actions: Statistics = field(default_factory=dict)
    outside: list[float] = field(default_factory=list)
    expected: int | None = None
    first_still: float = 0.0
    alignment: Alignment | None = None
    sheet: Frames | None = None

    def warnings(self) -> list[str]:
        """One sentence for everything a user should look at before training."""
        out = (
            [f"{len(self.broken)} of {len(self.broken) + len(self.read)} episodes are broken"]
            if self.broken
            else []
        )
        if self.alignment and (sentence := self.alignment.warning()):
            out.append(sentence)
        if self.first_still >= 0.5:
            out.append(
                f"the first action moves nothing in {self.first_still:.0%} of the episodes: "
                f"consider --drop-first"
            )
        if self.names and self.expected not in (None, len(self.names)):
            out.append(
                f"actions hold {len(self.names)} numbers, the convention {self.expected}: is it "
                f"the right convention?"
            )
        wide = [
            f"{name} {share:.1%}"
            for name, share in zip(self.names, self.outside, strict=False)
            if share > 0.01
        ]
        if wide:
            out.append(
                f"numbers beyond the convention's bounds ({', '.join(wide)}): is it the right "
                f"convention?"
            )
        if len(self.sizes) > 1:
            out.append(
                f"frames of different sizes ({', '.join(self.sizes)}): give --size to convert them"
            )
        if self.read and set(self.instructions) == {""}:
            out.append(
                "no episode says what it does: a policy and a judge need one; give it with "
                "--instruction"
            )
        out += self.contradictions
        out += [f"{kind}: {_named(found, len(self.read))}" for kind, found in self.issues.items()]
        if self.copies:
            pairs = [f"{name} as {first}" for name, first in list(self.copies.items())[:NAMED]]
            out.append(
                f"{len(self.copies)} of {len(self.read)} episodes equal another one "
                f"({_listed(pairs, len(self.copies))})"
            )
        out += [
            f"{note} ({count} of {len(self.read)} episodes)" for note, count in self.notes.items()
        ]
        return out + self.hints

    def to_json(self) -> dict[str, Any]:
        """Everything but the contact sheet."""
        data = {
            key: value for key, value in vars(self).items() if key not in ("sheet", "alignment")
        }
        data["alignment"] = asdict(self.alignment) if self.alignment else None
        return {**data, "warnings": self.warnings()}


def inspect(
    root: Path,
    options: SourceOptions = SourceOptions(),
    sample: int = 20,
    strict: bool = False,
    fps: float | None = None,
) -> Inspection:
    """Reads `sample` episodes spread evenly over the set (0 = all). Broken ones are named and
    counted; `strict` stops there.

    fps: a rate that the set might be converted to.
    """
    at_least("--sample", sample)
    source = open_source(root, options)
    listing = source.listing()
    if not listing:
        raise InputError("the dataset lists no episode; is it the right folder?")
    out = Inspection(
        source.kind,
        source.cameras,
        source.camera,
        len(listing),
        contradictions=contradictions(root),
    )
    gathered = _Gathered(source, options, fps)
    chosen = evenly_spaced(len(listing), sample or len(listing))
    for i in progress(chosen, len(chosen), "reading", "episode"):
        name = listing[i].name
        try:
            recording = source.read(name)
        except WorldGymError as error:
            if strict:
                raise
            out.broken[name] = str(error)
            continue
        gathered.add(out, name, recording)
    gathered.finish(out)
    out.hints += _hints(root, options, out)
    return out


@dataclass
class _Gathered:
    """What is kept of the recordings until all are read. Of the first one, what the other cameras
    show is looked at too."""

    source: Source
    options: SourceOptions
    fps: float | None
    meter: AlignmentMeter = field(init=False)
    actions: list[Actions] = field(default_factory=list)
    shown: list[Frames] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.meter = AlignmentMeter(self.source.spec)

    def add(self, out: Inspection, name: str, recording: Recording) -> None:
        _count(out, name, recording)
        for issue in quality_issues(recording, self.source.spec):
            out.issues.setdefault(issue.kind, {})[name] = issue.detail
        digest = _digest(recording)
        if digest in self.digests:
            out.copies[name] = self.digests[digest]
        self.digests.setdefault(digest, name)
        if self.fps is not None and not out.resampling:
            out.resampling = "--fps: " + _resampling(recording, self.source.spec, self.fps)
        if len(recording.frames) > 1 and (
            not self.actions or recording.actions.shape[1] == self.actions[0].shape[1]
        ):
            self.meter.add(recording)
            self.actions.append(recording.actions)
        if len(self.shown) < SHEET_EPISODES:
            self.shown.append(_strip(recording.frames))

    def finish(self, out: Inspection) -> None:
        _measure(out, self.source, self.actions)
        out.alignment = self.meter.result() if self.actions else None
        out.sheet = np.concatenate(self.shown) if self.shown else None


def _hints(root: Path, options: SourceOptions, found: Inspection) -> list[str]:
    """What is likely and cannot be measured in one picture alone."""
    out = []
    if (
        found.kind.startswith("hdf5")
        and options.convention.startswith("libero")
        and not (options.flip or options.rotate)
    ):
        out.append(
            "LIBERO's HDF5 files hold pictures upside down: look at them with --sheet, and turn "
            "them with --flip vertical"
        )
    if found.read and not options.swap_red_blue:
        out += _other_cameras(root, options, found)
    return out


def _other_cameras(root: Path, options: SourceOptions, found: Inspection) -> list[str]:
    """Cameras whose red and blue are exchanged against the one that is read, in the first
    episode."""
    name, mine, out = found.read[0], found.camera, list[str]()
    others = [camera for camera in found.cameras if camera != mine]
    try:
        frames = (
            open_source(root, replace(options, camera=mine)).read(name).frames[::COLOUR_EVERY]
            if others
            else None
        )
        for camera in others:
            recording = open_source(root, replace(options, camera=camera)).read(name)
            if (
                frames is not None
                and not recording.facts.depth
                and exchanged(recording.frames[::COLOUR_EVERY], frames)
            ):
                out.append(camera)
    except WorldGymError:
        return []  # a camera that cannot be read is not the one that was asked for
    if not out:
        return []
    return [
        f"red and blue are exchanged between the camera {mine} and {', '.join(out)} (episode "
        f"{name}): look at both with --sheet, "
        f"and give --swap-red-blue for the one that is wrong"
    ]


def _digest(recording: Recording) -> str:
    digest = hashlib.sha256(recording.instruction.encode())
    for array in (recording.frames, recording.actions):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _resampling(recording: Recording, spec: ActionSpec | None, fps: float) -> str:
    """What `convert --fps` would do with such episodes, or why it would not."""
    if spec is None:
        return (
            f"nothing says what the actions mean, so they cannot be converted to {fps:g} Hz; give "
            f"--convention"
        )
    try:
        recording = replace(recording, fps=recorded_rate(recording, spec))
        episode = to_episode(recording, spec)
        made = resampled(episode, fps, spec.rate_hz)
    except WorldGymError as error:
        return str(error)
    if made is episode:
        return f"recorded at {fps:g} Hz: converting to that rate changes nothing"
    kept = f"{len(made.frames)} of {len(episode.frames)} frames"
    return (
        f"from {episode.fps:g} to {fps:g} Hz an episode keeps {kept}, and the actions between them "
        f"are joined"
    )


def _named(found: Mapping[str, str], of: int) -> str:
    """ "3 of 10 episodes (a: 5 frames; b; ...)"."""
    each = [f"{name}: {detail}" if detail else name for name, detail in list(found.items())[:NAMED]]
    return f"{len(found)} of {of} episodes ({_listed(each, len(found))})"


def _listed(parts: Sequence[str], of: int) -> str:
    return "; ".join(parts) + ("; ..." if of > len(parts) else "")


def _count(out: Inspection, name: str, recording: Recording) -> None:
    out.read.append(name)
    out.lengths.append(len(recording.frames))
    height, width = recording.frames.shape[1:3]
    out.sizes[f"{width}x{height}"] += 1
    out.rates[_rate(recording)] += 1
    out.outcomes[{True: "success", False: "failure", None: "unknown"}[recording.success]] += 1
    out.instructions[recording.instruction] += 1
    out.notes.update(recording.facts.notes)


def _rate(recording: Recording) -> str:
    if recording.fps is None:
        return "rate unknown"
    stated = recording.facts.stated_fps
    told = (
        f" (the files say {stated:g})"
        if stated and abs(stated / recording.fps - 1.0) > 1e-3
        else ""
    )
    return f"{recording.fps:g} Hz{told}"


def _measure(out: Inspection, source: Source, actions: Sequence[Actions]) -> None:
    if not actions:
        return
    joined, spec = np.concatenate(actions), source.spec
    out.expected = spec.size if spec else None
    fits = spec is not None and spec.size == joined.shape[1]
    out.names = list(spec.names) if spec and fits else [str(i) for i in range(joined.shape[1])]
    out.actions = number_statistics(joined)
    moving = [i for i, name in enumerate(out.names) if name != "gripper"]
    out.first_still = float(
        np.mean([bool((np.abs(rows[0][moving]) < ZERO).all()) for rows in actions])
    )
    if spec and fits:
        beyond = (joined < np.array(spec.low) - 1e-6) | (joined > np.array(spec.high) + 1e-6)
        out.outside = [float(share) for share in beyond.mean(axis=0)]


def _strip(frames: Frames) -> Frames:
    """[SIDE, FRAMES * SIDE, 3]: the episode from its first frame to its last."""
    picked = np.linspace(0, len(frames) - 1, SHEET_FRAMES).round().astype(int)
    return np.concatenate([resized(frames[i], (SHEET_SIDE, SHEET_SIDE)) for i in picked], axis=1)


def write_sheet(sheet: Frames, path: Path) -> None:
    """The contact sheet as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, "PNG")
    write_atomic(path, buffer.getvalue())
