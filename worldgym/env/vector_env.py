"""A world as a vector environment of Gymnasium: a thin layer over the protocols of world, policy
and judge. Frames are those of `worldgym evaluate` for the same trials, bit by bit.

What a row runs (`worldgym.env.rows.RowPlan`), and its seeds, depend on no other row.

Axes legend: N rows, h actions of a step, A action numbers, H height, W width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from worldgym.env.rows import WHO, Row, RowPlan, fitted_rows
from worldgym.errors import InputError, at_least
from worldgym.evaluation.batch_rollout import BatchRollout
from worldgym.evaluation.fitting import at_frames
from worldgym.io.user_code import Failure
from worldgym.judges.judge_protocol import Judge
from worldgym.judges.judging import judge_each, prepare
from worldgym.policies.own.action_bounds import commanded
from worldgym.policies.policy_protocol import Needs, Observation
from worldgym.types import Actions, Frames, Rollout, Task, Trial, is_success
from worldgym.world.world_protocol import World

Seen: TypeAlias = dict[str, Any]
Rewards: TypeAlias = npt.NDArray[np.float64]
Mask: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class EnvConfig:
    """num_envs: rows, N.   chunk: actions of a step, h.   judge_every: actions between two looks of
    the judge before the end; 0 = at the end alone.   ends_on_success: a row terminates where a look
    finds success.

    state: numbers of the arm that are observed too, by name (`worldgym.actions.pose.NUMBERS`).
    autoreset: what follows the end of a row: NEXT_STEP (the next step begins its next trial and
    takes no action), SAME_STEP (with final_obs and final_info), or DISABLED (the caller resets,
    with options={"reset_mask": bool [N]})."""

    num_envs: int = 1
    chunk: int = 1
    judge_every: int = 0
    ends_on_success: bool = False
    state: tuple[str, ...] = ()
    autoreset: AutoresetMode = AutoresetMode.NEXT_STEP
    render_mode: str | None = None

    def __post_init__(self) -> None:
        at_least("num_envs", self.num_envs, 1)
        at_least("chunk", self.chunk, 1)
        at_least("judge_every", self.judge_every)
        if self.render_mode not in (None, "rgb_array"):
            raise InputError(f'render_mode is "{self.render_mode}": give "rgb_array" or None')


class WorldVectorEnv(VectorEnv[Seen, Actions, npt.NDArray[Any]]):
    """Observations: "views" {camera: uint8 [N, H, W, 3]}, "instruction" (N texts), and "state"
    float32 [N, S] where the config names numbers. Actions: float32 [N, A], or [N, h, A] for chunks,
    in the units and bounds of the world's spec; what lies outside is clipped as in `evaluate`.

    A row is truncated after the steps of its task. Its return is the judge's score: each judgement
    before the end gives the increase in progress (or score) as reward, the last one the difference
    to the score. Without a score (no judge, or unscored) the return is 0. infos: "trial" and
    "seed" of rows that begin; "score", "success", "progress" of rows that were judged, "unscored"
    with the reason of those that could not be.

    Rows that begin together share a state of the world; those that end before the others of their
    start ride along, so tasks of equal length are the fastest."""

    def __init__(
        self,
        world: World[Any],
        tasks: Sequence[Task],
        judge: Judge | None = None,
        config: EnvConfig = EnvConfig(),
    ) -> None:
        """InputError where world, tasks and judge do not fit."""
        self.tasks = list(tasks)
        self.judge = judge
        self.config = config
        self.num_envs = config.num_envs
        self.render_mode = config.render_mode
        self.metadata = {
            "autoreset_mode": config.autoreset,
            "render_modes": ["rgb_array"],
            "render_fps": world.spec.rate_hz,
        }
        if not self.tasks:
            raise InputError("an environment needs at least one task")
        self._needs = Needs(state=config.state)
        self._own = world
        self.world = fitted_rows(world, self.tasks, config.chunk, self._needs, self.num_envs)
        if judge is not None:
            prepare(judge, self.tasks, world.views)
        self.single_observation_space = self._seen_space()
        self.single_action_space = self._action_space()
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._rows: list[Row] = []
        self._plan = RowPlan(self.tasks, self.num_envs)

    @property
    def trials(self) -> list[Trial]:
        """The trial that each row runs now."""
        return [row.trial for row in self._rows]

    def observed(self, needs: Needs) -> list[Observation]:
        """What each row shows a policy of the policy seam: the argument of its `act`."""
        return [row.batch.observation(row.index, needs) for row in self._rows]

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Seen, dict[str, Any]]:
        """seed: the run seed, from which those of the trials follow; the plan begins again. Or one
        for each row, of which only those that have one begin again. Without one the rows continue
        with their next trials.

        options: "reset_mask" bool [N]: only these rows.   "trials": a `Trial` for each row that is
        reset, instead of the plan's."""
        self._take_seeds(seed)
        options = options or {}
        mask = np.asarray(options.get("reset_mask", np.ones(self.num_envs, np.bool_)))
        if mask.shape != (self.num_envs,) or mask.dtype != np.bool_ or not mask.any():
            raise InputError(
                f"reset_mask is {mask.dtype} {list(mask.shape)}: give bool [{self.num_envs}] with "
                f"a row to reset"
            )
        if not self._rows and not mask.all():
            raise InputError("the first reset is of all rows: leave reset_mask out")
        told = [dict[str, Any]() for _ in range(self.num_envs)]
        self._begin([int(r) for r in np.flatnonzero(mask)], told, options.get("trials"))
        return self._seen(), self._infos(told)

    def step(self, actions: Actions) -> tuple[Seen, Rewards, Mask, Mask, dict[str, Any]]:
        """h actions in every row. PolicyFault for actions that no robot can take; InputError where
        a row is over that nothing resets by itself."""
        held = self._held(actions)
        over = [r for r, row in enumerate(self._rows) if row.over]
        live = [r for r in range(self.num_envs) if r not in over]
        for batch, rows in {self._rows[r].batch: self._rows[r].together for r in live}.items():
            batch.advance(held[list(rows)])
        told = [dict[str, Any]() for _ in range(self.num_envs)]
        rewards = np.zeros(self.num_envs)
        self._judge([r for r in live if self._look_is_due(self._rows[r])], rewards, told)
        terminated = np.zeros(self.num_envs, np.bool_)
        truncated = np.zeros(self.num_envs, np.bool_)
        for r in live:
            terminated[r] = self._rows[r].terminated
            truncated[r] = self._rows[r].truncated
        if self.config.autoreset == AutoresetMode.SAME_STEP:
            over = [r for r in live if self._rows[r].over]
            for r in over:
                told[r] = {"final_obs": self._seen_of(self._rows[r]), "final_info": told[r]}
        self._begin(over, told)
        return self._seen(), rewards, terminated, truncated, self._infos(told)

    def render(self) -> tuple[Frames, ...] | None:
        """uint8 [H, V * W, 3] of each row, its views side by side."""
        if self.render_mode is None:
            return None
        return tuple(np.concatenate(list(row.frames[-1]), axis=1) for row in self._rows)

    def _take_seeds(self, seed: int | Sequence[int | None] | None) -> None:
        if isinstance(seed, (int, np.integer)):
            super().reset(seed=int(seed))
            self._plan.begin_again()
        elif seed is not None:
            self._plan.begin_again(seed)

    def _held(self, actions: Actions) -> Actions:
        """=> float32 [N, h, A], within the bounds."""
        if not self._rows:
            raise InputError("reset the environment before its first step")
        over = [r for r, row in enumerate(self._rows) if row.over]
        if over and self.config.autoreset == AutoresetMode.DISABLED:
            raise InputError(f"row {over[0]} is over: reset it before the next step")
        spec = self.world.spec
        chunk = np.asarray(actions, np.float32)
        chunk = chunk[:, None] if chunk.ndim == 2 else chunk
        return commanded(chunk, (self.num_envs, self.config.chunk, spec.size), spec, WHO)[0]

    def _begin(
        self, rows: Sequence[int], told: list[dict[str, Any]], given: Sequence[Trial] | None = None
    ) -> None:
        """Begins trials in these rows: those given, or the next of the plan."""
        if not rows:
            return
        seed = self.np_random_seed
        trials = [self._plan.next(r, seed) for r in rows] if given is None else list(given)
        if len(trials) != len(rows):
            raise InputError(f"{len(trials)} trials for {len(rows)} rows: give one for each")
        if given is not None:
            self._check_given([trial.task for trial in trials])
        batch = BatchRollout(self.world, trials)
        new = {r: Row(batch, i, tuple(rows)) for i, r in enumerate(rows)}
        self._rows = [new[r] if r in new else self._rows[r] for r in range(self.num_envs)]
        for r, trial in zip(rows, trials, strict=True):
            told[r] |= {"trial": trial.key, "seed": trial.seed}

    def _check_given(self, tasks: Sequence[Task]) -> None:
        """As its own tasks, and that their texts are in the observation space."""
        fitted_rows(self._own, tasks, self.config.chunk, self._needs, self.num_envs)
        known = self._seen_space()["instruction"].contains
        if odd := next((task for task in tasks if not known(task.instruction)), None):
            raise InputError(
                f'task {odd.name} asks "{odd.instruction}", which is outside the observation '
                f"space: give that task when the environment is made"
            )
        if self.judge is not None:
            prepare(self.judge, tasks, self.world.views)

    def _look_is_due(self, row: Row) -> bool:
        every = self.config.judge_every
        return row.truncated or (every > 0 and row.step // every > row.looked // every)

    def _judge(self, rows: Sequence[int], rewards: Rewards, told: Sequence[dict[str, Any]]) -> None:
        if self.judge is None or not rows:
            return
        rollouts = [self._rollout(self._rows[r]) for r in rows]
        for r, verdict in zip(rows, judge_each(self.judge, rollouts), strict=True):
            row = self._rows[r]
            row.looked = row.step
            if isinstance(verdict, Failure) or verdict.score is None:
                told[r]["unscored"] = verdict.reason
                if row.over:  # what was paid for progress is taken back
                    rewards[r], row.value = -row.value, 0.0
                continue
            success = is_success(verdict.score)
            row.terminated = self.config.ends_on_success and success
            progress = verdict.curve[-1][1] if verdict.curve else verdict.progress
            value = verdict.score if row.over or progress is None else progress
            rewards[r] = value - row.value
            row.value = value
            told[r] |= {"score": verdict.score, "success": success}
            told[r] |= {} if progress is None else {"progress": progress}

    def _rollout(self, row: Row) -> Rollout:
        whole = Rollout(row.trial, WHO, row.frames, row.moves, views=self.world.views)
        return at_frames(whole, self._own.capabilities.stride)

    def _infos(self, told: Sequence[dict[str, Any]]) -> dict[str, Any]:
        infos: dict[str, Any] = {}
        for r, one in enumerate(told):
            infos = self._add_info(infos, one, r)
        return infos

    def _seen(self) -> Seen:
        each = [self._seen_of(row) for row in self._rows]
        seen: Seen = {
            "views": {
                name: np.stack([one["views"][name] for one in each]) for name in each[0]["views"]
            },
            "instruction": tuple(one["instruction"] for one in each),
        }
        if self.config.state:
            seen["state"] = np.stack([one["state"] for one in each])
        return seen

    def _seen_of(self, row: Row) -> Seen:
        newest = row.frames[-1].copy()
        views = dict(zip(self.world.views, newest, strict=True))
        seen: Seen = {"views": views, "instruction": row.trial.task.instruction}
        if self.config.state:
            state = row.batch.observation(row.index, self._needs).state
            seen["state"] = np.array(state, np.float32)
        return seen

    def _seen_space(self) -> spaces.Dict:
        texts = [task.instruction for task in self.tasks]
        picture = spaces.Box(0, 255, self.world.frame_shape, np.uint8)
        parts: dict[str, spaces.Space[Any]] = {
            "views": spaces.Dict({view: picture for view in self.world.views}),
            "instruction": spaces.Text(
                max(1, *map(len, texts)),
                min_length=0,
                charset="".join(sorted({" ", *"".join(texts)})),
            ),
        }
        if self.config.state:
            parts["state"] = spaces.Box(-np.inf, np.inf, (len(self.config.state),), np.float32)
        return spaces.Dict(parts)

    def _action_space(self) -> spaces.Box:
        spec = self.world.spec
        bounds = np.array([spec.low, spec.high], np.float32)
        if self.config.chunk > 1:
            bounds = np.repeat(bounds[:, None], self.config.chunk, 1)
        return spaces.Box(bounds[0], bounds[1], dtype=np.float32)
