"""Commands for other people's datasets, and tasks made from them."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from worldgym.cli.output import print_skipped

if TYPE_CHECKING:
    from worldgym.episodes.recording import SourceOptions


@dataclass(frozen=True)
class ReadingOptions:
    """How a dataset is read; the options that its commands share."""

    camera: str = ""
    """key of the camera (default: the first that shows no depth map)"""
    action: str = ""
    """key that holds the actions; several joined by commas (default: the usual one of the format)
    """
    state: str = ""
    """key that holds the states, likewise"""
    convention: str = ""
    """what the actions mean, where the files do not say: a registered name, or a JSON file of your
    own"""
    size: tuple[int, int] | None = None
    """height and width to resize frames to (default: as they are)"""
    recorded_fps: float | None = None
    """frames per second at which the set was recorded, where its files do not say or say it wrong;
    nothing is resampled"""
    instruction: str = ""
    """for episodes that have none"""
    wording: int = 1
    """which one, where an episode has several texts of the same task"""
    subtasks: Literal["join", "first", "last", "split"] = "join"
    """an episode whose instruction changes: join the texts, take one of them, or split it into an
    episode each"""
    flip: Literal["vertical", "horizontal", "both"] | None = None
    """turn pictures that are stored upside down (vertical), mirrored (horizontal), or both"""
    rotate: Literal[0, 90, 180, 270] = 0
    """degrees clockwise that pictures are turned by"""
    swap_red_blue: bool = False
    """exchange red and blue, where a set was written with OpenCV's order of channels"""
    strict: bool = False
    """stop at the first broken episode instead of leaving it out"""

    def options(self) -> SourceOptions:
        from worldgym.episodes.recording import SourceOptions

        reading = {**vars(self), "fps": self.recorded_fps, "flip": self.flip or ""}
        return SourceOptions(
            **{option.name: reading[option.name] for option in fields(SourceOptions)}
        )


@dataclass(frozen=True)
class Inspect(ReadingOptions):
    """What a dataset holds: episodes, cameras, lengths, ranges of actions, which action moves
    which frame, broken files."""

    source: tyro.conf.Positional[Path] = tyro.MISSING
    """folder (or HDF5 file) of the dataset; the format is found out"""
    fps: float | None = None
    """say what `worldgym convert --fps` would make of the set"""
    episodes: int = 20
    """how many are read, spread evenly; 0 = all"""
    sheet: Path | None = None
    """PNG file for a contact sheet"""
    json: bool = False
    """print JSON instead of text"""

    def run(self) -> None:
        from worldgym.episodes.inspection import inspect, write_sheet
        from worldgym.episodes.inspection_text import inspection_text

        found = inspect(self.source, self.options(), self.episodes, self.strict, self.fps)
        if self.sheet and found.sheet is not None:
            write_sheet(found.sheet, self.sheet)
        print(json.dumps(found.to_json(), indent=2) if self.json else inspection_text(found))


@dataclass(frozen=True)
class Conventions:
    """The registered action conventions, and between which of them actions can be converted."""

    def run(self) -> None:
        from worldgym.actions.conventions import CONVENTIONS
        from worldgym.actions.convert import CONVERSIONS

        for name, spec in CONVENTIONS.items():
            print(
                f"{name}: {', '.join(spec.names)}; {spec.mode}; 1.0 = {spec.unit}; gripper "
                f"{spec.gripper}; {spec.rate_hz:g} Hz"
            )
        print("conversions, both ways: " + ", ".join(f"{a} - {b}" for a, b in CONVERSIONS))


@dataclass(frozen=True)
class Data:
    """Look at recorded data before training on them."""

    action: (
        Annotated[Inspect, tyro.conf.arg(name="inspect")]
        | Annotated[Conventions, tyro.conf.arg(name="conventions")]
    )

    def run(self) -> None:
        self.action.run()


@dataclass(frozen=True)
class Convert(ReadingOptions):
    """Convert a dataset to an episode store (resumes) or to LeRobot v3.0."""

    source: tyro.conf.Positional[Path] = tyro.MISSING
    out: tyro.conf.Positional[Path] = tyro.MISSING
    to: Literal["worldgym", "lerobot"] = "worldgym"
    actions: str = ""
    """convention to convert the actions to (default: as they are)"""
    fps: float | None = None
    """frames per second to convert to, at most the recorded ones: frames are left out, and the
    actions between them joined"""
    drop_first: bool = False
    """leave out frame 0 and action 0 (sets that begin with an action of zeros)"""
    shift: int = 0
    """frame t to t + 1 is moved by recorded action t + SHIFT"""
    relabel: bool = False
    """pose numbers from the recorded states: what the arm did instead of what it was told"""
    limit: int = 0
    """at most so many episodes; 0 = all"""
    strict: bool = False
    """stop at the first episode that is broken or looks wrong (see `worldgym data inspect`), and at
    metadata that contradict each other"""
    most_clipped: float = 0.01
    """with --strict and --actions: share of an episode's actions that may lie beyond the bounds"""

    def run(self) -> None:
        from worldgym.episodes.conversion import ConvertRequest, convert_dataset
        from worldgym.episodes.recording import TimeRule

        rule = TimeRule(self.drop_first, self.shift, self.relabel)
        checks = self.limit, self.strict, self.fps, self.most_clipped
        done = convert_dataset(
            ConvertRequest(
                self.source, self.out, self.to, self.options(), rule, self.actions, *checks
            )
        )
        kept = f", {len(done.kept)} were there" if done.kept else ""
        print(
            f"{self.out}: {len(done.written)} episodes written{kept}, {len(done.skipped)} skipped"
        )
        for sentence in done.sentences():
            print(sentence)
        print_skipped(done.skipped)


@dataclass(frozen=True)
class New(ReadingOptions):
    """Make a task of the first frame of every episode of a dataset."""

    source: tyro.conf.Positional[Path] = tyro.MISSING
    out: tyro.conf.Positional[Path] = tyro.MISSING
    partial_credit: str = ""
    """written criterion for a score of 0.5"""
    steps: int = 40
    """actions a rollout may take"""
    limit: int = 0
    """at most so many tasks; 0 = all"""

    def run(self) -> None:
        from worldgym.tasks.new_tasks import NewTasks, new_tasks

        request = NewTasks(
            self.source,
            self.out,
            self.options(),
            self.partial_credit,
            self.steps,
            self.limit,
            self.strict,
        )
        names, skipped = new_tasks(request)
        print(f"{self.out}: {len(names)} tasks, {len(skipped)} episodes skipped")
        print_skipped(skipped)


@dataclass(frozen=True)
class Bridge17:
    """Join your initial frames with the published Bridge suite: 17 tasks and the real results of
    four policies."""

    frames: tyro.conf.Positional[Path]
    """folder of NN-TASK/*.png; what is missing is named"""
    out: tyro.conf.Positional[Path]
    size: tuple[int, int] | None = None
    """height and width to resize frames to"""

    def run(self) -> None:
        from worldgym.tasks.bridge17 import make_bridge17

        names, missing = make_bridge17(self.frames, self.out, self.size)
        print(f"{self.out}: {len(names)} tasks")
        if missing:
            print(f"no initial frames for {', '.join(missing)}")


@dataclass(frozen=True)
class Tasks:
    """Make task folders: an initial image and a text each."""

    action: (
        Annotated[New, tyro.conf.arg(name="new")]
        | Annotated[Bridge17, tyro.conf.arg(name="bridge17")]
    )

    def run(self) -> None:
        self.action.run()
