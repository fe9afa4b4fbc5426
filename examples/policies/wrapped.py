"""Two checkpoints that are called alike, told apart; and half of each answer carried out before the
policy looks again (docs/policies/your-own.md)."""

from worldgym.policies.adapters.wrapped import changes_of, committed, renamed
from worldgym.testing import FakePolicy

early, late = FakePolicy(level=0.4, chunk=8), FakePolicy(level=0.6, chunk=8)  # yours stand here
policies = [renamed(early, "step-1000"), renamed(late, "step-9000")]
policies.append(committed(policies[1], rows=4))

for policy in policies:
    changes = ", ".join(changes_of(policy)) or "unchanged"
    print(f"{policy.name}: {policy.chunk} actions an answer, {changes}")
