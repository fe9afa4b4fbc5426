"""The varied simulator: what is seen changes where it should, what is felt stays as it was."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

# importing it here would choose the renderer before the simulator does
if importlib.util.find_spec("metaworld") is None:
    pytest.skip("needs the simulator: pip install 'worldgym[reference]'", allow_module_level=True)

from worldgym.errors import InputError
from worldgym.reference.simulator import Simulator
from worldgym.reference.simulator_truth import TruthConfig, truth, write_tasks
from worldgym.reference.variations import VARIATIONS, Variation, variation
from worldgym.tasks.task_folder import load_tasks, load_truth
from worldgym.types import Frames

pytestmark = pytest.mark.reference
SEED, MOVE = 20000, np.array([0.5, -0.5, -0.3, 1.0], np.float32)


def seen(change: Variation, task: str = "drawer-open") -> tuple[Frames, list[float]]:
    simulator = Simulator(task, change=change)
    first = simulator.reset(SEED)
    last = [simulator.step(MOVE) for _ in range(2)][-1]
    simulator.close()
    return first.frame, [*last.state, last.distance]


@pytest.fixture(scope="module")
def plain() -> tuple[Frames, list[float]]:
    return seen(variation(""))


@pytest.mark.parametrize("name", ["recoloured", "ball", "card", "dim", "camera", "noise", "blur"])
def test_only_what_is_seen_changes(plain: tuple[Frames, list[float]], name: str) -> None:
    frame, state = seen(VARIATIONS[name])
    changed = (frame != plain[0]).any(-1)
    assert state == plain[1]
    assert changed.mean() > (0.01 if name in ("recoloured", "ball", "card") else 0.5)
    if name in ("ball", "card"):
        # they stand on the near side of the table
        assert changed[:48].mean() < 0.01 and changed.mean() < 0.1
    if name == "dim":
        # not half: the lights of the scene as it is add up to more than white
        assert 0.5 < frame.mean() / plain[0].mean() < 0.7


@pytest.mark.parametrize(
    "task", ["button-press", "door-open", "drawer-close", "window-open", "window-close"]
)
def test_every_task_has_an_object_that_takes_another_colour(task: str) -> None:
    blues = []
    for name in ("", "recoloured"):
        frame = seen(variation(name), task)[0].astype(int)
        blues.append(((frame[..., 2] > 110) & (frame[..., 2] > frame[..., 0] + 60)).mean())
    assert blues[1] > blues[0] + 0.02


def test_noise_repeats_with_the_seed() -> None:
    first, second = (seen(VARIATIONS["noise"])[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_an_unknown_variation_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match='no variation "upside-down": one of recoloured'):
        truth(
            TruthConfig(
                tmp_path, ("still",), (SEED,), ("drawer-open",), variations=("upside-down",)
            )
        )


def test_truth_and_initial_frames_know_their_twins(tmp_path: Path) -> None:
    config = TruthConfig(
        tmp_path, ("still",), (SEED,), ("drawer-open",), steps=2, workers=1, variations=("dim",)
    )
    assert [(s.task, s.group) for s in truth(config)] == [
        ("dim/drawer-open/20000", "dim/drawer-open"),
        ("drawer-open/20000", "drawer-open"),
    ]
    assert load_truth(tmp_path / "truth.csv")["still", "dim/drawer-open/20000"] is False
    write_tasks(tmp_path / "tasks", [SEED], ["drawer-open"], ["dim"])
    dim, nominal = load_tasks(tmp_path / "tasks")
    assert (dim.nominal, dim.axis, dim.group) == (nominal.name, "lighting", "dim/drawer-open")
    assert dim.frame.mean() < 0.7 * nominal.frame.mean()
