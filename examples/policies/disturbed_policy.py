"""A policy whose actions come late, too large and with noise: does a world show what it does, or
what it should have done? (docs/trust.md)"""

import numpy as np

from worldgym.policies.adapters.disturbed_policy import Disturbance, DisturbedPolicy
from worldgym.policies.policy_protocol import Observation
from worldgym.testing import FakePolicy
from worldgym.types import Task, Trial

frame = np.zeros((96, 96, 3), np.uint8)
trial = Trial(Task("a/0", "a", frame, "open the drawer", steps=4), repeat=0, run_seed=0)
policy = FakePolicy(level=0.7, spread=0.0)  # yours stands here
arms = {
    "as it is": policy,
    "gain 1.5": DisturbedPolicy(policy, Disturbance(gain=1.5)),
    "noise 0.2": DisturbedPolicy(policy, Disturbance(noise=0.2)),
    "2 steps late": DisturbedPolicy(policy, Disturbance(delay=2)),
}
for name, one in arms.items():
    states, first = one.reset([trial]), []
    for step in range(4):
        states, actions = one.act(states, [Observation(frame, "open the drawer", step)])
        first.append(f"{actions[0, 0, 0]:.3f}")
    print(f"{name}: first number of 4 actions {', '.join(first)}")
