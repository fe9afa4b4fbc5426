"""Commands for recorded episodes: other people's datasets, and stores made from them."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from worldgym.cli.options import Positional
from worldgym.cli.output import print_skipped
from worldgym.errors import InputError
from worldgym.io.text import amount

if TYPE_CHECKING:
    from worldgym.episodes.recording import SourceOptions


@dataclass(frozen=True)
class ReadingOptions:
    """How a dataset is read; the options that its commands share."""

    camera: str = ""
    """key of the camera (default: the first that shows no depth map)"""
    views: tuple[str, ...] = ()
    """several cameras, the main view first: their keys, or parts of them; NAME=KEY renames one"""
    action: str = ""
    """key of the actions; several separated by commas (default: the usual one of the format)
    """
    state: str = ""
    """key of the states; several separated by commas (default: the usual one)"""
    state_names: tuple[str, ...] = ()
    """what the numbers of a state are, if the files do not say it: x y z roll pitch yaw gripper,
    or joint_0 joint_1 ..."""
    convention: str = ""
    """what the actions mean, if the files do not say: a registered name, or your own JSON file"""
    size: tuple[int, int] | None = None
    """height and width to resize frames to (default: as they are)"""
    recorded_fps: float | None = None
    """frames per second at which the dataset was recorded, if its files do not say it or say it
    wrongly; nothing is resampled"""
    instruction: str = ""
    """instruction of episodes that have none"""
    wording: int = 1
    """which one, if an episode has several texts of the same task"""
    subtasks: Literal["join", "first", "last", "split"] | None = None
    """for an episode whose instruction changes: join the texts (the default; required with
    --strict), take one of them, or split the episode"""
    flip: Literal["vertical", "horizontal", "both"] | None = None
    """turn pictures that are stored upside down (vertical), mirrored (horizontal), or both"""
    rotate: Literal[0, 90, 180, 270] = 0
    """degrees clockwise to rotate pictures by"""
    swap_red_blue: bool = False
    """exchange red and blue, if a dataset was written with OpenCV's order of channels"""
    strict: bool = False
    """stop at the first broken episode instead of leaving it out"""

    def options(self) -> SourceOptions:
        from worldgym.episodes.recording import SourceOptions

        reading = {
            **vars(self),
            "fps": self.recorded_fps,
            "flip": self.flip or "",
            "subtasks": self.subtasks or "",
        }
        return SourceOptions(
            **{option.name: reading[option.name] for option in fields(SourceOptions)}
        )


@dataclass(frozen=True, kw_only=True)
class Inspect(ReadingOptions):
    """Show the contents of a dataset: episodes, cameras, lengths, ranges of actions, which action
    moves which frame, broken files."""

    source: Positional[Path]
    """folder (or HDF5 file) of the dataset; the format is detected"""
    fps: float | None = None
    """show what `worldgym data convert --fps` would do with the dataset"""
    limit: int = 20
    """how many episodes are read, spread evenly; 0 = all"""
    sheet: Path | None = None
    """PNG file for a contact sheet"""
    json: bool = False
    """print JSON instead of text"""

    def __call__(self) -> None:
        from worldgym.episodes.inspection import inspect, write_sheet
        from worldgym.episodes.inspection_text import inspection_text

        found = inspect(self.source, self.options(), self.limit, self.strict, self.fps)
        if self.sheet and found.sheet is not None:
            write_sheet(found.sheet, self.sheet)
        print(json.dumps(found.to_json(), indent=2) if self.json else inspection_text(found))
        if found.broken and not found.read:
            raise InputError(
                f"{self.source}: none of the episodes that were inspected can be read; the report "
                f"names the first reasons"
            )


@dataclass(frozen=True, kw_only=True)
class Convert(ReadingOptions):
    """Convert a dataset to an episode store (resumes) or to LeRobot v3.0."""

    source: Positional[Path]
    """folder (or HDF5 file) of the dataset; the format is detected"""
    out: Path
    """folder for the store or the dataset"""
    to: Literal["worldgym", "lerobot"] = "worldgym"
    """format to write"""
    to_convention: str = ""
    """convention to convert the actions to (default: as they are)"""
    fps: float | None = None
    """frames per second to convert to, at most the recorded ones: frames are left out, and the
    actions between them are joined"""
    drop_first: bool = False
    """leave out frame 0 and action 0 (datasets that begin with an action of zeros)"""
    shift: int = 0
    """frame t to t + 1 is moved by recorded action t + SHIFT"""
    relabel: bool = False
    """pose numbers from the recorded states: what the arm did instead of what was commanded"""
    limit: int = 0
    """at most this many episodes; 0 = all"""
    strict: bool = False
    """stop at the first episode that is broken or looks wrong (see `worldgym data inspect`), and at
    contradictory metadata"""
    most_clipped: float = 0.01
    """with --strict and --to-convention: largest share of an episode's actions that may be out of
    bounds"""

    def __call__(self) -> None:
        from worldgym.episodes.conversion import ConvertRequest, convert_dataset
        from worldgym.episodes.time_rule import TimeRule

        rule = TimeRule(self.drop_first, self.shift, self.relabel)
        checks = self.limit, self.strict, self.fps, self.most_clipped
        done = convert_dataset(
            ConvertRequest(
                self.source, self.out, self.to, self.options(), rule, self.to_convention, *checks
            )
        )
        kept = f", {len(done.kept)} were there" if done.kept else ""
        print(
            f"{self.out}: {amount(len(done.written), 'episode')} written{kept}, "
            f"{len(done.skipped)} skipped"
        )
        for sentence in done.sentences():
            print(sentence)
        print_skipped(done.skipped)


@dataclass(frozen=True)
class Augment:
    """Copy recordings with edited pictures, so that a world can be trained on scenes that were not
    recorded. Resumes."""

    store: Positional[Path]
    """episode store"""
    edits: Path
    """edits.toml, ranges allowed: gain = { mild = 1.0, harsh = 0.2 }"""
    out: Path
    """episode store for the edited copies"""
    limit: int = 0
    """episodes per task; 0 = all"""
    seed: int = 0

    def __call__(self) -> None:
        from worldgym.tasks.augment import AugmentConfig, augment_store

        counts, skipped = augment_store(
            AugmentConfig(self.store, self.edits, self.out, self.limit, self.seed)
        )
        print(f"{self.out}: {sum(counts.values())} edited episodes")
        for name, count in counts.items():
            print(f"  {name}: {count}")
        print_skipped(skipped)


@dataclass(frozen=True)
class Conventions:
    """List the registered action conventions, and the pairs between which actions can be
    converted."""

    def __call__(self) -> None:
        from worldgym.actions.conventions import CONVENTIONS
        from worldgym.actions.convert import CONVERSIONS

        for name, spec in CONVENTIONS.items():
            print(
                f"{name}: {', '.join(spec.names)}; {spec.mode}; 1.0 = {spec.unit}; gripper "
                f"{spec.gripper}; {spec.rate_hz:g} Hz"
            )
        print("conversions, both ways: " + ", ".join(f"{a} - {b}" for a, b in CONVERSIONS))
