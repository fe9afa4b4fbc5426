from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from worldgym.report.answers import agreement_text, comparison_text, estimate_text, plan_text
from worldgym.stats.agreement import CellPair, agreement
from worldgym.stats.planning import plan
from worldgym.stats.prediction import Frames, prediction_powered
from worldgym.stats.wanted import Plan


def test_agreement_names_the_ceiling_and_what_was_left_out() -> None:
    cells = [CellPair(f"p{i % 6}", f"t{i // 6}", i / 36, (i + i % 5) / 40, 10, 10) for i in range(36)]
    text = agreement_text({**asdict(agreement(cells)), "unpaired": {"world": 2, "real": 0}})
    assert "36 cells" in text and "noise ceiling" in text and "95 % over policies" in text and "2 cells of the world" in text
    bare = [CellPair("a", "t", 0.5, 0.5)]
    assert "not defined" in agreement_text({**asdict(agreement(bare)), "unpaired": {"world": 0, "real": 0}})


def compared(p: float, n: int = 120) -> dict[str, object]:
    return {"a": "A", "b": "B", "value": 0.18 if n else None, "low": 0.06, "high": 0.3, "p": p, "p_holm": p, "n": n}


def test_a_comparison_says_whether_a_difference_is_shown() -> None:
    ranking = {"policies": ["A", "B"], "best": [0.9, 0.1], "orders": [{"policies": ["A", "B"], "probability": 0.9}]}
    text = comparison_text({"comparisons": [compared(0.004)], "ranking": ranking})
    assert text.startswith("A beats B: +18.0 points [+6, +30], p = 0.004, 120 paired trials") and "A > B" in text
    assert "is not shown to differ from" in comparison_text({"comparisons": [compared(0.2)], "ranking": ranking})
    assert "share no scored trial" in comparison_text({"comparisons": [compared(1.0, 0)], "ranking": ranking})
    assert comparison_text({"comparisons": [], "ranking": None}) == "No trial has been scored yet."


@pytest.mark.parametrize("useful", [True, False])
def test_an_estimate_says_whether_the_world_model_helps(useful: bool) -> None:
    y = np.tile([1.0, 1, 0, 1, 0], 8)
    frames = Frames(y, y if useful else 1 - y, np.zeros(40, int), np.tile([1.0, 0], 100), np.zeros(200, int))
    text = estimate_text({"level": 0.95, "estimates": [{"policy": "p", **asdict(prediction_powered(frames))}]})
    assert ("saved" in text) == useful
    assert ("does not help" in text) != useful
    assert "(Wilson)" in text and "(exact)" in text and "(betting)" in text


def test_a_plan_is_told_in_sentences() -> None:
    wanted = Plan(width=0.2, a=0.6, b=0.75, imagined=500, real_correlation=0.7)
    text = plan_text({**plan(wanted), "asked": asdict(wanted)})
    assert "93 trials for a 95 % interval 20 points wide" in text and "McNemar" in text and "500 imagined" in text
