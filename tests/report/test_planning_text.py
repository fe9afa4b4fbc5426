from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from worldgym.report.formats import NBSP
from worldgym.report.planning_text import estimate_text, plan_text
from worldgym.stats.prediction import Frames, prediction_powered
from worldgym.stats.studies import Estimates, PolicyEstimate
from worldgym.stats.trial_plan_request import TrialPlanRequest
from worldgym.stats.trial_planning import plan


@pytest.mark.parametrize("useful", [True, False])
def test_an_estimate_says_whether_the_world_model_helps(useful: bool) -> None:
    y = np.tile([1.0, 1, 0, 1, 0], 8)
    frames = Frames(
        y, y if useful else 1 - y, np.zeros(40, int), np.tile([1.0, 0], 100), np.zeros(200, int)
    )
    found = PolicyEstimate(**vars(prediction_powered(frames)), policy="p")
    text = estimate_text(Estimates(0.95, False, (found,)))
    assert ("saved" in text) == useful
    assert ("does not help" in text) != useful
    assert "(Wilson)" in text and "(exact)" in text and "(betting)" in text


def test_what_an_estimate_cannot_use_is_told() -> None:
    alone = Frames(np.ones(1), np.ones(1), np.zeros(1, int), np.zeros(0), np.zeros(0, int))
    found = PolicyEstimate(**vars(prediction_powered(alone)), policy="p", absent="1 of 2 are not")
    text = estimate_text(Estimates(0.95, False, (found,)))
    assert "beside another of its task; run more --trials" in text
    assert "  1 of 2 are not" in text.splitlines()


def test_a_plan_is_told_in_sentences() -> None:
    wanted = TrialPlanRequest(width=0.2, a=0.6, b=0.75, generated=500, real_correlation=0.7)
    text = plan_text(plan(wanted), wanted)
    assert (
        "93 trials for a 95 % confidence interval 20 points wide" in text
        and "McNemar" in text
        and "beside 500 initial frames tried in the world model" in text
    )
    assert "correlate by 0 (McNemar" in text and "each initial frame" not in text
    repeated = TrialPlanRequest(width=0.2, repeats=5, repeat_correlation=0.3)
    told = plan_text(plan(repeated), repeated).replace(NBSP, " ")
    assert (
        "205 trials" in told
        and "at a rate of 50 %, each initial frame tried 5 times with outcomes that correlate by "
        "0.3"
        in told
    )


def test_real_trials_beside_generated_ones_are_as_often_repeated() -> None:
    wanted = TrialPlanRequest(width=0.2, generated=500, real_correlation=0.7)
    assert "57 real trials, one per initial frame, for" in plan_text(plan(wanted), wanted)
    wanted = replace(wanted, repeats=5, repeat_correlation=0.5)
    assert "171 real trials, 5 per initial frame, for" in plan_text(plan(wanted), wanted)
