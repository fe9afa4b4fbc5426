"""Checks of initial frames before anything is rolled out: flags of the trials that start from them.
A world generates video from any frame, also from a cartoon; and if the judge calls the initial
frame a success, doing nothing succeeds. Both are found from the frame alone.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import numpy as np

from worldgym.errors import BudgetSpent, JudgeStopped
from worldgym.io.images import resized
from worldgym.io.run_records import SOLVED, STRANGE
from worldgym.io.user_code import Failure
from worldgym.judges.judge_protocol import Free, Judge, Viewing
from worldgym.judges.judging import judge_each
from worldgym.types import ONE_VIEW, Rollout, Task, Trial
from worldgym.world.familiarity import Familiarity

STILL = "initial frame"  # instead of a policy's name


def start_flags(
    tasks: Sequence[Task],
    familiarity: Familiarity | None,
    judge: Judge,
    views: Sequence[str] = ONE_VIEW,
) -> dict[str, tuple[str, ...]]:
    """By name of the task: `log.STRANGE` if the world does not know its initial frame, `log.SOLVED`
    if the judge calls it a success. familiarity: None = nothing is said of the first.   views: of
    the videos."""
    strange = strange_starts(tasks, familiarity)
    solved = solved_starts(tasks, judge, views)
    flags = ((STRANGE, strange), (SOLVED, solved))
    return {task.name: tuple(flag for flag, names in flags if task.name in names) for task in tasks}


def strange_starts(tasks: Sequence[Task], familiarity: Familiarity | None) -> frozenset[str]:
    """Names of the tasks whose initial frame the world does not know."""
    if familiarity is None or not tasks:
        return frozenset()
    unknown = familiarity.unknown([task.frame for task in tasks])
    return frozenset(task.name for task, odd in zip(tasks, unknown, strict=True) if odd)


def solved_starts(
    tasks: Sequence[Task], judge: Judge, views: Sequence[str] = ONE_VIEW
) -> frozenset[str]:
    """Names of the tasks that a judge calls solved when it sees the initial frame twice and nothing
    else.

    Only judges that are `Free` are asked: each answer of another costs time or money. One that
    declines, breaks or stops says nothing. It is not asked of a task that lacks a view that it
    looks at, which the world generates; standard error says so.   views: of the videos.
    """
    if not (isinstance(judge, Free) and judge.free):
        return frozenset()
    tasks = _with_views_of(judge, tasks, views)
    try:
        stills = [_still(task, views) for task in tasks]
        verdicts = list(zip(tasks, judge_each(judge, stills), strict=True))
    # the run's own first question meets it again, and is told of
    except (BudgetSpent, JudgeStopped):
        return frozenset()
    scores = {
        task.name: None if isinstance(verdict, Failure) else verdict.score
        for task, verdict in verdicts
    }
    return frozenset(name for name, score in scores.items() if score is not None and score > 0.5)


def with_solved(flags: Sequence[str], solved: bool) -> tuple[str, ...]:
    """The flags of a trial, as far as they depend on the judge those of another one."""
    kept = [flag for flag in flags if flag != SOLVED]
    return (*kept, SOLVED) if solved else tuple(kept)


def merged(
    flags: Sequence[str], of_start: Mapping[str, tuple[str, ...]], task: str
) -> tuple[str, ...]:
    """Flags of a rollout and those of its initial frame, each once."""
    return tuple(dict.fromkeys((*flags, *of_start.get(task, ()))))


def _with_views_of(judge: Judge, tasks: Sequence[Task], views: Sequence[str]) -> list[Task]:
    """Those that bring all views that the judge looks at."""
    named = judge.views if isinstance(judge, Viewing) else ()
    needed = [view for view in named if view in views[1:]]
    known = [task for task in tasks if set(needed) <= task.others.keys()]
    if len(known) < len(tasks):
        print(
            f"{len(tasks) - len(known)} of {len(tasks)} initial frames are not checked for being "
            f"solved already: judge {judge.name} looks at {', '.join(needed)}, which they lack",
            file=sys.stderr,
        )
    return known


def _still(task: Task, views: Sequence[str]) -> Rollout:
    """A rollout of one action in which nothing happens, in all views that the task brings; the
    action is not kept, because no judge reads any."""
    further = [view for view in views[1:] if view in task.others]
    size = task.frame.shape[:2]
    frames = np.stack([task.frame, *(resized(task.others[view], size) for view in further)])
    return Rollout(
        Trial(task, 0, 0),
        STILL,
        np.stack([frames] * 2),
        np.zeros((1, 0), np.float32),
        views=(views[0], *further),
    )
