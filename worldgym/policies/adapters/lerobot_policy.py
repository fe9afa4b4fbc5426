"""LeRobot's policies in this process: "lerobot:DIR?convention=NAME", DIR as `save_pretrained` wrote
it (docs/policies/lerobot.md). Example: examples/policies/lerobot_policy.py.

Only LeRobot's public interface is used: `reset`, `select_action`, and the two processors. A LeRobot
policy keeps its queues of observations and actions in itself, one set for the whole batch, where a
trial must depend on itself alone. So nothing is left in them: every chunk starts from `reset`, is
shown the trial's own last observations, and is taken out whole. What a policy of several
observation steps computes while these are shown is thrown away: such a chunk costs twice.

Axes legend: B rows, h actions of a chunk, A numbers of an action, H height, W width, C channels.
"""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from worldgym.actions.conventions import load_convention
from worldgym.errors import InputError, MissingExtra
from worldgym.io.images import resized
from worldgym.io.named_source import NamedSource
from worldgym.io.user_code import Failure, attempt
from worldgym.policies.policy_protocol import Needs, Observation
from worldgym.types import Actions, ActionSpec, Frames, Trial

STATE = "observation.state"
OPTIONS = ("convention", "view", "black", "state", "from_zero")
# types whose actions draw no noise, so that a batch equals its rows one by one
WITHOUT_CHANCE = ("act",)
Batch = dict[str, Any]


class Model(Protocol):
    """The part of LeRobot's `PreTrainedPolicy` that is used."""

    def reset(self) -> None: ...

    def select_action(self, batch: Batch) -> Tensor: ...


@dataclass(frozen=True)
class LeRobotSettings:
    """The inputs and outputs from a policy's config, and their meaning from the user.

    images: {key: (H, W)}, the view that the world draws first.   chunk: actions carried out of one
    answer, `n_action_steps`.
    n_obs_steps: observations that an answer is made from.   chance: answers draw noise.
    """

    name: str
    spec: ActionSpec
    images: dict[str, tuple[int, int]]
    chunk: int
    n_obs_steps: int = 1
    chance: bool = True
    state: tuple[str, ...] = ()
    black: bool = False
    from_zero: bool = False

    @property
    def needs(self) -> Needs:
        cameras = tuple(self.images)
        return Needs(
            self.n_obs_steps, cameras, cameras[1:] if self.black else (), self.state, self.from_zero
        )


class LeRobotPolicy:
    """The state of a trial is its seed: whatever else a chunk depends on is in the observation."""

    def __init__(
        self,
        model: Model,
        prepare: Callable[[Batch], Batch],
        finish: Callable[[Tensor], Tensor],
        settings: LeRobotSettings,
    ) -> None:
        """prepare, finish: LeRobot's pre- and postprocessor."""
        self.name = settings.name
        self.spec = settings.spec
        self.chunk = settings.chunk
        self.needs = settings.needs
        self._settings = settings
        self._model = model
        self._prepare = prepare
        self._finish = finish

    def reset(self, trials: Sequence[Trial]) -> list[int]:
        return [trial.seed for trial in trials]

    def act(
        self, states: Sequence[int], observations: Sequence[Observation]
    ) -> tuple[list[int], Actions]:
        """Policies that draw noise act row by row, each from its trial's own seed. Actions are
        clipped to the spec's bounds."""
        if self._settings.chance:
            pairs = zip(states, observations, strict=True)
            chunks = np.concatenate(
                [self._chunk([seen], _seed(state, seen.step)) for state, seen in pairs]
            )
        else:
            chunks = self._chunk(observations, 0)
        return list(states), np.clip(chunks, self.spec.low, self.spec.high).astype(np.float32)

    @torch.no_grad()
    def _chunk(self, observations: Sequence[Observation], seed: int) -> Actions:
        """float32 [B, h, A]. Noise is drawn from `seed`; the process's own generator stays as it
        was."""
        with torch.random.fork_rng():
            self._model.reset()
            for back in self._lead():
                self._model.select_action(self._batch(observations, back))
            torch.manual_seed(seed)
            newest = self._batch(observations, 0)
            answers = [
                self._finish(self._model.select_action(dict(newest))) for _ in range(self.chunk)
            ]
        actions: Actions = torch.stack(answers, dim=1).float().cpu().numpy()
        return actions

    def _lead(self) -> list[int]:
        """How far back each call before the answering one looks: whole chunks, the last calls at t
        - 1, t - 2 ..."""
        before = self._settings.n_obs_steps - 1
        calls = self.chunk * math.ceil(before / self.chunk)
        return [min(back, before) for back in range(calls, 0, -1)]

    def _batch(self, observations: Sequence[Observation], back: int) -> Batch:
        """The batch of `back` actions ago, through LeRobot's preprocessor: images float [B, 3, H,
        W] in [0, 1]."""
        batch: Batch = {"task": [seen.instruction for seen in observations]}
        for i, (key, size) in enumerate(self._settings.images.items()):
            views = [
                seen.views[key] if i or not back else seen.past[-back] for seen in observations
            ]
            batch[key] = _pixels(views, size)
        if self._settings.state:
            states = [seen.past_states[-back] if back else seen.state for seen in observations]
            batch[STATE] = torch.tensor(states, dtype=torch.float32)
        return self._prepare(batch)


def load_lerobot(source: NamedSource, device: str = "cpu") -> LeRobotPolicy:
    """InputError where DIR holds no LeRobot policy or the options do not fit it; MissingExtra
    without lerobot.   device: what it computes on, regardless of its config."""
    source.check_options(*OPTIONS)
    spec = load_convention(
        source.needed("convention", "what its actions mean (see `worldgym data conventions`)")
    )
    folder = Path(source.place)
    if not (folder / "config.json").is_file():
        raise InputError(
            f"{folder}: holds no config.json, so it is not a policy that LeRobot's save_pretrained "
            f"wrote"
        )
    loaded = attempt(lambda: _load(folder, device))
    if isinstance(loaded, Failure):
        if isinstance(loaded.error, MissingExtra):
            raise loaded.error
        raise InputError(
            f"{folder}: LeRobot cannot load it ({' '.join(loaded.reason.split())[:500]})"
        ) from loaded.error
    config, model, prepare, finish = loaded
    return LeRobotPolicy(model, prepare, finish, settings_of(source, config, spec))


def _load(
    folder: Path, device: str
) -> tuple[Any, Model, Callable[[Batch], Batch], Callable[[Tensor], Tensor]]:
    """=> (config, policy, preprocessor, postprocessor). LeRobot prints while it loads; standard
    output is for results."""
    try:
        from lerobot.configs.policies import PreTrainedConfig
        from lerobot.policies.factory import get_policy_class, make_pre_post_processors
    except ModuleNotFoundError as error:
        if error.name == "lerobot":
            raise MissingExtra("lerobot", "lerobot", "a LeRobot policy") from error
        raise
    with contextlib.redirect_stdout(sys.stderr):
        config = PreTrainedConfig.from_pretrained(folder)
        config.device = device
        if "pretrained_backbone_weights" in vars(config):
            config.pretrained_backbone_weights = (
                None  # the folder's own weights follow; nothing is downloaded
            )
        model = get_policy_class(config.type).from_pretrained(
            folder, config=config, local_files_only=True
        )
        places = {"preprocessor_overrides": {"device_processor": {"device": device}}}
        prepare, finish = make_pre_post_processors(config, pretrained_path=str(folder), **places)
    return config, model, prepare, finish


def settings_of(source: NamedSource, config: Any, spec: ActionSpec) -> LeRobotSettings:
    """InputError where the folder's config and the options contradict each other, or ask for what
    no world gives."""
    who = f'policy "{source.text}"'
    images = {key: tuple(feature.shape[1:]) for key, feature in config.image_features.items()}
    numbers = config.robot_state_feature.shape[0] if config.robot_state_feature else 0
    if config.env_state_feature:
        raise InputError(
            f"{who} reads the state of the environment, which a world of images does not have"
        )
    if not images:
        raise InputError(f"{who} uses no image, so it cannot act in a world of images")
    if config.action_feature.shape[0] != spec.size:
        raise InputError(
            f"{who} gives {config.action_feature.shape[0]} numbers, but its convention has "
            f"{spec.size}; name another"
        )
    if len(source.names("state")) != numbers:
        raise InputError(
            f"{who} reads {numbers} numbers of the robot's state, and the option state names "
            f"{len(source.names('state'))}; "
            f"say what they are, e.g. state=x,y,z,roll,pitch,yaw,gripper_open"
        )
    if vars(config).get("temporal_ensemble_coeff") is not None:
        raise InputError(
            f"{who} averages over earlier answers: set temporal_ensemble_coeff to null in its "
            f"config.json"
        )
    first = source.options.get("view", next(iter(images)))
    if first not in images:
        raise InputError(f'{who} has no view "{first}"; it has {", ".join(images)}')
    return LeRobotSettings(
        name=Path(source.place).resolve().name,
        spec=spec,
        images={key: images[key] for key in sorted(images, key=lambda key: key != first)},
        chunk=vars(config).get("n_action_steps", 1),
        n_obs_steps=vars(config).get("n_obs_steps", 1),
        chance=config.type not in WITHOUT_CHANCE,
        state=source.names("state"),
        black=source.flag("black"),
        from_zero=source.flag("from_zero"),
    )


def _pixels(views: Sequence[Frames], size: tuple[int, int]) -> Tensor:
    """uint8 [H, W, 3] each => float32 [B, 3, H, W] in [0, 1], at the size the policy was made
    for."""
    frames = np.stack([resized(view, size) for view in views])
    return torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255.0


def _seed(trial: int, step: int) -> int:
    return int(np.random.default_rng([trial, step]).integers(2**63))
