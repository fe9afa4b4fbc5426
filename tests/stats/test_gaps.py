from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from worldgym.stats.cells import CellPair, SharedFrames
from worldgym.stats.comparison import newcombe_interval
from worldgym.stats.gaps import biases, noise_interval


def grid(
    policies: int, tasks: int, optimism: float = 0.1, trials: int | None = 20
) -> list[CellPair]:
    return [
        CellPair(f"p{i}", f"t{j}", 0.3 + j / 50 + optimism * (i + 1), 0.3, trials, trials)
        for i in range(policies)
        for j in range(tasks)
    ]


def test_bias_is_signed_and_told_by_policy_and_by_task() -> None:
    pairs = grid(2, 3)
    rows = [(bias.name, bias.value, bias.n) for bias in biases(pairs, "policies")]
    assert rows == [("p0", pytest.approx(12), 3), ("p1", pytest.approx(22), 3)]
    assert [bias.value for bias in biases(pairs, "tasks")] == pytest.approx([15, 17, 19])
    assert biases([], "policies") == biases([], "tasks") == []


def test_intervals_over_tasks_need_five_that_differ() -> None:
    few, many, alike = (
        biases(some, "policies")[0] for some in (grid(1, 4), grid(1, 5), grid(1, 1) * 6)
    )
    assert few.tasks is None and few.policies is None
    assert many.tasks is not None and many.tasks[0] < many.value < many.tasks[1]
    assert alike.tasks is None


def test_a_cell_alone_has_newcombes_interval_and_more_cells_a_narrower_one() -> None:
    pair = CellPair("p", "t", 0.7, 0.4, 20, 30)
    alone = noise_interval([pair])
    assert alone == pytest.approx([100 * end for end in newcombe_interval((0.7, 0.4), (20, 30))])
    four = noise_interval([pair] * 4)
    assert alone is not None and four is not None
    assert np.diff(four)[0] == pytest.approx(np.diff(alone)[0] / 2, rel=0.12)


def test_single_trials_from_the_same_frames_have_their_own_interval() -> None:
    paired = SharedFrames(0.01, 0.01, 0.009, 20, 20, (-0.1, 0.15))
    assert noise_interval([CellPair("p", "t", 0.5, 0.5, 20, 20, paired)]) == pytest.approx(
        [-10, 15]
    )


def test_without_trials_on_both_sides_there_is_no_interval() -> None:
    assert noise_interval([]) is None
    assert noise_interval([*grid(1, 1), CellPair("p", "t", 0.5, 0.5, None, 10)]) is None


def test_families_of_checkpoints_are_one_unit_over_policies() -> None:
    """Five checkpoints of one training say nothing of further trainings."""
    rng = np.random.default_rng(0)
    names = {"one": [f"grasp@{i}k" for i in range(6)], "six": [f"grasp{i}@1k" for i in range(6)]}
    spans = {}
    for kind, policies in names.items():
        pairs = [CellPair(p, "t", float(rng.random()), 0.5, 10, 10) for p in policies]
        spans[kind] = biases(pairs, "tasks")[0].policies
    assert spans["one"] is None and spans["six"] is not None


@pytest.mark.slow
@pytest.mark.parametrize(("n", "low", "high"), [(20, 0.1, 0.9), (10, 0.45, 0.55), (10, 0.0, 1.0)])
def test_the_interval_of_trials_holds_the_bias(
    measured: Callable[..., None], n: int, low: float, high: float
) -> None:
    """Ten cells of fixed rates, a few trials on both sides, from frames of their own. Counts are
    whole, so coverage swings by a point where all cells have nearly one rate."""
    rng, truth = np.random.default_rng(1), np.linspace(low, high, 10)
    world = np.clip(truth + 0.05, 0, 1)
    inside, bias = 0, 100 * float(np.mean(world - truth))
    for _ in range(2000):
        counts = (rng.binomial(n, rates) / n for rates in (world, truth))
        pairs = [
            CellPair("p", str(i), w, t, n, n) for i, (w, t) in enumerate(zip(*counts, strict=True))
        ]
        span = noise_interval(pairs)
        assert span is not None
        inside += span[0] <= bias <= span[1]
    measured(inside / 2000, 0.93, 0.98)
