from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from worldgym.testing import FakeJudge, FakeWorld
from worldgym.trust.replay_test import by_group, replay_figures, replay_test
from worldgym.trust.rollout_replay import Recorded, ReplayOptions
from worldgym.types import Frames, Rollout
from worldgym.world.open_loop_replay import HORIZONS, psnr
from worldgym.world.world_protocol import Given

MakeRollout = Callable[..., Rollout]


def test_sensitivity_and_specificity_of_world_and_judge(make_rollout: MakeRollout) -> None:
    """The world shows success for levels above 0; the recorded frames are all dark, so the judge
    alone finds none."""
    known = [
        ("a/1", 0.9, True),
        ("a/2", -0.9, True),
        ("a/3", -0.9, False),
        ("a/4", 0.9, False),
        ("b/1", 0.9, None),
    ]
    episodes = [Recorded(make_rollout(name, level), success) for name, level, success in known]
    outcomes, generated = replay_test(FakeWorld(), FakeJudge(), episodes, ReplayOptions(batch=2))
    assert [o.judged for o in outcomes] == [True, False, False, True, True] and not any(
        o.recorded for o in outcomes
    )
    assert all(
        len(o.psnr) == 4 and len(g.frames) == 5 for o, g in zip(outcomes, generated, strict=True)
    )
    figures = {group: replay_figures(some) for group, some in by_group(outcomes).items()}
    judged, recorded = figures["a"]["judged"], figures["a"]["recorded"]
    assert judged["sensitivity"]["value"] == 0.5 and judged["sensitivity"]["of"] == 2
    assert judged["specificity"]["value"] == 0.5 and judged["specificity"]["low"] == pytest.approx(
        0.0945, abs=1e-3
    )
    assert (recorded["sensitivity"]["value"], recorded["specificity"]["value"]) == (0.0, 1.0)
    unlabelled = figures["b"]["judged"]
    assert (
        unlabelled["sensitivity"] == {"value": None, "low": 0.0, "high": 1.0, "of": 0}
        and figures["b"]["episodes"] == 1
    )
    assert set(figures["a"]["psnr"]) == {"1"}


class DrawsMissingViews(FakeWorld):
    def complete(self, frames: Frames, given: Given, seeds: Sequence[int]) -> Frames:
        return frames


def test_each_view_that_was_recorded_has_its_own_psnr(make_rollout: MakeRollout) -> None:
    """And another where the recording lacks it, whose frames are then nothing that was seen."""
    views = ("front", "wrist")

    def recorded(name: str, lacking: bool) -> Recorded:
        rollout = make_rollout(name, 0.9, steps=12)
        others = {} if lacking else {"wrist": rollout.trial.task.frame}
        trial = replace(rollout.trial, task=replace(rollout.trial.task, others=others))
        frames = np.concatenate([rollout.frames, np.full_like(rollout.frames, 230)], axis=1)
        return Recorded(replace(rollout, trial=trial, frames=frames, views=views), True)

    outcomes, generated = replay_test(
        DrawsMissingViews(views=views),
        FakeJudge(),
        [recorded("a/1", False), recorded("b/1", True)],
        ReplayOptions(batch=2),
    )
    full, lacking = outcomes
    assert set(full.others) == {"wrist"} and not lacking.others
    truth = np.full_like(generated[0].frames[1:, 1], 230)
    np.testing.assert_allclose(full.others["wrist"], psnr(generated[0].frames[1:, 1], truth))
    assert full.others["wrist"] != full.psnr
    figures = [replay_figures([outcome]) for outcome in outcomes]
    assert "psnr_of_others" not in figures[1]
    assert figures[0]["psnr_of_others"] == {
        "wrist": {str(h): pytest.approx(full.others["wrist"][h - 1]) for h in HORIZONS if h <= 12}
    }
