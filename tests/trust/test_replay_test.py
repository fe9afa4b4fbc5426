from __future__ import annotations

from collections.abc import Callable

import pytest

from worldgym.testing import FakeJudge, FakeWorld
from worldgym.trust.replay_test import by_group, replay_figures, replay_test
from worldgym.trust.rollout_replay import Recorded, ReplayOptions
from worldgym.types import Rollout

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
