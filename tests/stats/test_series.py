from __future__ import annotations

import pytest

from worldgym.stats.series import CheckpointSeries, checkpoint_series, training, training_step


@pytest.mark.parametrize(
    ("policy", "named"),
    [
        ("grasp@2000", ("grasp", 2000)),
        ("grasp@20k", ("grasp", 20_000)),
        ("team/grasp@v2@1M", ("team/grasp@v2", 1_000_000)),
        ("grasp", None),
        ("grasp@best", None),
        ("@20", None),
    ],
)
def test_a_name_tells_its_step(policy: str, named: tuple[str, int] | None) -> None:
    assert training_step(policy) == named


def test_checkpoints_of_one_training_are_put_in_order() -> None:
    found = checkpoint_series(["b@10", "a@20k", "other", "a@2000", "b@5", "single@7"])
    assert found == (
        CheckpointSeries("b", (5, 10), ("b@5", "b@10")),
        CheckpointSeries("a", (2000, 20_000), ("a@2000", "a@20k")),
    )


def test_checkpoints_of_one_training_have_its_name() -> None:
    names = [training(name) for name in ("grasp@2000", "grasp@20k", "grasp", "grasp@best")]
    assert names == ["grasp", "grasp", "grasp", "grasp@best"]
