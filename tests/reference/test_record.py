"""The simulator is deterministic by seed, recordings resume, and what is recorded is what
happened."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from worldgym.actions.embodiment import Scaling
from worldgym.errors import InputError
from worldgym.world.conditioning import commanded_positions

if importlib.util.find_spec("metaworld") is None:
    pytest.skip("needs the simulator: pip install -e '.[reference]'", allow_module_level=True)

from worldgym.reference.record import RecordConfig, record, roll_out_episode
from worldgym.reference.reference_tasks import REACH, TASKS
from worldgym.reference.simulator import Simulator

pytestmark = pytest.mark.reference
MOVES = [(1, 1, 1, 1), (-1, -1, -1, 1), (0.3, -0.5, 0.2, -1)]


def test_same_seed_same_episode_in_another_simulator() -> None:
    episodes = []
    for _ in range(2):
        simulator = Simulator("drawer-open")
        roll_out_episode(simulator, "random", 3, steps=4)  # what ran before leaves no trace
        episodes.append(roll_out_episode(simulator, "noisy-0.6", 7, steps=12))
        simulator.close()
    first, second = episodes
    np.testing.assert_array_equal(first.frames, second.frames)
    np.testing.assert_array_equal(first.actions, second.actions)
    assert first.extras == second.extras


def test_experts_succeed_and_wanderers_do_not() -> None:
    simulator = Simulator("drawer-close")
    assert roll_out_episode(simulator, "expert", 10_000).success
    episode = roll_out_episode(simulator, "quit", 10_001, steps=5)
    simulator.close()
    assert not episode.success
    assert len(episode.extras["success_at"]) == 6 and len(episode.extras["expert"]) == 5


@pytest.mark.slow
@pytest.mark.parametrize("task", list(TASKS)[6:])
def test_experts_master_the_later_tasks_and_distance_tells(task: str) -> None:
    simulator = Simulator(task)
    good, bad = (
        roll_out_episode(simulator, "expert", 10_000),
        roll_out_episode(simulator, "quit", 10_000, steps=6),
    )
    simulator.close()
    assert good.success and not bad.success
    distance = good.extras["distance"]
    assert (
        min(distance) < 0.5 * distance[0]
        and abs(bad.extras["distance"][-1] - distance[0]) < 0.3 * distance[0]
    )


def test_the_object_moves_with_the_seed_and_is_seen() -> None:
    simulator = Simulator("button-press")
    first, second = (simulator.reset(seed).frame.astype(int) for seed in (1, 2))
    simulator.close()
    assert first.shape == (96, 96, 3)
    assert (np.abs(first - second).max(-1) > 40).sum() > 100


@pytest.mark.slow
def test_recordings_resume_to_the_same_bytes(tmp_path: Path) -> None:
    config = RecordConfig(
        tmp_path / "store", episodes=2, tasks=("drawer-open", "window-close"), steps=6, workers=1
    )
    store = record(config)
    assert len(store) == 4
    before = {path.name: path.read_bytes() for path in (store.root / "episodes").iterdir()}
    (store.root / "episodes" / "drawer-open-00001.json").unlink()
    record(config)
    assert {path.name: path.read_bytes() for path in (store.root / "episodes").iterdir()} == before


def test_unknown_task(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="drawer-open"):
        record(RecordConfig(tmp_path, tasks=("drawer-opn",)))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("task", TASKS)
def test_the_controllers_target_stays_in_one_of_the_boxes(task: str) -> None:
    """Of the reach that recordings carry: driven against any border, and back."""
    simulator = Simulator(task)
    simulator.reset(3)
    data, moves = (
        simulator._env.data,
        [np.array(move, np.float32) for move in MOVES for _ in range(14)],
    )
    begun, targets = data.mocap_pos[0].copy(), []
    for move in moves:
        simulator.step(move)
        targets.append((data.mocap_pos[0] - begun) / 0.04)
    told = commanded_positions(np.stack(moves), Scaling(reach=REACH).bounds(4))[..., :3]
    assert (
        min(np.abs(told[:, box] - np.array(targets)).max() for box in range(told.shape[1])) < 0.02
    )
