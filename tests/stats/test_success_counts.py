"""A true rate is of the same mixture of tasks as the rate beside it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_logs import header, record

from worldgym.io.run_records import TrialRecord
from worldgym.report.figures import cell_text
from worldgym.report.formats import NBSP
from worldgym.stats.success_counts import success_numbers
from worldgym.stats.success_rates import wilson_interval
from worldgym.stats.summarize import summarize


def trials(group: str, successes: int, count: int, first: int = 0) -> list[TrialRecord]:
    return [record("p", f"{group}/{first + i}", float(i < successes)) for i in range(count)]


tasks = st.lists(
    st.integers(1, 30).flatmap(
        lambda n: st.tuples(st.integers(0, n), st.just(n), st.integers(1, 4))
    ),
    min_size=1,
    max_size=5,
)


@given(tasks)
def test_a_world_that_is_right_about_each_task_is_right_about_all(
    found: list[tuple[int, int, int]],
) -> None:
    """True successes of true trials, and how many times as many trials were generated."""
    log = [r for i, (s, n, k) in enumerate(found) for r in trials(f"t{i}", k * s, k * n)]
    numbers = success_numbers(
        log, known={("p", f"t{i}"): (float(s), n) for i, (s, n, _) in enumerate(found)}
    )
    assert numbers["truth_rate"] == pytest.approx(numbers["rate"])
    assert 0 <= numbers["truth_low"] <= numbers["truth_rate"] <= numbers["truth_high"] <= 1
    assert numbers["truth_low"] < numbers["truth_high"]
    s, n = sum(s for s, _, _ in found), sum(n for _, n, _ in found)
    assert (numbers["truth_successes"], numbers["truth_trials"]) == (s, n)
    if len({k for _, _, k in found}) == 1:  # the pooled rate, as it stands
        ends = wilson_interval(s, n)
        assert (numbers["truth_low"], numbers["truth_high"]) == ends


def test_truths_of_single_trials_weigh_as_the_scored_trials_do() -> None:
    log = [record("p", f"easy/{i}", 1.0, truth=True) for i in range(10)]
    log += [record("p", f"hard/{i}", 0.0 if i else None, truth=False) for i in range(2)]
    numbers = success_numbers(log)
    assert numbers["rate"] == numbers["truth_rate"] == pytest.approx(10 / 11)
    assert (numbers["truth_successes"], numbers["truth_trials"]) == (10, 12)


def test_a_task_without_truth_leaves_none_over_all_tasks() -> None:
    log = [*trials("easy", 9, 10), *trials("hard", 1, 10)]
    known = {("p", "easy"): (81.0, 90)}
    numbers = success_numbers(log, known=known)
    assert numbers["truth_rate"] is None and numbers["rate"] == 0.5
    assert (numbers["truth_low"], numbers["truth_high"], numbers["truth_trials"]) == (0.0, 1.0, 90)
    unscored = [record("p", f"hard/{i}") for i in range(3)]
    assert success_numbers([*trials("easy", 9, 10), *unscored], known=known)["truth_rate"] == 0.9


def test_counts_are_told_where_the_rate_is_their_share() -> None:
    """Trials half and half, true ones nine to one."""
    truths = tuple(
        {"policy": "p", "group": group, "trials": n, "successes": s}
        for group, n, s in (("easy", 90, 81), ("hard", 10, 1))
    )
    log = [*trials("easy", 9, 10), *trials("hard", 1, 10)]
    made = summarize(header(["p"]), log)
    assert made.policies[0].truth_rate is None and not made.policies[0].truth_pooled
    made = summarize(replace(header(["p"]), truths=truths), log)
    (policy,) = made.policies
    assert policy.truth_rate == pytest.approx(0.5) and not policy.truth_pooled
    assert "truth 50 % (tasks weighted as here; " in cell_text(policy).replace(NBSP, " ")
    assert "truth 90 % (81 of 90; " in cell_text(made.cells[0]).replace(NBSP, " ")


@pytest.mark.parametrize(
    ("trials_each", "rates"),
    [
        ((90, 10), (0.9, 0.1)),
        ((90, 10), (1.0, 0.5)),
        ((90, 10), (0.98, 0.7)),
        ((50, 5), (0.5, 0.9)),
    ],
)
def test_the_interval_of_weighted_tasks_holds_the_truth(
    trials_each: tuple[int, int], rates: tuple[float, float]
) -> None:
    """Equal weights, unequal numbers of true trials."""
    rng = np.random.default_rng(0)
    log = [*trials("a", 5, 10), *trials("b", 5, 10)]
    inside = 0
    for _ in range(400):
        counts = rng.binomial(trials_each, rates)
        known = {("p", g): (float(s), n) for g, s, n in zip("ab", counts, trials_each, strict=True)}
        numbers = success_numbers(log, known=known)
        inside += numbers["truth_low"] <= sum(rates) / 2 <= numbers["truth_high"]
    assert inside / 400 > 0.91  # a standard error of 1.1 points
