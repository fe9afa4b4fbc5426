"""The Panda's simulator and its recorder: same seed, same episode, both cameras. Skipped without
robosuite (requirements-panda.txt)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from worldgym.episodes.store import EpisodeStore
from worldgym.reference.panda import PANDA_SPEC, VIEWS, PandaSimulator
from worldgym.reference.panda_record import PandaRecordConfig, play_panda, record_panda

# behind the module that says how to render, for it must be said before mujoco is loaded
pytest.importorskip("robosuite", reason="robosuite is not installed: requirements-panda.txt")
pytest.importorskip("mujoco", reason="the extra [reference] is not installed")

pytestmark = [pytest.mark.reference, pytest.mark.slow]


def test_a_seed_is_an_episode() -> None:
    simulator = PandaSimulator("lift", 48)
    first = play_panda(simulator, "expert", 0)
    other = play_panda(simulator, "expert", 1)
    again = play_panda(simulator, "expert", 0)
    np.testing.assert_array_equal(first.frames, again.frames)
    np.testing.assert_array_equal(first.actions, again.actions)
    assert not np.array_equal(first.frames[0], other.frames[0])
    assert first.views == VIEWS and first.frames.shape == (41, 2, 48, 48, 3)
    assert first.success and first.spec == PANDA_SPEC and first.states is not None
    simulator.close()


def test_recording_resumes(tmp_path: Path) -> None:
    config = PandaRecordConfig(tmp_path, 2, 0, ("lift",), 48, 1)
    store = record_panda(config)
    assert [info.name for info in store] == ["lift-00000", "lift-00001"]
    before = store.video("lift-00000", "wrist").stat().st_mtime_ns
    assert len(record_panda(PandaRecordConfig(tmp_path, 3, 0, ("lift",), 48, 1))) == 3
    assert EpisodeStore(tmp_path).video("lift-00000", "wrist").stat().st_mtime_ns == before
