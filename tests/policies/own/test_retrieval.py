"""What was done in the most similar frame is done again, under the same instruction only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.policies.load_policy import load_policy
from worldgym.policies.own.retrieval import RetrievalConfig, RetrievalPolicy, remember
from worldgym.policies.policy_protocol import Observation
from worldgym.testing import FAKE_SPEC, check_policy
from worldgym.types import Episode

SHAPE = (32, 32, 3)


def episode(grey: int, level: float, instruction: str, success: bool = True) -> Episode:
    frames = np.stack([np.full((1, *SHAPE), grey + i, np.uint8) for i in range(9)])
    actions = np.linspace(0.0, level, 8)[:, None] * np.ones((1, 3))
    extras = {"behaviour": "expert", "task": instruction}
    return Episode(
        frames, actions.astype(np.float32), instruction, FAKE_SPEC, 5.0, success, "", extras
    )


@pytest.fixture
def store(tmp_path: Path) -> EpisodeStore:
    out = EpisodeStore.create(tmp_path / "store", FAKE_SPEC, 5.0)
    rows = [(40, 0.5, "open it"), (160, -0.5, "open it"), (40, 0.9, "close it")]
    for i, row in enumerate(rows):
        out.write(f"e{i}", episode(*row))
    out.write("failure", episode(100, 1.0, "open it", success=False))
    return EpisodeStore(out.root)


def acted(policy: RetrievalPolicy, grey: int, instruction: str) -> np.ndarray:
    seen = Observation(np.full(SHAPE, grey, np.uint8), instruction, 0)
    chunk: np.ndarray = policy.act([None], [seen])[1][0]
    return chunk


def test_the_most_similar_frame_says_what_to_do(store: EpisodeStore, tmp_path: Path) -> None:
    policy = remember(store, tmp_path / "p", "near", RetrievalConfig(chunk=3, every=2))
    loaded = load_policy(tmp_path / "p")
    assert loaded.name == "near" and loaded.chunk == 3
    right = np.linspace(0.0, 0.5, 8)
    np.testing.assert_allclose(acted(policy, 42, "open it")[:, 0], right[2:5], atol=5e-3)
    assert acted(policy, 164, "open it")[-1, 0] < 0 < acted(policy, 42, "close it")[-1, 0]
    assert acted(policy, 100, "open it").max() < 0.6  # the failure is not remembered
    check_policy(policy, SHAPE)


def test_looking_once_is_acting_blindly(store: EpisodeStore, tmp_path: Path) -> None:
    blind = remember(store, tmp_path / "b", "blind", RetrievalConfig(chunk=8))
    assert len(blind.keys) == 3 and acted(blind, 41, "open it").shape == (8, 3)


def test_a_store_without_such_episodes_is_refused(store: EpisodeStore, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no episode is of slow and a success"):
        remember(store, tmp_path / "p", "p", RetrievalConfig(behaviours=("slow",)))
