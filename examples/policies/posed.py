"""A policy of joints in a world of poses, by a model of the robot: python posed.py FILE.urdf LINK
(docs/policies/your-own.md). On the command line: --robot FILE.urdf:LINK."""

import sys
from pathlib import Path

import numpy as np

from worldgym.actions.kinematics import Arm
from worldgym.policies.adapters.posed import PosedPolicy
from worldgym.policies.policy_protocol import Observation
from worldgym.testing import FakePolicy
from worldgym.types import ActionSpec, Task, Trial

arm = Arm(Path(sys.argv[1]), sys.argv[2])
low, high = (-3.0,) * len(arm.joints), (3.0,) * len(arm.joints)
spec = ActionSpec(arm.joints, "joint_position", "1 rad", "none", "none", low, high, rate_hz=10.0)
told = PosedPolicy(FakePolicy(spec=spec), arm)  # yours stands here

frame = np.zeros((96, 96, 3), np.uint8)
trial = Trial(Task("a/0", "a", frame, "push", steps=10), repeat=0, run_seed=0)
_, actions = told.act(told.reset([trial]), [Observation(frame, "push", step=0)])
x, y, z = actions[0, 0, :3]
print(f"{', '.join(arm.joints)} lead {sys.argv[2]} to {x:.3f}, {y:.3f}, {z:.3f} m")
