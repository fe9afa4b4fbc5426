"""Several runs side by side: their policies on common trials, as if they had been one run.

Trials of one task, repeat and run seed start from the same frame with the same noise, so policies
of different runs, and one policy in different worlds, are compared in pairs like those of one run,
by the same statistics (`worldgym.stats.summarize`). Tasks of one name that are not the same in all
runs are left out.
"""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from markupsafe import Markup

from worldgym.errors import InputError
from worldgym.io.run_log import LOG_NAME, read_log
from worldgym.io.run_records import (
    CONTENTS_KEY,
    PLANNED_KEY,
    RunHeader,
    TrialRecord,
    results,
)
from worldgym.report.figures import COLOURS
from worldgym.report.formats import listed, number_of, points
from worldgym.report.page import compared_sections, page_environment
from worldgym.report.section import ReportFacts, ReportOptions
from worldgym.stats.pairs import PolicyComparison
from worldgym.stats.summarize import summarize
from worldgym.stats.summary import Summary
from worldgym.stats.world_trust import WorldTrust

MOST = 20  # runs
WIDTH, ROW, LEFT, EDGE, TOP = 720, 26, 300, 20, 26  # of the figure of differences, in SVG units
_Log = tuple[str, RunHeader, list[TrialRecord]]  # of a run, by its name


@dataclass(frozen=True)
class ComparedRuns:
    """html: fragment of the page.   rates, pairs: CSV."""

    html: str
    rates: str
    pairs: str


@dataclass(frozen=True)
class _Joined:
    """left_out: tasks that the trust report of one of the worlds calls red.   differing: names of
    initial frames that are not the same in all runs, by task, left out too.   unlike: sentences on
    what else is not the same."""

    header: RunHeader
    records: list[TrialRecord]
    left_out: tuple[str, ...]
    differing: dict[str, list[str]]
    unlike: list[str]


def compare_runs(named: Sequence[tuple[str, str]]) -> ComparedRuns:
    """named: (name, folder) of two or more runs. InputError where they have no task in common."""
    if not 2 <= len(named) <= MOST:
        raise InputError(f"choose 2 to {MOST} runs to compare, not {len(named)}")
    joined = _joined(named)
    summary = summarize(joined.header, joined.records)
    facts = ReportFacts(
        Path(named[0][1]),
        joined.header,
        joined.records,
        results(joined.records),
        summary,
        ReportOptions(),
    )
    context = {
        **compared_sections(facts),
        "differences": differences_figure(summary.comparisons, summary.names),
        "left_out": listed(joined.left_out) if joined.left_out else "",
        "differing": _named_tasks(joined.differing),
        "unlike": joined.unlike,
        "runs": [name for name, _ in named],
    }
    environment = page_environment(Path(__file__).parent / "templates")
    html = environment.get_template("compared.html").render(context)
    return ComparedRuns(html, _rates_csv(summary), _pairs_csv(summary))


def _joined(named: Sequence[tuple[str, str]]) -> _Joined:
    logs = [(name, *read_log(Path(folder) / LOG_NAME)) for name, folder in named]
    differing = _differing(logs)
    tasks = [{r.task for r in records} for _, _, records in logs]
    if not set.intersection(*tasks):
        raise InputError("these runs have no task in common, so their trials do not compare")
    if set.intersection(*tasks) <= differing:
        raise InputError(
            "the tasks that these runs have in common differ in content, so their trials do not "
            "compare; choose runs of the same tasks"
        )
    names = Counter(str(policy["name"]) for _, header, _ in logs for policy in header.policies)
    policies = []
    joined = list[TrialRecord]()
    for run, header, records in logs:
        called = {
            str(policy["name"]): _called(str(policy["name"]), run, names)
            for policy in header.policies
        }
        policies += [{**policy, "name": called[str(policy["name"])]} for policy in header.policies]
        joined += [replace(record, policy=called[record.policy]) for record in records]
    red = _red(named, sorted({record.group for record in joined}))
    first = logs[0][1]
    plans = [header.config.get(PLANNED_KEY) for _, header, _ in logs]
    config = {
        key: value for key, value in first.config.items() if key not in (PLANNED_KEY, "trials")
    }
    if not red and not differing and all(plan == plans[0] for plan in plans):
        config[PLANNED_KEY] = plans[0]
    header = replace(first, policies=tuple(policies), config=config, truths=())
    kept = [r for r in joined if r.group not in red and r.task not in differing]
    return _Joined(header, kept, tuple(sorted(red)), _by_group(joined, differing), _unlike(logs))


def _differing(logs: Sequence[_Log]) -> set[str]:
    """Tasks that are not the same in all runs that have them, by their contents, and by what was
    asked, which older logs tell too."""
    contents = defaultdict[str, set[str]](set)
    asked = defaultdict[str, set[str]](set)
    for _, header, records in logs:
        known = header.config.get(CONTENTS_KEY, {})
        for task, instruction in {(record.task, record.instruction) for record in records}:
            asked[task].add(instruction)
            contents[task] |= {known[task]} if task in known else set()
    return {task for task in asked if len(asked[task]) > 1 or len(contents[task]) > 1}


def _by_group(records: Sequence[TrialRecord], tasks: set[str]) -> dict[str, list[str]]:
    found = defaultdict[str, set[str]](set)
    for record in records:
        if record.task in tasks:
            found[record.group].add(record.task)
    return {group: sorted(found[group]) for group in sorted(found)}


def _named_tasks(tasks: Mapping[str, Sequence[str]]) -> str:
    """ "door (3 initial frames) and drawer (1 initial frame)"; "" for none."""
    told = [f"{group} ({number_of(len(own), 'initial frame')})" for group, own in tasks.items()]
    return listed(told) if told else ""


def _unlike(logs: Sequence[_Log]) -> list[str]:
    """A sentence for worlds and judges that are not the same in all runs."""
    found = []
    for what in ("world", "judge"):
        runs = defaultdict[str, list[str]](list)
        for run, header, _ in logs:
            runs[str(getattr(header, what))].append(run)
        if len(runs) > 1:
            told = "; ".join(f"{name} in {listed(own)}" for name, own in runs.items())
            found.append(f"The {what}s differ: {told}.")
    return found


def _called(policy: str, run: str, names: Counter[str]) -> str:
    """Its own name where no other run has it, else with the run's; a training step stays last, so
    that checkpoints form a series."""
    if names[policy] == 1:
        return policy
    name, sign, step = policy.partition("@")
    return f"{name} in {run}{sign}{step}"


def _red(named: Sequence[tuple[str, str]], groups: Sequence[str]) -> set[str]:
    reports = [WorldTrust.of_run(Path(folder)) for _, folder in named]
    return {group for trust in reports if trust is not None for group in trust.left_out(groups)}


def differences_figure(pairs: Sequence[PolicyComparison], policies: Sequence[str]) -> Markup:
    """One row per pair: difference of the success rates in points with the interval that holds for
    all pairs together. Left of the line the second is better, right of it the first."""
    known = [pair for pair in pairs if pair.value is not None]
    together = len(known) > 1
    parts = [_axis(len(known))]
    for row, pair in enumerate(known):
        low, high = (pair.low_all, pair.high_all) if together else (pair.low, pair.high)
        y = TOP + ROW * row + ROW / 2
        text = f"{pair.a} less {pair.b}: {points(pair.value)} ({points(low)} to {points(high)})"
        colour = policies.index(pair.a) % COLOURS if pair.shown else COLOURS
        row_marks = Markup(
            '<g class="c{}" data-tip="{}"><text x="{}" y="{:.1f}" text-anchor="end">{} – {}</text>'
            '<line class="band" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>'
            '<circle class="dot" cx="{:.1f}" cy="{:.1f}" r="4"/></g>'
        )
        parts.append(
            row_marks.format(
                *(colour, text, LEFT - 12, y + 4, _short(pair.a), _short(pair.b)),
                *(_x(low), _x(high), y, y, _x(pair.value or 0.0), y),
            )
        )
    frame = Markup(
        '<svg class="steps differences" viewBox="0 0 {} {}" role="img" '
        'aria-label="differences of success rates">{}</svg>'
    )
    return frame.format(WIDTH, TOP + ROW * len(known) + EDGE, Markup("").join(parts))


def _axis(rows: int) -> Markup:
    bottom = TOP + ROW * rows
    marks = [
        Markup(
            '<path class="grid" d="M{:.1f} {}V{}"/><text x="{:.1f}" y="14" text-anchor="middle">'
            "{}</text>"
        ).format(_x(tick), TOP, bottom, _x(tick), points(tick))
        for tick in (-1.0, -0.5, 0.0, 0.5, 1.0)
    ]
    zero = Markup('<path class="line" d="M{:.1f} {}V{}"/>').format(_x(0.0), TOP, bottom)
    return Markup("").join([*marks, zero])


def _x(difference: float) -> float:
    return LEFT + (WIDTH - LEFT - EDGE) * (difference + 1.0) / 2.0


def _short(name: str) -> str:
    return name if len(name) <= 20 else f"{name[:19]}…"


def _rates_csv(summary: Summary) -> str:
    columns = ("policy", "task", "trials", "successes", "rate", "low", "high", "initial_frames")
    rows = [[vars(cell)[column] for column in columns] for cell in summary.cells]
    return _csv(columns, rows)


def _pairs_csv(summary: Summary) -> str:
    columns = (
        "a",
        "b",
        "value",
        "low",
        "high",
        "p",
        "n",
        "initial_frames",
        "low_all",
        "high_all",
        "p_holm",
    )
    rows = [[vars(pair)[column] for column in columns] for pair in summary.comparisons]
    return _csv(columns, rows)


def _csv(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(["" if value is None else _harmless(value) for value in row])
    return text.getvalue()


def _harmless(value: object) -> object:
    """A text that a spreadsheet would take for a formula begins with a quote."""
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" else value
