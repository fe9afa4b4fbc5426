"""Recorded rollouts replayed through a world that obeys: what the judge reads off is the last
action, so every outcome is known beforehand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError, SpecMismatch
from worldgym.stats.confusion import Confusion
from worldgym.stats.run_calibration import read_calibration
from worldgym.testing import FAKE_SPEC, FakeJudge, FakeWorld
from worldgym.trust.calibrate_evaluator import calibrate_evaluator
from worldgym.trust.rollout_replay import ReplayOptions
from worldgym.types import ActionSpec, Episode

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


def two_outcomes(place: Path, level: float, spec: ActionSpec = FAKE_SPEC) -> Path:
    out = EpisodeStore.create(place, spec, spec.rate_hz)
    for i, success in enumerate((True, False)):
        actions = np.full((3, spec.size), level if success else -level, np.float32)
        frames = np.zeros((4, 1, *WORLD.frame_shape), np.uint8)
        out.write(f"e{i}", Episode(frames, actions, "open it", spec, spec.rate_hz, success))
    return out.root


def test_stores_that_share_a_name_both_count(tmp_path: Path) -> None:
    right, wrong = (
        two_outcomes(tmp_path / lab / "real", x) for lab, x in (("a", 0.9), ("b", -0.9))
    )
    options, out = ReplayOptions(), tmp_path / "out"
    counts = calibrate_evaluator(WORLD, JUDGE, [right, wrong, right], out, options).counts
    assert counts == Confusion(1, 1, 1, 1)
    assert calibrate_evaluator(WORLD, JUDGE, [wrong], out, options).counts == Confusion(0, 1, 1, 0)


def test_an_episode_that_was_replaced_is_replayed_again_and_a_label_set_right_counts(
    tmp_path: Path,
) -> None:
    folder, options, out = two_outcomes(tmp_path / "real", 0.9), ReplayOptions(), tmp_path / "out"
    store = EpisodeStore(folder)
    calibrate_evaluator(WORLD, JUDGE, [folder], out, options)
    store.write("e0", replace(store["e0"], success=False))
    store.write("e1", replace(store["e1"], success=True))
    counts = calibrate_evaluator(WORLD, JUDGE, [folder], out, options).counts
    assert counts == Confusion(0, 1, 1, 0)
    assert len((out / "replayed.jsonl").read_text().splitlines()) == 3
    store.write("e1", replace(store["e1"], actions=np.full_like(store["e1"].actions, 0.9)))
    counts = calibrate_evaluator(WORLD, JUDGE, [folder], out, options).counts
    assert counts == Confusion(1, 1, 0, 0)


def test_recordings_of_other_actions_or_another_size_are_refused(tmp_path: Path) -> None:
    odd = two_outcomes(tmp_path / "odd", 0.9, replace(FAKE_SPEC, unit="5 m"))
    with pytest.raises(SpecMismatch, match="unit"):
        calibrate_evaluator(WORLD, JUDGE, [odd], tmp_path / "out", ReplayOptions())
    large = FakeWorld(frame_shape=(32, 32, 3))
    with pytest.raises(InputError, match="resize the PNG"):
        calibrate_evaluator(
            large, JUDGE, [two_outcomes(tmp_path / "a", 0.9)], tmp_path / "out", ReplayOptions()
        )
    assert not (tmp_path / "out" / "calibration.json").exists()


def test_one_kind_of_outcome_calibrates_nothing(tmp_path: Path) -> None:
    out = EpisodeStore.create(tmp_path / "good", FAKE_SPEC, FAKE_SPEC.rate_hz)
    out.write("e0", episode(0.9, True, "a"))
    with pytest.raises(InputError, match="1 known successes and 0 known failures"):
        calibrate_evaluator(WORLD, JUDGE, [out.root], tmp_path / "out", ReplayOptions())
    assert not (tmp_path / "out" / "calibration.json").exists()
