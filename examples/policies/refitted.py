"""A policy of 15 Hz in a world of 5 Hz, and moves told as the poses that they lead to
(docs/policies/your-own.md). `wg.load_policy(place, world.spec)` does both by itself."""

from dataclasses import replace

from worldgym.actions.conventions import convention
from worldgym.policies.adapters.refitted import ResampledPolicy, TargetingPolicy
from worldgym.policies.adapters.wrapped import changes_of
from worldgym.testing import FakePolicy

moves = convention("bridge_v2")
policy = FakePolicy(spec=replace(moves, rate_hz=15.0), chunk=6)  # yours stands here

slower = ResampledPolicy(policy, moves)  # 3 of its moves make one
poses = replace(convention("droid_cartesian"), rate_hz=moves.rate_hz)
targets = TargetingPolicy(slower, poses)  # needs tasks that say how the robot stands

for one in (policy, slower, targets):
    print(f"{one.spec.mode}, {one.spec.rate_hz:g} Hz, {one.chunk} actions an answer")
print("\n".join(changes_of(targets)))
