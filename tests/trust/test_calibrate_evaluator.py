"""Recorded rollouts replayed through a world that obeys: what the judge reads off is the last
action, so every outcome is known beforehand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.stats.run_calibration import read_calibration
from worldgym.testing import FAKE_SPEC, FakeJudge, FakeWorld
from worldgym.trust.calibrate_evaluator import calibrate_evaluator
from worldgym.trust.rollout_replay import ReplayOptions
from worldgym.types import Episode

WORLD, JUDGE = FakeWorld(), FakeJudge(threshold=0.6)


def episode(level: float, success: bool | None, policy: str) -> Episode:
    actions = np.full((3, FAKE_SPEC.size), level, np.float32)
    frames = np.zeros((4, 1, *WORLD.frame_shape), np.uint8)
    extras = {"policy": policy} if policy else {}
    return Episode(frames, actions, "open it", FAKE_SPEC, FAKE_SPEC.rate_hz, success, "", extras)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Actions of 0.9 are judged a success, those of -0.9 a failure."""
    out = EpisodeStore.create(tmp_path / "real", FAKE_SPEC, FAKE_SPEC.rate_hz)
    rows = [(0.9, True, "a"), (-0.9, True, "a"), (0.9, False, "b"), (-0.9, False, "b")]
    rows += [(-0.9, False, ""), (0.9, None, "a")]
    for i, row in enumerate(rows):
        out.write(f"e{i}", episode(*row))
    return out.root


def test_replays_are_counted_by_policy_and_task(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    found = calibrate_evaluator(WORLD, JUDGE, [store], out, ReplayOptions(batch=2))
    assert read_calibration(out / "calibration.json") == found
    (group,) = {cell.task for cell in found.cells}
    counts = {cell.policy: cell.counts for cell in found.cells}
    assert (counts["a"].true_success, counts["a"].false_failure) == (1, 1)
    assert (counts["b"].false_success, counts["b"].true_failure) == (1, 1)
    assert counts[""].true_failure == 1 and found.counts.failures == 3
    assert group and (found.world, found.judge) == (WORLD.name, JUDGE.name)


def test_a_stopped_calibration_goes_on(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    found = calibrate_evaluator(WORLD, JUDGE, [store], out, ReplayOptions(batch=2))
    lines = (out / "replayed.jsonl").read_text().splitlines()
    assert len(lines) == 6 and json.loads(lines[1])["task"]
    (out / "replayed.jsonl").write_text("\n".join(lines[:3]) + '\n{"episode": "torn')
    assert calibrate_evaluator(WORLD, JUDGE, [store], out, ReplayOptions(batch=2)) == found
    monkeypatch.setattr("worldgym.trust.calibrate_evaluator.replay_test", None)
    assert calibrate_evaluator(WORLD, JUDGE, [store], out, ReplayOptions(batch=2)) == found
    with pytest.raises(InputError, match="choose another --out"):
        calibrate_evaluator(FakeWorld(name="other"), JUDGE, [store], out, ReplayOptions())


def test_one_kind_of_outcome_calibrates_nothing(tmp_path: Path) -> None:
    out = EpisodeStore.create(tmp_path / "good", FAKE_SPEC, FAKE_SPEC.rate_hz)
    out.write("e0", episode(0.9, True, "a"))
    with pytest.raises(InputError, match="1 known successes and 0 known failures"):
        calibrate_evaluator(WORLD, JUDGE, [out.root], tmp_path / "out", ReplayOptions())
    assert not (tmp_path / "out" / "calibration.json").exists()
