"""One evaluation, resolved before its first frame: what is rolled out, judged and logged, and how.

Options as asked for (`EvaluateConfig`) and parts that `worldgym.evaluation.load_parts` loads become
an `EvaluationPlan`, in which everything is decided; everything that can be known to be wrong is an
error here. `worldgym.evaluation.run` carries it out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from worldgym.errors import InputError, SpecMismatch, at_least
from worldgym.evaluation.batch_size import chosen_batch
from worldgym.evaluation.early_stop import OPTION, EarlyStop
from worldgym.evaluation.executor_names import executor_named
from worldgym.evaluation.fitting import Align, fitted, tasks_at_size
from worldgym.evaluation.provenance import Origin, environment, now
from worldgym.evaluation.trials import even_batch, plan_trials, planned_repeats
from worldgym.io.run_records import (
    CAPABILITIES_KEY,
    CODE_KEY,
    CONTENTS_KEY,
    EDITS_KEY,
    ENGINE_KEY,
    FAMILIARITY_KEY,
    PLANNED_KEY,
    TASKS_KEY,
    VIEWS_KEY,
    RunHeader,
)
from worldgym.judges.judge_protocol import Judge
from worldgym.judges.judging import prepare
from worldgym.policies.adapters.wrapped import changes_of
from worldgym.policies.observations import check_needs
from worldgym.policies.policy_protocol import NAME, Policy
from worldgym.tasks.known_results import known_results
from worldgym.tasks.task_digest import task_digests, tasks_digest
from worldgym.tasks.task_folder import check_frames
from worldgym.types import ONE_VIEW, Task, Trial
from worldgym.world.capabilities import PLAIN, Capabilities
from worldgym.world.familiarity import Familiarity
from worldgym.world.initial_views import check_initial_views
from worldgym.world.wire.served_world import check_shared, rows_of_an_answer
from worldgym.world.world_protocol import World


@dataclass(frozen=True)
class EvaluateConfig:
    """trials: per task group; initial frames are taken in order, and again with fresh noise where
    there are fewer.

    truth: folder with truth.csv (and videos/POLICY/TASK.mp4) of known results, or published.csv of
    whole groups, or None.
    batch: trials advanced together at most, None = `fitting_batch`; see `even_batch`. Every batch
    is filled up to one size by repeating a trial: where matrix products round by their shape, a
    trial's pixels are then the same to the last bit for any batch. command: as typed, for the log's
    header. shard: (i, n) = the i-th of n equal parts of the trials, counted from 1;
    `worldgym.evaluation.merge` puts parts together. trust: what `worldgym world trust` found; kept
    in the run, whose headline numbers leave out red tasks unless `include_red`. other_engine:
    continues with a run whose frames were drawn by other kernels, which round otherwise.
    max_minutes: no batch starts later than that after world and policies are loaded, except the one
    that a worker elsewhere has been given already; what is left waits for the next start.
    stall_minutes: see `Watchdog`; 0 = off. align: what to do if a policy's actions do not fill the
    steps of the world, see `worldgym.evaluation.fitting`. grows: whether a run in `out` may be made
    larger by other policies, trials or tasks. began: trials of a policy that the run in `out` began
    with, on which the rows of its batches depend from then on; None = it begins now. on, workers,
    gpus: see `executor_named`. stop_when_certain: level of an `EarlyStop`; None = every trial runs
    to its last step. payments: folder of the file of what verdicts cost, for runs that share a
    budget; None = `out`."""

    out: Path
    trials: int
    seed: int = 0
    batch: int | None = 32
    truth: Path | None = None
    command: str = ""
    shard: tuple[int, int] = (1, 1)
    max_minutes: float | None = None
    stall_minutes: float = 0.0
    trust: Path | None = None
    include_red: bool = False
    other_engine: bool = False
    align: Align = "refuse"
    grows: bool = True
    began: int | None = None
    on: str = "local"
    workers: int = 0
    gpus: float = 0.0
    stop_when_certain: float | None = None
    payments: Path | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.shard[0] <= self.shard[1]:
            raise InputError(
                f"there is no shard {self.shard[0]} of {self.shard[1]}: shards count from 1, e.g. "
                f"2/4"
            )
        if self.batch is not None:
            at_least("--batch", self.batch, 1)
        at_least("--max-minutes", self.max_minutes or 0.0)
        at_least("--stall-minutes", self.stall_minutes)
        executor_named(self.on, self.workers, self.gpus)


@dataclass(frozen=True)
class EvaluationPlan:
    """All that a run depends on, resolved and checked.

    config:   the options, with truth and trust report found where they were not named.
    trials:   those of this shard.   rows, most: of every batch, and no more; see `rows_of`.
    header:   of the log.   truth: known success of a policy on a task, by their names.
    capabilities: of the world, before it was fitted to the policies.   resized: tasks whose frames
    were resized, and from which size.
    stop:     what ends trials before their last step, if anything.
    paired:   edited tasks and their nominal twins: their initial frames are kept for the report."""

    config: EvaluateConfig
    world: World[Any]
    policies: tuple[Policy[Any], ...]
    judge: Judge
    trials: tuple[Trial, ...]
    rows: int
    most: int
    header: RunHeader
    truth: Mapping[tuple[str, str], bool]
    paired: frozenset[str]
    familiarity: Familiarity | None
    capabilities: Capabilities = PLAIN
    resized: Mapping[str, str] = field(default_factory=dict)
    stop: EarlyStop | None = None

    def rows_of(self, policy: Policy[Any]) -> int:
        """Rows of every batch of a policy, which is filled up to so many. Where the policy computes
        elsewhere they are rolled out in halves, which must be alike too."""
        odd = self.rows % 2 if self.rows > 1 and policy.needs.elsewhere else 0
        return self.rows + odd if self.rows < self.most else self.rows - odd


def plan_evaluation(
    config: EvaluateConfig,
    world: World[Any],
    policies: Sequence[Policy[Any]],
    tasks: Sequence[Task],
    judge: Judge,
    origin: Origin | None = None,
) -> EvaluationPlan:
    """InputError or SpecMismatch for everything that can be known to be wrong before the first
    frame; a judge that can look for what it could not judge does so."""
    tasks, sizes = tasks_at_size(tasks, world.frame_shape, world.views)
    can = world.capabilities
    origin = origin or Origin()
    check_shared(world, config.on, config.workers)
    together = fitted(world, policies, tasks, config.align)
    codes = {
        new.name: origin.code.get(old.name, "")
        for old, new in zip(policies, together.policies, strict=True)
    }
    chunk = max((policy.chunk for policy in policies), default=1)
    batch = chosen_batch(config.batch, world, config.out, chunk)
    config = replace(config, batch=batch)
    longest = max((policy.chunk for policy in together.policies), default=1)
    held = rows_of_an_answer(world, longest)
    world, policies = together.world, together.policies
    check_evaluation(world, policies, tasks)
    stop = _early_stop(config.stop_when_certain, judge, can)
    prepare(judge, tasks, world.views)
    known = known_results(config.truth, [policy.name for policy in policies], tasks)
    planned = plan_trials(tasks, config.trials, config.seed)
    most = min(batch, can.most_rows or batch, held or batch)
    part, parts = config.shard
    settings = {
        "trials": config.trials,
        "batch": batch,
        **origin.settings,
        **_of_tasks(tasks, planned),
        FAMILIARITY_KEY: None if origin.familiarity is None else origin.familiarity.to_json(),
        **({VIEWS_KEY: list(world.views)} if world.views != ONE_VIEW else {}),
        **_unlike_ours(can, config.align, sizes),
        **({"shard": f"{part}/{parts}"} if parts > 1 else {}),
        **({} if stop is None else {"stop_when_certain": stop.level}),
        "judge": dict(judge.settings),
    }
    header = RunHeader(
        config=settings,
        command=config.command,
        policies=tuple(_described(policy, codes) for policy in policies),
        world=world.name,
        judge=judge.name,
        run_seed=config.seed,
        environment=environment(origin.device) | {ENGINE_KEY: origin.settings.get(ENGINE_KEY)},
        started=now(),
        truths=tuple(asdict(result) for result in known.groups),
    )
    return EvaluationPlan(
        config,
        world,
        tuple(policies),
        judge,
        tuple(planned[part - 1 :: parts]),
        even_batch(config.began or len(planned), most),
        most,
        header,
        known.trials,
        _paired(tasks),
        origin.familiarity,
        can,
        sizes,
        stop,
    )


def _of_tasks(tasks: Sequence[Task], planned: Sequence[Trial]) -> dict[str, Any]:
    """For the header: what the tasks contain, and how often each is planned."""
    edits = {task.name: task.nominal for task in tasks if task.nominal is not None}
    return {
        TASKS_KEY: tasks_digest(tasks),
        CONTENTS_KEY: task_digests(tasks),
        **({EDITS_KEY: edits} if edits else {}),
        PLANNED_KEY: planned_repeats(planned),
    }


def _early_stop(level: float | None, judge: Judge, can: Capabilities) -> EarlyStop | None:
    """InputError where it cannot be."""
    if level is None:
        return None
    if can.stride != 1:
        raise InputError(f"{OPTION} needs a world that draws a frame for every action")
    return EarlyStop(judge, level)


def _unlike_ours(can: Capabilities, align: Align, sizes: Mapping[str, str]) -> dict[str, Any]:
    """For the header: capabilities that differ from our worlds', and how they were handled."""
    told = can.to_json()
    told.pop("batch", None)  # changes no result
    known: dict[str, Any] = {CAPABILITIES_KEY: told, "align": align} if told else {}
    return {**known, **({"resized": dict(sizes)} if sizes else {})}


def check_evaluation(
    world: World[Any], policies: Sequence[Policy[Any]], tasks: Sequence[Task]
) -> None:
    """Everything that can be known to be wrong before the first frame."""
    names = [policy.name for policy in policies]
    if double := next((name for name in names if names.count(name) > 1), None):
        raise InputError(
            f'two policies are called "{double}": rename one, because results are stored by name'
        )
    if odd := next((name for name in names if not NAME.fullmatch(name)), None):
        raise InputError(
            f'a policy is called "{odd}": its videos are in a folder of that name, so use letters, '
            f"digits, . _ + @ -"
        )
    for policy in policies:
        if policy.spec != world.spec:
            raise SpecMismatch(
                f"policy {policy.name}", policy.spec, f"world {world.name}", world.spec
            )
        told = world.capabilities.returns
        check_needs(policy.name, policy.needs, world.spec, tasks, world.views, told)
    check_frames(tasks, world.frame_shape)
    check_initial_views(world, tasks)


def _paired(tasks: Sequence[Task]) -> frozenset[str]:
    names = {task.name for task in tasks}
    return frozenset(
        name for task in tasks if task.nominal in names for name in (task.name, str(task.nominal))
    )


def _described(policy: Policy[Any], codes: Mapping[str, str]) -> dict[str, Any]:
    """A policy for the log's header; its needs, and the digest of its code, only where it has
    any."""
    described = {"name": policy.name, "spec": policy.spec.to_json(), "chunk": policy.chunk}
    further = {
        "needs": policy.needs.to_json(),
        CODE_KEY: codes.get(policy.name),
        "changes": list(changes_of(policy)),
    }
    return described | {key: value for key, value in further.items() if value}
