"""`worldgym tasks stress`: the mildest edit that breaks a policy, by successive halving, confirmed
on new trials.

Every round is its own evaluation with a suite of nominal and edited tasks, in OUT/search-1,
OUT/search-2, ...; the better half of the candidates continues with twice the trials (K. Jamieson
and A. Talwalkar (2016), AISTATS, 240-248). A result chosen for being extreme looks more extreme
than it is (selection bias): drops of the search are never reported, and OUT/confirm uses other
frames and seeds.

OUT/stress.json   what is returned         OUT/suite   every task, and its twins by the confirmed
                  edits"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path

from worldgym.errors import InputError
from worldgym.evaluation.engine_of_run import engine_of_run
from worldgym.evaluation.executor_names import no_budget_elsewhere
from worldgym.evaluation.plan import EvaluateConfig, EvaluationPlan, plan_evaluation
from worldgym.evaluation.run import carry_out
from worldgym.evaluation.stress_parts import StressParts, StressSources, load_stress_parts
from worldgym.io.bundled import bundled
from worldgym.io.files import write_json
from worldgym.io.json_form import to_json
from worldgym.io.output_folder import check_apart
from worldgym.stats.perturbation import PolicyDrop
from worldgym.stats.stress_result import StressedEdit, StressResult, StressRound
from worldgym.tasks.edited_tasks import check_names, edited, nominal_tasks
from worldgym.tasks.edits.edit_file import Edit, fits_any
from worldgym.tasks.edits.ranges import RangedEdit, read_ranges
from worldgym.tasks.write_tasks import write_task
from worldgym.types import ROUNDING, Task
from worldgym.world.engine_choice import Work

SEARCH_SHARE = 2 / 3  # of the budget; the rest confirms
FRESH = 1_000_003  # added to the run seed of the confirmation
MILDNESS = 0.5  # what full strength costs a candidate, in units of the wanted drop
SIGNIFICANT = 0.05


@dataclass(frozen=True)
class StressConfig:
    """budget: rollouts in all.   drop: of the success rate, from which on a policy is
    broken.   levels: strengths of each edit.

    keep: candidates that are confirmed.   command: as typed, for the logs.
    on, workers, gpus: see `executor_named`."""

    out: Path
    budget: int
    drop: float = 0.5
    levels: int = 6
    keep: int = 2
    seed: int = 0
    batch: int = 20
    command: str = ""
    other_engine: bool = False
    on: str = "local"
    workers: int = 0
    gpus: float = 0.0

    def __post_init__(self) -> None:
        if not (0 < self.drop <= 1 and 1 <= self.levels <= 99 and self.keep >= 1):
            raise InputError(
                "--drop lies between 0 and 1, --levels between 1 and 99, and --keep is 1 or more"
            )


@dataclass(frozen=True)
class Candidate:
    """An edit at one strength in (0, 1]."""

    edit: RangedEdit
    strength: float
    name: str

    def made(self) -> Edit:
        return self.edit.at(self.strength, self.name)


def stress(sources: StressSources, config: StressConfig) -> StressResult:
    """Loads everything, then `search`."""
    no_budget_elsewhere(config.on, sources.judge_budget_usd)
    edits = read_ranges(sources.edits)
    check_apart(config.out, bundled(sources.tasks, "tasks"))
    tasks = nominal_tasks(sources.tasks)
    sources = replace(sources, engine=engine_of_run(sources.engine, config.out / "search-1"))
    frames = config.budget * max((task.steps for task in tasks), default=0)
    parts = load_stress_parts(sources, Work(frames, config.batch, ()))
    return search(config, parts, tasks, edits)


def search(
    config: StressConfig,
    parts: StressParts,
    tasks: Sequence[Task],
    edits: Sequence[RangedEdit],
) -> StressResult:
    """Writes OUT/stress.json, and returns what it holds."""
    levels = [(k + 1) / config.levels for k in range(config.levels)]
    left = [
        Candidate(edit, level, f"{edit.name}-{round(100 * level):03d}")
        for edit in edits
        for level in levels
    ]
    searched, kept_back = _halves(tasks)
    _try_each(edits, left, searched, kept_back)
    groups = len({task.group for task in tasks})
    rounds, used, ran = list[StressRound](), 0, 0
    plan = _plan(len(left), config, groups)
    for number, (count, trials) in enumerate(plan, start=1):
        left = left[:count]
        drops, rollouts = _drops(config, parts, f"search-{number}", searched, left, trials)
        ran += rollouts
        rounds.append(StressRound(tuple(candidate.name for candidate in left), trials))
        used += (count + 1) * groups * trials
        left.sort(
            key=lambda one: (
                -round(_merit(drops.get(one.name), one.strength, config.drop), 9),
                one.name,
            )
        )
    left = left[: config.keep]
    trials = (config.budget - used) // ((len(left) + 1) * groups)
    drops, rollouts = _drops(config, parts, "confirm", kept_back, left, trials)
    confirmed = _confirmed(drops, left, config.drop)
    suite = _write_suite(
        config.out / "suite", tasks, [one for one in left if _is_confirmed(confirmed, one)]
    )
    found = StressResult(
        tuple(confirmed),
        ran + rollouts,
        config.budget,
        tuple(rounds),
        suite,
        (*(f"search-{number + 1}" for number in range(len(plan))), "confirm"),
    )
    write_json(config.out / "stress.json", to_json(found))
    return found


def _plan(count: int, config: StressConfig, groups: int) -> list[tuple[int, int]]:
    """(candidates, trials per group) of every round, each round of equal cost. InputError if the
    budget allows no trial in one, or none in the confirmation."""
    sizes = [count]
    while sizes[-1] > config.keep:
        sizes.append(max(config.keep, sizes[-1] // 2))
    sizes = sizes[:-1] or [count]  # the last size is what is confirmed
    share = SEARCH_SHARE * config.budget / len(sizes)
    plan = [(size, math.floor(share / ((size + 1) * groups) + ROUNDING)) for size in sizes]
    confirming = (min(config.keep, count) + 1) * groups
    left = config.budget - sum((size + 1) * groups * trials for size, trials in plan)
    if plan[0][1] < 1 or left < confirming:
        searching = (count + 1) * groups * len(sizes)
        needed = max(
            math.ceil(searching / SEARCH_SHARE - ROUNDING),
            math.ceil(confirming / (1 - SEARCH_SHARE) - ROUNDING),
        )
        raise InputError(
            f"--rollouts {config.budget} is too small for {count} candidates on {groups} task "
            f"groups; give {needed} or more"
        )
    return plan


def _halves(tasks: Sequence[Task]) -> tuple[list[Task], list[Task]]:
    """Initial frames of each group in turn to the search and to the confirmation; a single one
    serves both, with fresh seeds."""
    searched, kept_back = [], []
    for _, members in groupby(
        sorted(tasks, key=lambda task: task.group), key=lambda task: task.group
    ):
        group = list(members)
        searched += group[::2]
        kept_back += group[1::2] or group
    return searched, kept_back


def _try_each(
    edits: Sequence[RangedEdit],
    candidates: Sequence[Candidate],
    searched: Sequence[Task],
    kept_back: Sequence[Task],
) -> None:
    """InputError, before anything is rolled out, for an edit that fits no task of the search or of
    the confirmation, and for a candidate that cannot be made of a task.

    Edits by a model are not tried: their answers cost something."""
    for part, tasks in (("search", searched), ("confirmation", kept_back)):
        for edit in edits:
            if not any(fits_any(edit.described.only, task.name) for task in tasks):
                raise InputError(
                    f"edit {edit.name} fits no task of the {part}, which has every second initial "
                    f"frame of a group; fix its only = {list(edit.described.only)}"
                )
    made = [candidate.made() for candidate in candidates]
    every = {task.name: task for task in (*searched, *kept_back)}
    check_names(made, list(every.values()))
    for one in made:
        if not one.asks_a_model:
            for task in filter(one.fits, every.values()):
                one.of(task)


def _drops(
    config: StressConfig,
    parts: StressParts,
    folder: str,
    tasks: Sequence[Task],
    candidates: Sequence[Candidate],
    trials: int,
) -> tuple[dict[str, PolicyDrop], int]:
    """By name of the candidate, of one evaluation, and its rollouts."""
    seed = config.seed + (FRESH if folder == "confirm" else int(folder.rpartition("-")[2]))
    place = (config.out / folder, trials, seed, config.batch)
    run = EvaluateConfig(
        *place,
        command=config.command,
        other_engine=config.other_engine,
        grows=False,
        on=config.on,
        workers=config.workers,
        gpus=config.gpus,
        payments=config.out,
    )
    suite = edited(tasks, [candidate.made() for candidate in candidates])
    names = [one.name for one in candidates]
    again = parts.again or partial(replace, parts)
    plan = _round(lambda: parts, run, suite, names)
    drops = carry_out(plan, partial(_round, again, run, suite, names)).ended().perturbed
    axes = () if drops is None else drops.axes
    return {axis.axis: axis.cells[0] for axis in axes}, len(plan.trials)


def _round(
    make: Callable[[], StressParts],
    run: EvaluateConfig,
    suite: Sequence[Task],
    names: Sequence[str],
) -> EvaluationPlan:
    """names: of the candidates, which belong to the identity of the run."""
    parts = make()
    origin = replace(parts.origin, settings={"candidates": names, **parts.origin.settings})
    return plan_evaluation(run, parts.world, [parts.policy], suite, parts.judge, origin)


def _merit(found: PolicyDrop | None, strength: float, wanted: float) -> float:
    """How near a candidate is to breaking the policy, less a little for its strength: of two that
    break it the milder wins."""
    if found is None or found.drop is None:
        return -1.0
    return min(found.drop / wanted, 1.0) - MILDNESS * strength


def _confirmed(
    cells: Mapping[str, PolicyDrop], left: Sequence[Candidate], wanted: float
) -> list[StressedEdit]:
    rows = []
    for one in left:
        if one.name in cells:
            cell = cells[one.name]
            broken = (
                cell.drop is not None
                and cell.drop >= wanted - ROUNDING
                and cell.p_holm is not None
                and cell.p_holm <= SIGNIFICANT + ROUNDING
            )
            rows.append(
                StressedEdit(
                    one.edit.name,
                    one.strength,
                    one.name,
                    cell.drop,
                    cell.low,
                    cell.high,
                    cell.p_holm,
                    cell.n,
                    broken,
                )
            )
    return sorted(rows, key=lambda row: (not row.confirmed, row.strength))


def _is_confirmed(rows: Sequence[StressedEdit], candidate: Candidate) -> bool:
    return any(row.name == candidate.name and row.confirmed for row in rows)


def _write_suite(out: Path, tasks: Sequence[Task], candidates: Sequence[Candidate]) -> str | None:
    if not candidates:
        return None
    for task in edited(tasks, [candidate.made() for candidate in candidates]):
        write_task(out, task)
    return str(out)
