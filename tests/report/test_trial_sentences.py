from __future__ import annotations

from dataclasses import replace

from small_summaries import EMPTY, summary

from worldgym.report.formats import NBSP
from worldgym.report.trial_sentences import named_reasons, time_sentence
from worldgym.stats.failure_reasons import FailureReasons, ReasonCount


def test_the_time_is_told_by_its_parts() -> None:
    spent = replace(EMPTY.expenses, attempts=2, seconds=120.0, timing={"world": 90.0, "judge": 6.0})
    told = time_sentence(summary(expenses=spent)).replace(NBSP, " ")
    assert told == "2 attempts took 2 min (world 1.5 min, judge 6 s)."
    assert time_sentence(summary(expenses=replace(spent, seconds=0.0))) == ""


def test_the_first_reasons_are_named_with_their_numbers() -> None:
    rows = tuple(
        ReasonCount(f"reason {name}", n) for name, n in zip("abcd", (5, 2, 1, 1), strict=True)
    )
    told = named_reasons(FailureReasons(failed=rows[:1], unscored=rows), "video")
    assert told.replace(NBSP, " ") == (
        "Failed: reason a (5 videos). "
        "Unscored: reason a (5 videos); reason b (2 videos); reason c (1 video); and others."
    )
    assert named_reasons(FailureReasons(), "trial") == ""
