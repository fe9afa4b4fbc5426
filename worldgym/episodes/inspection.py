"""`worldgym data inspect`: the contents of a dataset, measured on a sample of its episodes, and
what looks wrong with it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL import Image

from worldgym.episodes.action_statistics import number_statistics
from worldgym.episodes.alignment import AlignmentMeter
from worldgym.episodes.channel_order import exchanged
from worldgym.episodes.inspection_result import Inspection
from worldgym.episodes.quality import quality_issues
from worldgym.episodes.readers.lerobot_counts import contradictions
from worldgym.episodes.recording import Recording, Source, SourceOptions
from worldgym.episodes.resample import recorded_rate, resampled
from worldgym.episodes.sources import open_source
from worldgym.episodes.states import state_notes
from worldgym.episodes.subsample import evenly_spaced
from worldgym.episodes.time_rule import to_episode
from worldgym.errors import InputError, WorldGymError, at_least
from worldgym.io.files import write_atomic
from worldgym.io.images import resized
from worldgym.io.progress import progress
from worldgym.types import Actions, ActionSpec, Frames

SHEET_EPISODES = 8
SHEET_FRAMES = 6
SHEET_SIDE = 128
COLOUR_EVERY = 8  # frames of which one is looked at for its colours
ZERO = 1e-4  # an action this close to none, with the gripper left out of account


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
    at_least("--limit", sample)
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
            shown = [recording.frames, *recording.others.values()]
            self.shown += [_strip(frames) for frames in shown if frames is not None]

    def finish(self, out: Inspection) -> None:
        _measure(out, self.source, self.actions)
        out.alignment = self.meter.result() if self.actions else None
        out.sheet = np.concatenate(self.shown) if self.shown else None


def _hints(root: Path, options: SourceOptions, found: Inspection) -> list[str]:
    """What is likely but cannot be measured in one picture."""
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
    name = found.read[0]
    mine = found.camera
    out = list[str]()
    others = [camera for camera in found.cameras if camera != mine]
    try:
        frames = (
            open_source(root, replace(options, camera=mine, views=()))
            .read(name)
            .frames[::COLOUR_EVERY]
            if others
            else None
        )
        for camera in others:
            recording = open_source(root, replace(options, camera=camera, views=())).read(name)
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
            f"the files do not say what the actions mean, so they cannot be converted to {fps:g} "
            f"Hz; give "
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


def _count(out: Inspection, name: str, recording: Recording) -> None:
    out.read.append(name)
    out.lengths.append(len(recording.frames))
    height, width = recording.frames.shape[1:3]
    out.sizes[f"{width}x{height}"] += 1
    out.rates[_rate(recording)] += 1
    out.outcomes[{True: "success", False: "failure", None: "unknown"}[recording.success]] += 1
    out.instructions[recording.instruction] += 1
    out.notes.update(recording.facts.notes)
    out.notes.update(state_notes(recording.states, recording.facts.state_names))
    if recording.others:
        out.views = (recording.view, *recording.others)
        out.absent.update(name for name, frames in recording.others.items() if frames is None)


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
    joined = np.concatenate(actions)
    spec = source.spec
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
