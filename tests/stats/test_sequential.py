from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldgym.stats.betting import wealth
from worldgym.stats.sequential import (
    Looks,
    SequentialResult,
    frame_order,
    in_rounds,
    sequential_tests,
)


def one_task(differences: list[float]) -> Looks:
    return in_rounds({"t": differences}, {"t": len(differences)})


def single(differences: list[float]) -> SequentialResult:
    return sequential_tests([one_task(differences)])[0]


def test_a_clear_difference_is_shown_early_stays_shown_and_has_a_sign() -> None:
    result = single([1.0] * 12 + [-1.0] * 20)
    assert (result.decided, result.sign) == (8, 1)
    assert result.p == result.p_holm <= 0.05 and result.n == 32
    assert single([-1.0] * 12).sign == -1


def test_no_difference_is_no_evidence() -> None:
    result = single([1.0, -1.0] * 30)
    assert (result.decided, result.sign) == (None, 0) and result.evidence < 1
    assert result.low < 0 < result.high


def test_nothing_seen_yet() -> None:
    nothing, seen = sequential_tests([in_rounds({}, {"t": 9}), one_task([1.0] * 9)])
    assert (nothing.evidence, nothing.p, nothing.decided, nothing.low, nothing.high, nothing.n) == (
        1.0,
        1.0,
        None,
        -1.0,
        1.0,
        0,
    )
    # a pair without a frame is no comparison
    assert nothing.p_holm == 1.0 and seen.p_holm == seen.p
    assert sequential_tests([]) == []


def test_the_interval_excludes_zero_as_the_evidence_reaches_its_mark() -> None:
    for n in range(1, 21):
        result = single([1.0] * n)
        assert (result.low > 0) == (result.evidence >= 20) == (result.decided is not None)


def test_more_pairs_take_more_frames() -> None:
    alone, *_ = sequential_tests([one_task([1.0] * 30)])
    first, *others = sequential_tests(
        [one_task([1.0] * 30), *(one_task([1.0, -1.0] * 15) for _ in range(9))]
    )
    assert alone.decided == 8 and first.decided == 12
    assert first.p_holm == pytest.approx(10 * first.p) and all(
        other.decided is None for other in others
    )


def test_every_task_has_had_its_share_at_every_look() -> None:
    arrived = {"a": [1.0, 1.0, 1.0, 1.0], "b": [-1.0, -1.0]}
    looks = in_rounds(arrived, {"a": 4, "b": 2})
    assert looks.differences.tolist() == [1, -1, 1, 1, -1, 1] and looks.ends.tolist() == [
        2,
        3,
        5,
        6,
    ]
    assert len(in_rounds({"a": [1.0] * 4}, {"a": 4, "b": 4}).differences) == 0  # b has not begun


def test_frames_without_a_common_score_take_their_turn_and_say_nothing() -> None:
    looks = in_rounds({"a": [None, 1.0], "b": [0.5, None]}, {"a": 2, "b": 2})
    assert looks.differences.tolist() == [0.5, 1.0] and looks.ends.tolist() == [1, 2]
    assert in_rounds({"a": [None]}, {"a": 1}).ends.tolist() == []


frames = st.lists(st.sampled_from([-1.0, -0.5, 0.0, 1.0]) | st.none(), max_size=12)


@given(st.dictionaries(st.sampled_from("abc"), frames, min_size=1), st.integers(0, 5))
def test_what_is_used_never_changes_as_the_run_grows(
    whole: Mapping[str, list[float | None]], left_out: int
) -> None:
    planned = {group: len(own) + 1 for group, own in whole.items()}
    fewer = {group: own[: max(0, len(own) - left_out)] for group, own in whole.items()}
    before, after = in_rounds(fewer, planned), in_rounds(whole, planned)
    n = len(before.differences)
    assert after.differences[:n].tolist() == before.differences.tolist()
    assert after.ends[: len(before.ends)].tolist() == before.ends.tolist()


def test_the_order_of_frames_is_their_names_alone() -> None:
    names = [f"door/{i}" for i in range(100)]
    assert sorted(names, key=frame_order) == sorted(reversed(names), key=frame_order) != names


def drawn(rng: np.random.Generator, means: Mapping[str, float], frames: Mapping[str, int]) -> Looks:
    """Differences of two policies with rates 0.5 apart by the means, task by task as a run logs
    them."""
    arrived = {
        task: [
            float(a) - float(b)
            for a, b in rng.random((frames[task], 2)) < (0.5 + mean / 2, 0.5 - mean / 2)
        ]
        for task, mean in means.items()
    }
    return in_rounds(arrived, frames)


def wrong(looks: Looks) -> bool:
    return bool(np.any(wealth(looks.differences)[looks.ends - 1] >= 20))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("means", "frames"),
    [
        ({"a": 0.8, "b": -0.8}, {"a": 50, "b": 50}),
        ({"a": 0.8, "b": -0.2}, {"a": 20, "b": 80}),
        ({"a": 0.9, "b": -0.1}, {"a": 5, "b": 45}),
        ({f"t{i}": 0.9 * (-1) ** i for i in range(10)}, {f"t{i}": 30 for i in range(10)}),
        ({"a": 0.0}, {"a": 300}),
    ],
)
def test_tasks_that_cancel_are_decided_in_5_percent_at_most(
    means: Mapping[str, float], frames: Mapping[str, int], measured: Callable[..., None]
) -> None:
    """Task by task, as the log has them, the first was decided in all of 2,000 studies."""
    rng = np.random.default_rng(30)
    measured(np.mean([wrong(drawn(rng, means, frames)) for _ in range(2000)]), most=0.05)


@pytest.mark.slow
def test_any_of_105_pairs_of_identical_policies_is_decided_in_5_percent_at_most(
    measured: Callable[..., None],
) -> None:
    rng, decided = np.random.default_rng(31), 0
    for _ in range(400):
        scores = (rng.random((15, 100)) < rng.beta(1, 1, 100)).astype(float)
        found = [wealth(scores[i] - scores[j]).max() for i, j in combinations(range(15), 2)]
        decided += max(found) >= 105 * 20  # where Holm's first step decides, see the test below
    measured(decided / 400, most=0.05)


def test_holms_first_step_asks_for_twenty_a_pair() -> None:
    pairs = [one_task([1.0] * n) for n in (10, 11, 12)]
    found, evidence = sequential_tests(pairs), [float(wealth(p.differences)[-1]) for p in pairs]
    assert (found[2].decided is not None) == (evidence[2] >= 3 * 20)
    assert found[2].p_holm == pytest.approx(min(1.0, 3 / evidence[2]))


@pytest.mark.slow
def test_a_difference_of_20_points_is_found(measured: Callable[..., None]) -> None:
    rng = np.random.default_rng(32)
    found = [wrong(drawn(rng, {"a": 0.2, "b": 0.2}, {"a": 150, "b": 150})) for _ in range(400)]
    measured(np.mean(found), least=0.9, name="power")
