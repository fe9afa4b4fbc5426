"""The user's own policy: MODULE:FACTORY, a callable that returns an object with the members of the
policy seam. Example: examples/policies/user_policy.py."""

from __future__ import annotations

from typing import Any

from worldgym.io.named_source import NamedSource
from worldgym.io.user_factory import made_as
from worldgym.policies.policy_protocol import Needs, Policy
from worldgym.types import ActionSpec

VALUES = {"name": str, "spec": ActionSpec, "chunk": int, "needs": Needs}
CALLS = ("reset", "act")


def own_policy(source: NamedSource) -> Policy[Any]:
    """What the factory returns, see `made_by`. InputError in one sentence where it is no policy."""
    policy: Policy[Any] = made_as(source, VALUES, CALLS, "worldgym.policies.policy_protocol")
    return policy
