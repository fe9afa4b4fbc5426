"""What actions truly do is what a recording of the very same actions shows."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from replay_policy import ReplayPolicy

from worldgym.errors import InputError
from worldgym.evaluation.process_workers import ProcessExecutor
from worldgym.policies.own.scripted import StillPolicy

if importlib.util.find_spec("metaworld") is None:
    pytest.skip("the extra [reference] is not installed", allow_module_level=True)

from worldgym.reference.record import roll_out_episode
from worldgym.reference.reference_tasks import METAWORLD_SPEC
from worldgym.reference.simulated_truth import policies_in_simulator, simulated_successes, start_of
from worldgym.reference.simulator import Simulator
from worldgym.types import Rollout, Task, Trial


def rollout(name: str, actions: np.ndarray) -> Rollout:
    frame = np.zeros((96, 96, 3), np.uint8)
    trial = Trial(Task(name, "drawer-open", frame, "open the drawer", len(actions)), 0, 0)
    return Rollout(trial, "p", frame[None, None], actions)


def test_names_tell_start_states() -> None:
    actions = np.zeros((2, 4), np.float32)
    for name in ("drawer-open/7", "drawer-open-00007", "drawer-open-00007-bc-large"):
        assert start_of(rollout(name, actions).trial.task) == ("drawer-open", 7)
    for name in ("toast/7", "drawer-open/x", "drawer-open"):
        with pytest.raises(InputError, match="no start state"):
            start_of(rollout(name, actions).trial.task)


@pytest.mark.reference
def test_actions_do_what_they_did() -> None:
    simulator = Simulator("drawer-open")
    recorded = [roll_out_episode(simulator, name, 3) for name in ("expert", "random")]
    simulator.close()
    rollouts = [rollout("drawer-open/3", episode.actions) for episode in recorded]
    found = simulated_successes(rollouts, ProcessExecutor(1))
    assert found == [episode.success for episode in recorded] == [True, False]
    moving = ReplayPolicy(METAWORLD_SPEC, {"drawer-open/3": recorded[0].actions}, chunk=4)
    loops = policies_in_simulator([moving, StillPolicy(METAWORLD_SPEC)], [rollouts[0].trial.task])
    assert loops == {("replay", "drawer-open/3"): True, ("still", "drawer-open/3"): False}
