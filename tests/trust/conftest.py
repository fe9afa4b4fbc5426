"""Worlds small enough to be checked in seconds: an invented one that obeys, and a trained-looking
one with all its parts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_networks import PAIR_TRUNK

from worldgym.codecs.conv import ConvCodec, ConvCodecConfig
from worldgym.codecs.load_codec import load_codec
from worldgym.episodes.store import EpisodeStore
from worldgym.io.checkpoint import save_folder
from worldgym.judges.classifier import ClassifierJudge, DecisionRule, JudgeConfig, JudgeNet
from worldgym.testing import FAKE_SPEC
from worldgym.types import Rollout, Task, Trial
from worldgym.world.network import DiT
from worldgym.world.network_config import DiTConfig
from worldgym.world.sampler import SamplerConfig
from worldgym.world.world_config import WorldConfig

MakeRollout = Callable[..., Rollout]


@pytest.fixture(scope="session")
def make_rollout() -> MakeRollout:
    """make_rollout("door/1", level, steps=4, policy="p"): every action number at `level`; the
    name's first part is the group."""

    def make(name: str, level: float, steps: int = 4, policy: str = "p") -> Rollout:
        task = Task(name, name.split("/")[0], np.full((16, 24, 3), 90, np.uint8), "do it", steps)
        actions = np.full((steps, FAKE_SPEC.size), level, np.float32)
        frames = np.repeat(task.frame[None, None], steps + 1, axis=0)
        return Rollout(Trial(task, 0, 0), policy, frames, actions)

    return make


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory, episode_store: EpisodeStore) -> Path:
    """A folder with world/, codec/ and judge/ of random weights at 32 x 32, and tasks/ of two
    groups."""
    root = tmp_path_factory.mktemp("tiny")
    torch.manual_seed(0)
    ConvCodec(ConvCodecConfig(size=32, channels=4, width=16, blocks=1)).save(root / "codec", "", {})
    codec = load_codec(root / "codec")
    network = DiTConfig(
        (4, 4, 4), width=32, pairs=1, heads=2, action_size=2 * FAKE_SPEC.size + 1, window=8
    )
    sampler = SamplerConfig(steps=2, window=6, keep=3)
    config = WorldConfig(episode_store.spec, network, sampler, "flow", {}, codec.fingerprint)
    save_folder(root / "world", config.to_json(), DiT(network).state_dict(), "")
    ClassifierJudge(JudgeNet(JudgeConfig((32, 32), 8, PAIR_TRUNK)), DecisionRule(), "tiny").save(
        root / "judge", {}, ""
    )
    for name in ("door/1", "door/2", "drawer/1"):
        path = root / "tasks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((32, 32, 3), 90, np.uint8)).save(path.with_suffix(".png"))
        path.with_suffix(".json").write_text('{"instruction": "push the square", "steps": 4}')
    rows = [
        f"{p},{t},{i % 2}"
        for i, (p, t) in enumerate(
            (p, t) for p in ("still", "random") for t in ("door/1", "door/2", "drawer/1")
        )
    ]
    (root / "tasks" / "truth.csv").write_text("\n".join(["policy,task,success", *rows]) + "\n")
    return root
