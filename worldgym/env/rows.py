"""The rows of a vector environment, each with the trial that it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from worldgym.errors import InputError
from worldgym.evaluation.batch_rollout import BatchRollout
from worldgym.evaluation.fitting import fills_a_step, fitted
from worldgym.policies.observations import check_needs
from worldgym.policies.policy_protocol import Needs
from worldgym.tasks.task_folder import check_frames
from worldgym.types import Actions, Frames, Task, Trial
from worldgym.world.initial_views import check_initial_views
from worldgym.world.world_protocol import World

WHO = "env"  # instead of a policy's name


@dataclass
class Row:
    """batch: the trials that began with this one, which is their number `index`; together: the
    rows of all of them.   value: what it
    was paid so far.   looked: actions at the judge's last look.   terminated: it ended before its
    steps."""

    batch: BatchRollout
    index: int
    together: tuple[int, ...]
    value: float = 0.0
    looked: int = 0
    terminated: bool = False

    @property
    def trial(self) -> Trial:
        return self.batch.trials[self.index]

    @property
    def frames(self) -> Frames:
        """uint8 [T+1, V, H, W, 3], the initial frame first."""
        return self.batch.frames(self.index)

    @property
    def moves(self) -> Actions:
        """float32 [T, A]."""
        return self.batch.moves(self.index)

    @property
    def step(self) -> int:
        """Actions taken, T."""
        return len(self.moves)

    @property
    def truncated(self) -> bool:
        return self.step == self.trial.task.steps

    @property
    def over(self) -> bool:
        return self.terminated or self.truncated


class RowPlan:
    """The trials of each row: r, r + N, r + 2 N, ... of an endless plan, every task in order, then
    again as repeats 1, 2, ..."""

    def __init__(self, tasks: Sequence[Task], rows: int) -> None:
        self._tasks = tasks
        self._begun = [0] * rows
        self._seeds: list[int | None] = [None] * rows

    def begin_again(self, seeds: Sequence[int | None] | None = None) -> None:
        """seeds: run seeds of single rows, of which only those that have one begin again. None: all
        do, and have none of their own."""
        rows = len(self._begun)
        if seeds is None:
            self._begun = [0] * rows
            self._seeds = [None] * rows
            return
        if len(seeds) != rows:
            raise InputError(f"{len(seeds)} seeds for {rows} rows: give one for each")
        for r, seed in enumerate(seeds):
            if seed is not None:
                self._begun[r] = 0
                self._seeds[r] = int(seed)

    def next(self, r: int, seed: int | None) -> Trial:
        """seed: the run seed of rows that have none of their own."""
        number = r + len(self._begun) * self._begun[r]
        self._begun[r] += 1
        repeat, task = divmod(number, len(self._tasks))
        own = self._seeds[r]
        run_seed = seed if own is None else own
        assert run_seed is not None  # Gymnasium draws one where none was given
        return Trial(self._tasks[task], repeat, run_seed)


def fitted_rows(
    world: World[Any], tasks: Sequence[Task], chunk: int, needs: Needs, rows: int
) -> World[Any]:
    """The world as it takes these tasks, so many actions per step, in so many rows that begin again
    one by one. InputError where it does not."""
    can = world.capabilities
    most = can.most_rows
    if most is not None and rows > most:
        raise InputError(
            f"the world {world.name} takes {most} rollouts at once that do not depend on each "
            f"other, and num_envs is {rows}: give {most}"
        )
    check_frames(tasks, world.frame_shape)
    check_initial_views(world, tasks)
    check_needs(WHO, needs, world.spec, tasks, world.views, can.returns)
    if short := next((t for t in tasks if fills_a_step(can, chunk, t.steps)), None):
        raise InputError(
            f"the world {world.name} does not take task {short.name} of {short.steps} steps by "
            f"{chunk}: a chunk of {can.chunk.padded(chunk)} may fit, or another number of steps"
        )
    return fitted(world, (), tasks, "refuse").world
