"""A judge that asks a model server on loopback, and rollouts to be judged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_server import ModelServer

from worldgym.io.video import encode_mp4
from worldgym.judges.label_session import LabelConfig, LabelSession
from worldgym.judges.labels import Clip
from worldgym.judges.vlm import VlmConfig
from worldgym.servers.provider import Server
from worldgym.servers.votes import Price
from worldgym.types import Rollout, Task, Trial


@pytest.fixture
def config(model_server: ModelServer, tmp_path: Path) -> VlmConfig:
    """A judge of three votes on two small frames: 1000 tokens in and 50 out are 0.002 USD a
    vote."""
    server = Server("tiny-vlm", base_url=model_server.url, timeout_seconds=5.0)
    return VlmConfig(
        server,
        Price(1.0, 20.0),
        votes=3,
        frames="first+last",
        frame_size=None,
        cache=tmp_path / "votes",
    )


@pytest.fixture(scope="session")
def make_rollout() -> Callable[..., Rollout]:
    def make(number: int = 0, steps: int = 6, **task: Any) -> Rollout:
        frames = np.random.default_rng(number).integers(0, 256, (steps + 1, 16, 24, 3), np.uint8)
        one = Task(f"drawer/{number}", "drawer", frames[0], "open the drawer", steps, **task)
        return Rollout(
            Trial(one, 0, 0), "policy", frames[:, None], np.zeros((steps, 2), np.float32)
        )

    return make


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    """Three videos below two policies' names."""
    made = []
    for i, policy in enumerate(("good", "good", "poor")):
        path = tmp_path / "videos" / policy / f"door-{i}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(
            encode_mp4(np.random.default_rng(i).integers(0, 256, (5, 16, 16, 3), np.uint8), 5)
        )
        made.append(Clip(path, f"open door {i}", "ajar" if i else ""))
    return made


@pytest.fixture
def session(tmp_path: Path, clips: list[Clip]) -> LabelSession:
    return LabelSession(clips, LabelConfig(tmp_path / "labels.jsonl", "anna"))
