from __future__ import annotations

import json
import random
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_logs import SIMPSON, header, record, run

from worldgym.errors import InputError
from worldgym.io.json_form import to_json
from worldgym.io.records import from_mapping
from worldgym.io.run_records import TrialRecord
from worldgym.stats.baseline import BaselineTest, against_baseline
from worldgym.stats.equivalence import Gate
from worldgym.stats.pairs import RankInterval, Standing, compare_every_pair
from worldgym.stats.planned_trials import planned_trials


def compared(
    records: list[TrialRecord], policies: list[str], planned: dict[str, int] | None = None
) -> Standing:
    return compare_every_pair(records, policies, planned_trials(header(policies, planned), records))


def whole(frames: int = 60) -> list[TrialRecord]:
    """Policy "good" succeeds on four of five frames, "poor" on one of five; two groups."""
    groups = ("door", "drawer")
    return [
        record(policy, f"{groups[i % 2]}/{i}", float((i // 2) % 5 < wins))
        for policy, wins in (("poor", 1), ("good", 4))
        for i in range(frames)
    ]


def test_policies_are_compared_on_common_scored_trials() -> None:
    records = [
        *whole(),
        record("good", "door/900", 0.0),
        record("poor", "door/901", None),
        record("good", "door/901", 1.0),
    ]
    found = compared(records, ["poor", "good"])
    (comparison,) = found.comparisons
    assert (comparison.a, comparison.b, comparison.n, comparison.initial_frames) == (
        "good",
        "poor",
        60,
        60,
    )
    assert comparison.value == pytest.approx(0.6)
    assert comparison.p == comparison.p_holm < 0.001 and comparison.low > 0.4
    assert (comparison.low, comparison.high) == (
        comparison.low_all,
        comparison.high_all,
    )
    assert comparison.sequential.decided < 30 and comparison.sequential.winner == "good"
    assert found.ranking is not None
    assert found.ranking.policies == ("poor", "good") and found.ranking.trials == 60
    assert found.ranking.orders[0].policies == ("good", "poor")
    assert found.best_set == ("good",)
    assert found.rank_intervals == (RankInterval("good", 1, 1), RankInterval("poor", 2, 2))


def test_several_pairs_are_corrected_those_without_a_common_trial_do_not_count() -> None:
    records = [*whole(), *(record("third", r.task, r.score) for r in whole() if r.policy == "good")]
    found = compared(records, ["poor", "good", "third", "absent"])
    known = [c for c in found.comparisons if c.n]
    assert (len(found.comparisons), len(known)) == (6, 3)
    assert sorted(c.p_holm for c in known)[0] == pytest.approx(3 * min(c.p for c in known))
    assert [c.p for c in known if {c.a, c.b} == {"good", "third"}] == [1.0]
    assert all(c.low_all < c.low and c.high < c.high_all for c in known)
    assert (
        found.best_set == ("good", "third")
        and [row.policy for row in found.rank_intervals][-1] == "poor"
    )
    assert [(row.low, row.high) for row in found.rank_intervals] == [
        (1, 2),
        (1, 2),
        (3, 3),
    ]


def test_the_ranking_does_not_contradict_the_comparison_where_mixtures_differ() -> None:
    found = compared(run(SIMPSON), ["A", "B"])
    assert (found.comparisons[0].a, found.best_set) == ("A", ("A",))
    assert found.ranking is not None
    assert found.ranking.best[0] > 0.95 and found.ranking.orders[0].policies == ("A", "B")


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_who_is_shown_to_be_better_is_ranked_above(seed: int) -> None:
    """Two policies with any trials missing: the ranking follows the comparison on common trials."""
    rng = np.random.default_rng(seed)
    rates = {"easy": 0.9, "hard": 0.2}
    records = [
        record(policy, f"{group}/{i}", float(rng.random() < rate + bonus))
        for policy, bonus, kept in (
            ("a", 0.1, {"easy": 0.3, "hard": 0.9}),
            ("b", 0.0, {"easy": 0.9, "hard": 0.3}),
        )
        for group, rate in rates.items()
        for i in range(30)
        if rng.random() < kept[group]
    ]
    found = compared(records, ["a", "b"])
    (comparison,) = found.comparisons
    if found.ranking is None or len(found.ranking.policies) < 2 or comparison.value in (None, 0):
        return
    best = dict(zip(found.ranking.policies, found.ranking.best, strict=True))
    assert best[comparison.a] > 0.45
    if comparison.p <= 0.05:
        assert best[comparison.a] > 0.6


def test_a_policy_that_did_the_easy_task_only_is_not_called_best() -> None:
    scores = {
        "slow": {"easy": [1.0] * 20, "hard": [0.0] * 20},
        "other": {"easy": [1.0] * 20, "hard": [0.0] * 20},
    }
    found = compared(
        [*run(scores), *run({"begun": {"easy": [1.0] * 20}})], ["slow", "other", "begun"]
    )
    assert found.ranking is not None
    assert found.unranked == ("begun",) and found.ranking.policies == ("slow", "other")
    apart = compared(run({"a": {"easy": [1.0] * 9}, "b": {"hard": [0.0] * 9}}), ["a", "b"])
    assert apart.ranking is None and apart.unranked == ("a", "b") and apart.best_set == ("a", "b")


def test_a_comparison_is_plain_json_even_of_nothing() -> None:
    for records, names in (
        (whole(), ["poor", "good"]),
        ([], []),
        ([], ["poor"]),
        ([record("poor", "a", None)], ["poor", "good"]),
    ):
        found = compared(records, names)
        values = to_json(found)
        assert json.loads(json.dumps(values, allow_nan=False)) == values
        assert from_mapping(Standing, values) == found
    nothing = compared([], ["a", "b"])
    assert (
        nothing.ranking is None and nothing.comparisons[0].value is None and nothing.best_set == ()
    )


def test_the_order_of_the_log_does_not_matter() -> None:
    records = whole()
    shuffled = random.Random(0).sample(records, len(records))
    assert compared(shuffled, ["poor", "good"]) == compared(records, ["poor", "good"])


def test_the_sequential_test_waits_for_tasks_that_have_not_begun() -> None:
    begun = run({policy: {"easy": [score] * 30} for policy, score in (("a", 1.0), ("b", 0.0))})
    names = ["a", "b"]
    assert compared(begun, names, {"easy": 30}).comparisons[0].sequential.winner == "a"
    waiting = compared(begun, names, {"easy": 30, "hard": 30}).comparisons[0].sequential
    assert (waiting.n, waiting.winner) == (0, None)


def test_frames_come_in_the_order_of_their_times_and_only_when_all_repeats_are_done() -> None:
    records = [
        record(
            policy,
            f"t/{i}",
            score,
            repeat=repeat,
            time=f"2026-01-01T00:00:{(40 - i if late else i):02d}+00:00",
        )
        for policy, score, late in (("a", 1.0, False), ("b", 0.0, True))
        for i in range(40)
        for repeat in range(2)
        if not (policy == "b" and repeat == 1 and i < 20)
    ]
    found = compared(records, ["a", "b"]).comparisons[0].sequential
    assert (found.n, found.decided, found.winner) == (20, 8, "a")


def gate(
    records: list[TrialRecord],
    policies: list[str],
    margin: float,
    two_sided: bool = False,
    **planned: int,
) -> BaselineTest:
    plan = planned_trials(header(policies, planned or None), records)
    return against_baseline(records, policies, plan, policies[0], Gate(margin, two_sided))


def test_a_gate_passes_fails_or_cannot_tell() -> None:
    rng = np.random.default_rng(0)
    base = (rng.random(300) < 0.7).astype(float)
    worse, better = base * (rng.random(300) < 0.7), np.maximum(base, rng.random(300) < 0.4)
    named = {"base": base, "same": base, "worse": worse, "better": better}
    records = run({name: {"t": scores.tolist()} for name, scores in named.items()})
    found = gate(records, list(named), 0.05)
    assert [(row.policy, row.answer) for row in found.answers] == [
        ("same", "passes"),
        ("worse", "fails"),
        ("better", "passes"),
    ]
    assert not found.passes and gate(records, ["base", "same"], 0.05).passes
    assert gate(records, ["base", "better"], 0.05, two_sided=True).answers[0].answer == "fails"
    few = [r for r in records if int(r.task.split("/")[1]) < 15]
    assert gate(few, ["base", "same"], 0.05).answers[0].answer == "undecided"
    assert gate(few, ["base", "absent"], 0.05).answers[0].value is None
    values = to_json(found)
    assert json.loads(json.dumps(values, allow_nan=False)) == values


def test_a_gate_does_not_pass_an_unfinished_run() -> None:
    records = run({name: {"easy": [1.0] * 200} for name in ("base", "new")})
    assert gate(records, ["base", "new"], 0.05, easy=200).passes
    (row,) = gate(records, ["base", "new"], 0.05, easy=200, hard=10).answers
    assert (row.answer, row.missing) == ("undecided", 20)


def test_a_gate_needs_a_baseline_another_policy_and_a_margin() -> None:
    records, plan = whole(), planned_trials(header(["good", "poor"]), whole())
    with pytest.raises(InputError, match=r'no policy "best".*good, poor'):
        against_baseline(records, ["good", "poor"], plan, "best", Gate(0.05))
    with pytest.raises(InputError, match="only good, so there is nothing to compare"):
        against_baseline(records, ["good"], plan, "good", Gate(0.05))
    for margin in (0.0, 1.0, -0.1, float("nan")):
        with pytest.raises(InputError, match="--margin"):
            Gate(margin)


@pytest.mark.parametrize("order", list(permutations(["a", "b", "c"])))
def test_what_is_said_does_not_depend_on_the_order_of_the_policies(order: tuple[str, ...]) -> None:
    rng = np.random.default_rng(3)
    records = run(
        {
            name: {"t": (rng.random(40) < rate).astype(float).tolist()}
            for name, rate in (("a", 0.2), ("b", 0.5), ("c", 0.9))
        }
    )
    found, expected = compared(records, list(order)), compared(records, ["a", "b", "c"])
    assert (
        found.rank_intervals == expected.rank_intervals
        and found.comparisons == expected.comparisons
    )
