"""What the experiments share: settings, scoring, and how a figure is published.

A figure is a function from `Setup` to `Finding`. `main` parses the command line, calls it, and
writes beside `setup.results`:

    figures/NAME.csv    the numbers behind the plot
    figures/NAME.svg    the plot
    results.md          one row per figure; the row of this one is replaced, the others stay

Scores of policies resume (worldgym/reference/scoring.py), so an interrupted experiment continues
with the same command.

Figures about the instrument as it is (a, b, c, g, k, l) use held-out policies and start states;
sweeps over settings and trainings (d, e, f, h, i, j), and (m), by which something might be chosen,
use the development ones."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean
from typing import Any

from experiments.chart import Chart, Point, Series, to_svg
from experiments.worlds import trained
from worldgym.cli.script import read_options
from worldgym.errors import InputError, WorldGymError
from worldgym.io.bundled import BUNDLE
from worldgym.io.checkpoint import fingerprint, reconfigure
from worldgym.io.files import read_json, write_atomic
from worldgym.io.json_form import to_json
from worldgym.reference.reference_tasks import STEPS, TASKS
from worldgym.reference.replay_validation import ValidateConfig, validate
from worldgym.reference.scoring import Instrument, Scope, ScoredRun, score, set_scope

HEAD = (
    "# Results\n\n"
    "Each row was written by `python -m experiments.NAME` (see "
    "[experiments/README.md](../experiments/README.md)); its plot and\n"
    "its numbers are in `figures/`. *On* names policies, start states per task, and fingerprints "
    "of world and judge.\n\n"
    "| figure | question | result | on | made |\n| --- | --- | --- | --- | --- |\n"
)


@dataclass(frozen=True)
class Setup:
    """Options of every experiment."""

    zoo: Path = Path("runs/zoo")
    """trained policies: ZOO/development/NAME and ZOO/held-out/NAME"""
    world: Path = BUNDLE / "world"
    judge: Path = BUNDLE / "judge"
    worlds: tuple[str, ...] = ()
    """NAME=FOLDER of worlds trained otherwise, for the figures that compare such; empty = those of
    experiments/worlds.py"""
    recordings: Path = Path("data/dev")
    """episodes for replays to choose by: development seeds"""
    held_out: Path = Path("data/heldout")
    """episodes for replays to report: held-out seeds"""
    out: Path = Path("runs/experiments")
    results: Path = Path("docs/results.md")
    seeds: int = 0
    """start states per task; 0 = the figure's own number"""
    tasks: tuple[str, ...] = tuple(TASKS)
    steps: int = STEPS
    workers: int = 0
    """processes of the simulator; 0 = one per core"""

    @property
    def instrument(self) -> Instrument:
        return Instrument(self.world, self.judge)


@dataclass(frozen=True)
class Finding:
    """name: of the script.   question: what the figure asks.   result: the answer with its numbers,
    a sentence or two.

    on: what it was measured on.   rows: the numbers behind the plot.
    """

    name: str
    question: str
    result: str
    on: str
    rows: Sequence[Mapping[str, Any]]
    chart: Chart


def main(measure: Callable[[Setup], Finding]) -> None:
    """Command line of one figure. Exit code 2 and one sentence on bad input."""
    setup = read_options(Setup, measure.__doc__)
    try:
        finding = measure(setup)
        publish(finding, setup.results)
    except WorldGymError as error:
        print(f"{Path(sys.argv[0]).stem}: {error}", file=sys.stderr)
        sys.exit(2)
    print(f"{finding.name}: {finding.result}")


def scope(setup: Setup, set_name: str, seeds: int) -> Scope:
    """The trained policies of a set on its first start states: as many as asked for on the command
    line, else `seeds`."""
    found = set_scope(set_name, setup.zoo / set_name, setup.seeds or seeds)
    return Scope(found.name, found.policies, found.seeds, setup.tasks, setup.steps)


def scored(setup: Setup, what: Scope, instrument: Instrument | None = None) -> ScoredRun:
    """Truth and run of a scope; what is there is not scored again."""
    return score(what, instrument or setup.instrument, setup.out, setup.workers)


def on(what: Scope, *instruments: Instrument) -> str:
    """For the column of that name. instruments: worlds with one judge."""
    size = (
        f"{len(what.policies)} {what.name} policies x {len(what.tasks)} tasks x {len(what.seeds)}"
    )
    worlds = ", ".join(fingerprint(instrument.world) for instrument in instruments)
    return (
        f"{size}; world{'s' * (len(instruments) > 1)} {worlds}, judge "
        f"{fingerprint(instruments[0].judge)}"
    )


def with_sampler(setup: Setup, **settings: float) -> Instrument:
    """The world with other sampler settings, as a checkpoint of its own beside the run."""
    label = "-".join(f"{key}{value:g}" for key, value in settings.items())
    folder = setup.out / "worlds" / f"{fingerprint(setup.world)}-{label}"
    reconfigure(setup.world, folder / "world", {"sampler": settings})
    reconfigure(setup.world.parent / "codec", folder / "codec", {})
    return Instrument(folder / "world", setup.judge)


def other_worlds(setup: Setup, names: tuple[str, ...]) -> dict[str, Instrument]:
    """`--worlds`, by name; without it those of `experiments.worlds` with these names. InputError if
    not NAME=FOLDER."""
    named = [entry.partition("=") for entry in setup.worlds]
    if wrong := next(("".join(entry) for entry in named if not (entry[0] and entry[2])), None):
        raise InputError(f"--worlds {wrong}: write NAME=FOLDER")
    folders = {name: Path(folder) for name, _, folder in named} or trained(
        setup.out / "trained", names
    )
    return {name: Instrument(_world_in(folder), setup.judge) for name, folder in folders.items()}


def _world_in(folder: Path) -> Path:
    return folder / "world" if (folder / "world").is_dir() else folder


def replayed(setup: Setup, instrument: Instrument, store: Path) -> dict[str, Any]:
    """Recorded episodes through a world (worldgym/reference/replay_validation.py); measured once
    for a world, judge and store."""
    folder = setup.out / "replays" / f"{store.name}-{instrument.label}"
    if (folder / "validation.json").exists():
        return read_json(folder / "validation.json", "a replay")
    return validate(ValidateConfig(instrument.world, instrument.judge, store, folder))


def measures(run: ScoredRun) -> dict[str, float | None]:
    """One run as a row: agreement, the world's optimism, and time.

    optimism: mean of world minus truth over cells, points.   false_successes: share of true
    failures that were judged a success. seconds: of wall time a trial, its share of a batch.
    """
    agreed = run.agreement
    trials = run.trials()
    kept = ("pearson", "policy_centred_pearson", "mean_abs_gap", "mmrv", "trial_agreement")
    failures = [
        float(trial.succeeded)
        for trial in trials
        if trial.truth is False and trial.succeeded is not None
    ]
    return {
        **{key: to_json(agreed)[key] for key in kept},
        "optimism": None if agreed.bias is None else agreed.bias.value,
        "false_successes": mean(failures) if failures else None,
        "seconds": mean(trial.seconds for trial in trials),
    }


def sweep(setup: Setup, instruments: Mapping[str, Instrument], seeds: int) -> list[dict[str, Any]]:
    """The development policies with every instrument: a row each, named "setting"."""
    what = scope(setup, "development", seeds)
    return [
        {"setting": name, **measures(scored(setup, what, instrument))}
        for name, instrument in instruments.items()
    ]


def lines(
    rows: Sequence[Mapping[str, Any]],
    columns: Mapping[str, str],
    *,
    joined: bool = True,
    named: str = "setting",
) -> tuple[Series, ...]:
    """A series for each column {column: name}, over the rows in order; rows without a number are
    left out.

    named: column that says what a row is of.
    """

    def known(key: str) -> list[tuple[int, Mapping[str, Any]]]:
        return [(i, row) for i, row in enumerate(rows) if row[key] is not None]

    return tuple(
        Series(
            name, tuple(Point(i, row[key], name=str(row[named])) for i, row in known(key)), joined
        )
        for key, name in columns.items()
    )


AGREEMENT = {
    "pearson": "Pearson r",
    "policy_centred_pearson": "r within policies",
    "trial_agreement": "verdicts equal to the truth",
}


def told(rows: Sequence[Mapping[str, Any]], key: str, form: str = "{:.2f}") -> str:
    """One column in words: "1: 0.74, 2: 0.75"."""
    return ", ".join(
        f"{row['setting']}: {'–' if row[key] is None else form.format(row[key])}" for row in rows
    )


def publish(finding: Finding, results: Path) -> None:
    """Writes the figure's files and its row."""
    figures = results.parent / "figures"
    write_atomic(figures / f"{finding.name}.csv", to_csv(finding.rows).encode())
    write_atomic(figures / f"{finding.name}.svg", to_svg(finding.chart).encode())
    text = results.read_text(encoding="utf-8") if results.exists() else HEAD
    write_atomic(results, with_row(text, finding, datetime.now(UTC).date().isoformat()).encode())


def with_row(text: str, finding: Finding, day: str) -> str:
    """The page with this figure's row in it, rows by name. Whatever stands above and below the
    table stays."""
    link = f"[{finding.name}](figures/{finding.name}.svg)"
    row = "| " + " | ".join((link, finding.question, finding.result, finding.on, day)) + " |"
    lines = text.splitlines()
    places = [i for i, line in enumerate(lines) if line.startswith("| [")]
    head = next(i for i, line in enumerate(lines) if line.startswith("| ---")) + 1
    kept = [lines[i] for i in places if not lines[i].startswith(f"| {link} ")]
    rest = lines[places[-1] + 1 if places else head :]
    return "\n".join([*lines[:head], *sorted([*kept, row]), *rest]) + "\n"


def to_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Columns in the order in which the rows name them; JSON for what is no number or text."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {
                key: json.dumps(value) if isinstance(value, dict | list) else value
                for key, value in row.items()
            }
        )
    return text.getvalue()
