"""benchmarks/view_agreement.py on episodes whose views show how high a block stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from worldgym.episodes.frame_cache import frame_cache
from worldgym.episodes.store import EpisodeStore
from worldgym.testing import FAKE_SPEC
from worldgym.trust.rollout_replay import recorded_rollouts
from worldgym.types import Episode

LENGTH = 12
VIEWS = ("front", "wrist")


@pytest.fixture
def script(load_script: Callable[[str], ModuleType]) -> ModuleType:
    return load_script("benchmarks/view_agreement.py")


def store_of(root: Path) -> EpisodeStore:
    """A block rises by up to 12 cm, in every second episode by nothing; upright in the first view,
    upside down in the second."""
    store = EpisodeStore.create(root, FAKE_SPEC, 10.0, views=VIEWS)
    for i in range(8):
        heights = np.linspace(0.0, 0.12 * (i % 2), LENGTH + 1)
        frames = np.full((LENGTH + 1, 2, 32, 32, 3), 40, np.uint8)
        for t, z in enumerate(heights):
            row = 20 - round(150 * z)
            frames[t, 0, row : row + 8, 8 + i : 16 + i] = 220
            frames[t, 1, 32 - row - 8 : 32 - row, 8 + i : 16 + i] = 220
        extras = {"task": "lift", "object": [[0.0, 0.0, 0.8 + z] for z in heights]}
        actions = np.zeros((LENGTH, FAKE_SPEC.size), np.float32)
        told = (frames, actions, "lift it", FAKE_SPEC, 10.0, bool(i % 2), "synthetic", extras)
        store.write(f"lift-{i}", Episode(*told, views=VIEWS))
    return EpisodeStore(root)


def test_views_agree_as_far_as_they_show_the_same(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = store_of(tmp_path / "store")
    cache = frame_cache(store)
    readers = [script.learned(cache, view, 150) for view in VIEWS]
    episodes = recorded_rollouts(store)
    rollouts = [episode.rollout for episode in episodes]
    true = [script.true_heights(store, rollout.trial.task.name) for rollout in rollouts]
    assert true[1][-1] == pytest.approx(0.12, abs=1e-5)
    told = script.agreement(readers, rollouts, true)
    assert min(told.first, told.second, told.both) > 0.9 and told.same > 0.85
    # a second view that shows other episodes' frames
    mixed = [
        replace(one, frames=np.stack([one.frames[:, 0], other.frames[:, 1]], 1))
        for one, other in zip(rollouts, rollouts[1:] + rollouts[:1], strict=True)
    ]
    apart = script.agreement(readers, mixed, true)
    assert apart.first == pytest.approx(told.first) and apart.both < 0.3 and apart.same < 0.8
    script.print_psnr(episodes, rollouts)
    assert "| all | wrist | 60.0 | 60.0 | 60.0 |" in capsys.readouterr().out
