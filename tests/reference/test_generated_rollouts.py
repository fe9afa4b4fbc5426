"""Closed loops: what the simulator says of actions that a policy took in a learned world."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from worldgym.errors import InputError

if importlib.util.find_spec("metaworld") is None:
    pytest.skip("needs the simulator: pip install -e '.[reference]'", allow_module_level=True)

from worldgym.evaluation.rollout import roll_out
from worldgym.io.bundled import BUNDLE
from worldgym.policies.load_policy import load_policy
from worldgym.reference.generated_rollouts import (
    ClosedLoopConfig,
    closed_loop_name,
    generate_rollouts,
)
from worldgym.reference.simulator import Simulator
from worldgym.types import Task, Trial
from worldgym.world.world_checkpoint import load_diffusion_world

pytestmark = pytest.mark.reference
POLICY = BUNDLE / "policies" / "bc-chunk8"


def test_seeds_kept_for_evaluation_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="seed 10000 is kept for evaluation"):
        generate_rollouts(
            ClosedLoopConfig(BUNDLE, (str(POLICY),), tmp_path / "store", (9_999, 10_000))
        )
    assert not (tmp_path / "store").exists()


@pytest.mark.slow
def test_actions_come_from_the_world_and_frames_from_the_simulator(tmp_path: Path) -> None:
    config = ClosedLoopConfig(
        BUNDLE, (str(POLICY),), tmp_path / "store", (3, 4), ("drawer-open",), workers=1
    )
    store = generate_rollouts(config)
    assert [info.name for info in store] == [
        closed_loop_name("drawer-open", seed, "bc-chunk8") for seed in (3, 4)
    ]
    episode, simulator = (
        store[closed_loop_name("drawer-open", 4, "bc-chunk8")],
        Simulator("drawer-open"),
    )
    task = Task(
        "drawer-open/4", "drawer-open", simulator.reset(4).frame, simulator.task.instruction, 40
    )
    generated = roll_out(load_diffusion_world(BUNDLE), load_policy(POLICY), [Trial(task, 0, 0)])[0]
    # rounding differs with the size of a batch
    np.testing.assert_allclose(episode.actions, generated.actions, atol=0.1)
    true = np.stack([task.frame] + [simulator.step(action).frame for action in episode.actions])
    simulator.close()
    assert np.abs(true.astype(float) - episode.frames).mean() < 4.0  # what video costs
    assert np.abs(true.astype(float) - generated.frames).mean() > 0.0
    assert episode.extras["behaviour"] == "dreamt-bc-chunk8" and len(episode.extras["expert"]) == 40
    before = {path.name: path.stat().st_mtime_ns for path in (store.root / "episodes").iterdir()}
    assert {
        path.name: path.stat().st_mtime_ns
        for path in (generate_rollouts(config).root / "episodes").iterdir()
    } == before
