"""Sweeps: one file that describes worlds x tasks x judges x policies, as runs that grow."""

from __future__ import annotations

import glob
import re
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from worldgym.cli.output import answer, command_line, end_as, show
from worldgym.cli.run_commands import Evaluate
from worldgym.errors import InputError, Unfinished, WorldGymError
from worldgym.io.files import read_toml
from worldgym.io.object_store import is_store
from worldgym.io.records import from_mapping, located
from worldgym.io.run_mirror import mirror_folder
from worldgym.io.text import amount

if TYPE_CHECKING:
    from worldgym.evaluation.preview import Preview

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]*")
WHAT = "a sweep is a .toml file, see docs/sweeps.md"
SHOWN = 6  # policies that are named


@dataclass(frozen=True)
class SweepFile:
    """The content of sweep.toml.

    out: folder of the runs: OUT/WORLD/TASKS/JUDGE each.   worlds, tasks, judges: by the name that
    they have in these folders.   policies: as of `worldgym evaluate`; a star stands for any part of
    a folder's name, and in NAME=FOLDER for the same.   options: the others of `worldgym
    evaluate`."""

    out: str
    trials: int
    worlds: Mapping[str, str]
    tasks: Mapping[str, str]
    judges: Mapping[str, str]
    policies: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.out:
            raise ValueError('"out" is empty: name a folder')
        for key in ("worlds", "tasks", "judges", "policies"):
            if not getattr(self, key):
                raise ValueError(f'"{key}" is empty: name at least one')
        for key in ("worlds", "tasks", "judges"):
            for name in getattr(self, key):
                if not NAME.fullmatch(name):
                    raise ValueError(
                        f'"{key}.{name}" cannot be a folder name: use letters, digits, . _ + @ -'
                    )


def read_sweep(path: Path) -> list[Evaluate]:
    """The evaluations of a sweep. InputError in one sentence for what is wrong in the file."""
    table = read_toml(path, WHAT)
    with located(path):
        sweep = from_mapping(SweepFile, table)
        policies = tuple(name for entry in sweep.policies for name in expanded(entry))
        return list(_each(sweep, policies))


def expanded(entry: str) -> list[str]:
    """ "grasp@*=runs/step-*" => "grasp@100=runs/step-100", "grasp@2000=runs/step-2000", ...: a star
    in the name is what the star of the folder stands for. By numbers in their order. InputError
    where no folder is meant."""
    name, sign, pattern = entry.rpartition("=")
    pattern = re.sub("/{2,}", "/", pattern) if "*" in pattern else pattern  # as glob writes it
    if "*" not in pattern:
        if "*" in name:
            raise InputError(f'the policy "{entry}" has a star in its name, but none in its folder')
        return [entry]
    literal = "*".join(map(glob.escape, pattern.split("*")))  # a star is all that has a meaning
    found = [place for place in glob.glob(literal) if Path(place).is_dir()]
    if not found:
        raise InputError(f'the policy "{entry}" names no folder: nothing matches "{pattern}"')
    star = re.compile("(.*?)".join(map(re.escape, pattern.split("*"))), re.DOTALL)
    rows = []
    for place in found:
        known = star.fullmatch(place)
        rows.append(f"{name.replace('*', known[1] if known else '')}{sign}{place}")
    return sorted(rows, key=_by_numbers)


def _by_numbers(text: str) -> list[tuple[int, str]]:
    return [(int(part) if part.isdecimal() else -1, part) for part in re.split(r"(\d+)", text)]


def _each(sweep: SweepFile, policies: tuple[str, ...]) -> Iterator[Evaluate]:
    options = dict(sweep.options)
    if options.get("batch") == "auto":
        options["batch"] = None
    for world, place in sweep.worlds.items():
        for tasks, folder in sweep.tasks.items():
            for judge, judged in sweep.judges.items():
                run = f"{world}/{tasks}/{judge}"
                given = {
                    "world": place,
                    "policy": policies,
                    "tasks": Path(folder),
                    "judge": Path(judged),
                    "trials": sweep.trials,
                    "out": f"{sweep.out.rstrip('/')}/{run}",
                    "json": False,
                }
                one = from_mapping(Evaluate, options, given, place="options")
                yield replace(one, track=tuple(_place_of(name, run) for name in one.track))


def _place_of(tracker: str, run: str) -> str:
    """TensorBoard tells runs apart by their folders alone; other trackers begin a run at each
    start."""
    kind, _, place = tracker.partition(":")
    return f"{tracker.rstrip('/')}/{run}" if kind == "tensorboard" and place else tracker


@dataclass(frozen=True)
class Sweep:
    """Evaluate what a file describes: worlds x tasks x judges x policies (docs/sweeps.md), one run
    folder per combination of the first three. Finished trials are not run again, so the same file
    may grow and be given every night. Everything is checked before anything runs."""

    config: Path
    """sweep.toml"""
    dry_run: bool = False
    """print what would be done, with estimated time and cost; run nothing"""
    json: bool = False
    """print JSON instead of text"""

    def __call__(self) -> None:
        from worldgym.api import Run, evaluate

        asked = read_sweep(self.config)
        expected = [_preview(one) for one in asked]
        if self.dry_run:
            answer(tuple(expected), preview_text, self.json)
            return
        print(preview_text(tuple(expected)), file=sys.stderr)
        runs: list[Run] = []
        stopped: WorldGymError | None = None
        started = time.monotonic()
        begun = 0
        for one in asked:
            begun += 1
            options = one.asked(command_line())
            if one.max_minutes is not None:  # of the sweep
                spent = (time.monotonic() - started) / 60.0
                options["max_minutes"] = max(one.max_minutes - spent, 0.0)
            try:
                runs.append(evaluate(**options))
            except WorldGymError as error:  # the others still run
                print(f"worldgym: {one.out}: {error}", file=sys.stderr)
                stopped = stopped or error
            else:
                if runs[-1].ended_early:
                    break
        for run in runs:
            show(run, self.json)
        if stopped is not None:
            raise stopped
        end_as(runs)
        if left := len(asked) - begun:
            raise Unfinished(f"not begun: {amount(left, 'run')}; give the same command again")


def _preview(one: Evaluate) -> Preview:
    from worldgym.api import evaluation_parts
    from worldgym.evaluation.preview import preview

    asked = one.asked("")
    out = asked.pop("out")
    folder = mirror_folder(out) if is_store(out) else Path(out)
    try:
        return preview(*evaluation_parts(folder, **asked))
    except WorldGymError as error:
        raise InputError(f"{one.out}: {error}") from error


def preview_text(expected: tuple[Preview, ...]) -> str:
    """A few lines per run, and the sum."""
    from worldgym.report.formats import duration

    lines = []
    for one in expected:
        policies = f"policies {', '.join(one.policies[:SHOWN])}"
        more = f" and {len(one.policies) - SHOWN} more" if len(one.policies) > SHOWN else ""
        lines.append(f"{one.run}: {one.left} of {one.planned} trials to do")
        lines.append(f"  {policies}{more}")
        if one.left:
            told = "unknown until trials have run" if one.seconds is None else _costs(one)
            lines.append(f"  time and price: {told}")
    left = sum(one.left for one in expected)
    known = [one.seconds for one in expected if one.left and one.seconds is not None]
    more = "" if len(known) == sum(one.left > 0 for one in expected) else ", and the unknown"
    total = f"; about {duration(sum(known))}{more}" if known else ""
    return "\n".join([*lines, f"in all {left} of {sum(o.planned for o in expected)} to do{total}"])


def _costs(one: Preview) -> str:
    from worldgym.report.formats import duration

    time = duration(one.seconds or 0.0)
    return f"about {time} on one worker, {one.usd or 0.0:.2f} USD, by the trials so far"
