"""The GPU scripts on a CPU: pack, train within a budget, resume, deliver in pieces."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from tiny_networks import tiny_codec, tiny_world

from worldgym.episodes.store import EpisodeStore
from worldgym.train.recipes import RECIPES, Recipe
from worldgym.world.load_world import load_world

LoadScript = Callable[[str], ModuleType]


def test_pack_keeps_frames_and_actions(
    load_script: LoadScript, episode_store: EpisodeStore, tmp_path: Path
) -> None:
    # the third is shorter
    assert load_script("gpu/pack.py").pack(episode_store.root, tmp_path, 1.0) == 2
    packed = load_script("gpu/train_world.py").read_pack(tmp_path)
    assert packed.spec == episode_store.spec
    for row, name in enumerate(("square-0", "square-1")):
        episode = episode_store[name]
        np.testing.assert_array_equal(packed.actions[row], episode.actions)
        assert np.abs(packed.frames[row].astype(int) - episode.frames).mean() < 6


def test_train_resume_and_deliver(
    load_script: LoadScript,
    episode_store: EpisodeStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(RECIPES, "tiny", Recipe(tiny_codec, tiny_world))
    load_script("gpu/pack.py").pack(episode_store.root, tmp_path / "pack", 1.0)
    train = load_script("gpu/train_world.py")
    monkeypatch.setattr(train, "PIECE", 20_000)
    for _ in range(2):  # the second call finds everything done
        train.run(tmp_path / "pack", tmp_path / "work", tmp_path / "out", 0.005, "tiny", "cpu")
    for part in ("codec", "world"):
        folder = tmp_path / "out" / part
        pieces = sorted(folder.glob("model.safetensors.*"))
        assert len(pieces) > 1
        (folder / "model.safetensors").write_bytes(b"".join(piece.read_bytes() for piece in pieces))
    assert load_world(tmp_path / "out").config.network == tiny_world(tmp_path, "cpu").network
