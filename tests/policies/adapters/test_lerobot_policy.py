"""The adapter against a stand-in with LeRobot's public interface; LeRobot itself is tried in
test_lerobot_real.py."""

from __future__ import annotations

import importlib.util
from collections import deque
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from worldgym.actions.conventions import convention
from worldgym.errors import InputError, MissingExtra
from worldgym.evaluation.rollout import roll_out
from worldgym.io.named_source import NamedSource
from worldgym.policies.adapters.lerobot_policy import (
    STATE,
    LeRobotPolicy,
    LeRobotSettings,
    load_lerobot,
    settings_of,
)
from worldgym.policies.load_policy import load_policy
from worldgym.testing import FakeWorld, check_policy
from worldgym.types import Task, Trial

SPEC, SHAPE = convention("metaworld"), (16, 24, 3)
FRONT, WRIST = "observation.images.front", "observation.images.wrist"


class StandIn:
    """Queues as LeRobot's diffusion policy keeps them: n last observations, filled up with the
    first; h actions of an answer."""

    def __init__(self, n_obs_steps: int, chunk: int, noise: float = 0.0) -> None:
        self.n_obs_steps, self.chunk, self.noise = n_obs_steps, chunk, noise
        self.reset()

    def reset(self) -> None:
        self.seen: deque[torch.Tensor] = deque(maxlen=self.n_obs_steps)
        self.answer: deque[torch.Tensor] = deque()

    def select_action(self, batch: dict[str, Any]) -> torch.Tensor:
        newest = torch.cat([batch[FRONT].mean((2, 3)), batch[STATE]], dim=1)  # [B, 3 + S]
        self.seen.extend([newest] * (1 if self.seen else self.n_obs_steps))
        if not self.answer:
            weights = torch.linspace(0.3, 1.0, self.n_obs_steps)[:, None, None]
            mean = (torch.stack(list(self.seen)) * weights).mean(0)[:, :4] - 0.3  # [B, 4]
            drawn = mean + self.noise * torch.randn_like(mean)
            self.answer.extend(drawn * (1.0 - 0.1 * k) for k in range(self.chunk))
        return self.answer.popleft()


def made(n_obs_steps: int = 1, chunk: int = 1, noise: float = 0.0, **more: Any) -> LeRobotPolicy:
    reading = LeRobotSettings(
        "l",
        SPEC,
        {FRONT: SHAPE[:2]},
        chunk,
        n_obs_steps,
        noise > 0,
        ("x", "gripper_open"),
        from_zero=True,
    )
    return LeRobotPolicy(
        StandIn(n_obs_steps, chunk, noise), dict, lambda action: action, replace(reading, **more)
    )


def trials(count: int = 3, steps: int = 8) -> list[Trial]:
    frames = np.random.default_rng(0).integers(0, 256, (count, *SHAPE)).astype(np.uint8)
    return [
        Trial(Task(f"t/{i}", "t", frame, "push", steps), 0, 1) for i, frame in enumerate(frames)
    ]


@pytest.mark.parametrize(("n_obs_steps", "chunk"), [(1, 1), (1, 4), (2, 1), (2, 4), (3, 2), (3, 8)])
def test_the_same_as_lerobots_own_loop(n_obs_steps: int, chunk: int) -> None:
    """`select_action` at every step, `reset` before the first, on the frames and states of the
    rollout."""
    for rollout in roll_out(FakeWorld(SPEC, SHAPE), made(n_obs_steps, chunk), trials()):
        model, moved = (
            StandIn(n_obs_steps, chunk),
            np.concatenate([[0.0], 0.04 * np.cumsum(rollout.actions[:, 0])]),
        )
        opened = np.concatenate([[1.0], rollout.actions[:, 3] < 0])
        for t, action in enumerate(rollout.actions):
            frame = torch.from_numpy(rollout.main[t]).permute(2, 0, 1)[None].float() / 255.0
            state = torch.tensor([[moved[t], opened[t]]], dtype=torch.float32)
            natural = model.select_action({FRONT: frame, STATE: state})[0].clamp(-1, 1)
            np.testing.assert_allclose(action, natural, atol=1e-5)


@pytest.mark.parametrize("noise", [0.0, 0.3])
@pytest.mark.parametrize(("n_obs_steps", "chunk"), [(1, 4), (2, 3)])
def test_it_is_a_policy_of_ours(n_obs_steps: int, chunk: int, noise: float) -> None:
    check_policy(made(n_obs_steps, chunk, noise), SHAPE)


def test_noise_belongs_to_the_trial_and_leaves_the_process_alone() -> None:
    torch.manual_seed(5)
    expected = torch.randn(3)
    torch.manual_seed(5)
    batch = trials()
    policy = made(2, 4, noise=0.3)
    together = roll_out(FakeWorld(SPEC, SHAPE), policy, batch)
    assert torch.equal(torch.randn(3), expected)
    alone = roll_out(FakeWorld(SPEC, SHAPE), policy, batch[2:])[0]
    np.testing.assert_array_equal(alone.actions, together[2].actions)
    assert len({rollout.actions.tobytes() for rollout in together}) == 3


def test_a_second_view_is_black_only_if_that_is_allowed() -> None:
    two = {FRONT: SHAPE[:2], WRIST: (8, 8)}
    assert made(images=two).needs.blackened == () and made(
        images=two, black=True
    ).needs.blackened == (WRIST,)
    seen: list[dict[str, Any]] = []
    policy = LeRobotPolicy(
        StandIn(1, 1),
        lambda batch: seen.append(batch) or batch,
        lambda a: a,
        made(images=two, black=True)._settings,
    )
    roll_out(FakeWorld(SPEC, SHAPE), policy, trials(2, steps=1))
    assert seen[0][WRIST].shape == (2, 3, 8, 8) and not seen[0][WRIST].any()
    assert (
        seen[0]["task"] == ["push", "push"]
        and 0.0 <= seen[0][FRONT].min() < seen[0][FRONT].max() <= 1.0
    )


def config(**changes: Any) -> SimpleNamespace:
    """What `PreTrainedConfig` tells of a policy."""
    images = {key: SimpleNamespace(shape=(3, 96, 96)) for key in (WRIST, FRONT)}
    plain = {
        "type": "act",
        "image_features": images,
        "robot_state_feature": SimpleNamespace(shape=(2,)),
        "env_state_feature": None,
        "action_feature": SimpleNamespace(shape=(4,)),
        "n_action_steps": 8,
        "n_obs_steps": 1,
        "temporal_ensemble_coeff": None,
    }
    return SimpleNamespace(**{**plain, **changes})


def read(options: str = f"view={FRONT}&state=x,y&black=yes", **changes: Any) -> LeRobotSettings:
    return settings_of(NamedSource.parse(f"lerobot:runs/my-act?{options}"), config(**changes), SPEC)


def test_what_a_config_says() -> None:
    reading = read()
    assert list(reading.images.items()) == [(FRONT, (96, 96)), (WRIST, (96, 96))]
    assert (reading.name, reading.chunk, reading.n_obs_steps, reading.chance) == (
        "my-act",
        8,
        1,
        False,
    )
    assert reading.needs.to_json() == {
        "cameras": [FRONT, WRIST],
        "blackened": [WRIST],
        "state": ["x", "y"],
    }
    assert (
        read(type="diffusion", n_obs_steps=2).needs.history == 2 and read(type="diffusion").chance
    )


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"env_state_feature": SimpleNamespace(shape=(3,))}, "reads the state of the environment"),
        ({"image_features": {}}, "uses no image"),
        (
            {"action_feature": SimpleNamespace(shape=(7,))},
            "gives 7 numbers, but its convention has 4",
        ),
        ({"robot_state_feature": SimpleNamespace(shape=(3,))}, "reads 3 numbers .* names 2"),
        ({"robot_state_feature": None}, "reads 0 numbers .* names 2"),
        ({"temporal_ensemble_coeff": 0.01}, "averages over earlier answers"),
        ({"options": "view=top&state=x,y"}, 'has no view "top"; it has observation.images.wrist, '),
        ({"options": "state=x,y&black=maybe"}, 'black is "maybe"'),
    ],
)
def test_what_does_not_fit_gets_one_sentence(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        read(**changes)


def test_folders_that_hold_no_policy(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not say what its actions mean"):
        load_policy(f"lerobot:{tmp_path}")
    with pytest.raises(InputError, match=r"holds no config\.json"):
        load_policy(f"lerobot:{tmp_path}?convention=metaworld")
    with pytest.raises(InputError, match='unknown option "colour"'):
        load_policy(f"lerobot:{tmp_path}?colour=red")


@pytest.mark.skipif(
    importlib.util.find_spec("lerobot") is not None, reason="lerobot is installed here"
)
def test_without_lerobot(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(MissingExtra, match=r"worldgym\[lerobot\]"):
        load_lerobot(NamedSource.parse(f"lerobot:{tmp_path}?convention=metaworld"))
