"""A single row of a vector environment, for what takes a plain `gymnasium.Env`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode

from worldgym.env.vector_env import EnvConfig, Seen, WorldVectorEnv
from worldgym.judges.judge_protocol import Judge
from worldgym.types import Actions, Frames, Task
from worldgym.world.world_protocol import World


class WorldEnv(gymnasium.Env[Seen, Actions]):
    """rows: what it is a row of. As Gymnasium's single environments it does not reset itself."""

    def __init__(
        self,
        world: World[Any],
        tasks: Sequence[Task],
        judge: Judge | None = None,
        config: EnvConfig = EnvConfig(),
    ) -> None:
        """As `WorldVectorEnv`; num_envs and autoreset of the config do not count."""
        alone = replace(config, num_envs=1, autoreset=AutoresetMode.DISABLED)
        self.rows = rows = WorldVectorEnv(world, tasks, judge, alone)
        self.metadata = {key: rows.metadata[key] for key in ("render_modes", "render_fps")}
        self.render_mode = rows.render_mode
        self.observation_space = rows.single_observation_space
        self.action_space = rows.single_action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Seen, dict[str, Any]]:
        super().reset(seed=seed)
        seen, told = self.rows.reset(seed=seed, options=options)
        return _row(seen), _told(told)

    def step(self, action: Actions) -> tuple[Seen, float, bool, bool, dict[str, Any]]:
        seen, reward, terminated, truncated, told = self.rows.step(np.asarray(action)[None])
        return _row(seen), float(reward[0]), bool(terminated[0]), bool(truncated[0]), _told(told)

    def render(self) -> Frames | None:
        drawn = self.rows.render()
        return None if drawn is None else drawn[0]


def _row(seen: Seen) -> Seen:
    views = {name: frames[0] for name, frames in seen["views"].items()}
    return {key: views if key == "views" else value[0] for key, value in seen.items()}


def _told(infos: Mapping[str, npt.NDArray[Any]]) -> dict[str, Any]:
    """What is told of the only row; the masks are gone."""
    return {key: value[0] for key, value in infos.items() if not key.startswith("_")}
