"""False successes are kept, with as many closed loops that are judged right beside them."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

if importlib.util.find_spec("metaworld") is None:
    pytest.skip("the extra [reference] is not installed", allow_module_level=True)

from worldgym.episodes.store import EpisodeStore
from worldgym.reference import mined_failures
from worldgym.reference.mined_failures import MineConfig, Mined, mine_false_successes
from worldgym.testing import FAKE_SPEC
from worldgym.trust.replay_test import ReplayOutcome
from worldgym.trust.rollout_replay import Recorded
from worldgym.types import Episode

JUDGED = {"f0": True, "f1": True, "f2": True, "s0": True, "s1": True, "x0": False, "x1": False}


def test_false_successes_of_closed_loops_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = EpisodeStore.create(tmp_path / "loops", FAKE_SPEC, 5.0)
    frames = np.zeros((3, 1, 32, 32, 3), np.uint8)
    for name in (*JUDGED, "recorded"):
        behaviour = "expert" if name == "recorded" else "dreamt-p"
        success = name.startswith("s") or name == "recorded"
        actions = np.zeros((2, 3), np.float32)
        extras = {"behaviour": behaviour}
        store.write(name, Episode(frames, actions, "go", FAKE_SPEC, 5.0, success, "", extras))

    def replayed(
        world: Any, judge: Any, episodes: Sequence[Recorded], playing: Any
    ) -> tuple[list[ReplayOutcome], list[Any]]:
        names = [e.rollout.trial.task.name for e in episodes]
        said = [(n, e.success, JUDGED[n]) for n, e in zip(names, episodes, strict=True)]
        return [ReplayOutcome(n, "g", truth, (), judged, None) for n, truth, judged in said], []

    for name in ("load_diffusion_world", "load_judge", "on_all_cores"):
        monkeypatch.setattr(mined_failures, name, lambda part: part)
    monkeypatch.setattr(mined_failures, "replay_test", replayed)
    config = MineConfig(tmp_path, tmp_path, store.root, tmp_path / "mined")
    assert mine_false_successes(config) == Mined(7, 3, 3)
    kept = {info.name for info in EpisodeStore(tmp_path / "mined")}
    assert {"f0", "f1", "f2"} < kept and "recorded" not in kept and len(kept) == 6
    assert mine_false_successes(config) == Mined(7, 3, 3)  # nothing is added twice
    JUDGED.update(f0=False, f1=False, f2=False)
    assert mine_false_successes(
        MineConfig(tmp_path, tmp_path, store.root, tmp_path / "none")
    ) == Mined(7, 0, 4)
