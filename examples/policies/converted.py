"""A policy of the Bridge dataset in a world of the released checkpoints: the same motion in other
units (docs/policies/your-own.md). `wg.load_policy(place, world.spec)` does this by itself."""

import numpy as np

from worldgym.actions.conventions import convention
from worldgym.policies.adapters.converted import spoken_in
from worldgym.policies.policy_protocol import Observation
from worldgym.testing import FakePolicy
from worldgym.types import Task, Trial

frame = np.zeros((96, 96, 3), np.uint8)
trial = Trial(Task("a/0", "a", frame, "open the drawer", steps=10), repeat=0, run_seed=0)
policy = FakePolicy(spec=convention("bridge_v2"))  # yours stands here
told = spoken_in(policy, convention("released_10"))

for one in (policy, told):
    _, actions = one.act(one.reset([trial]), [Observation(frame, "open the drawer", step=0)])
    numbers = zip(one.spec.names, actions[0, 0], strict=True)
    print(f"{one.spec.unit}: {', '.join(f'{name} {value:.3f}' for name, value in numbers)}")
