"""A policy under another name, or with part of an answer carried out, else acts as it does."""

from __future__ import annotations

from typing import Any

import numpy as np

from worldgym.policies.adapters.wrapped import changes_of, committed, renamed
from worldgym.policies.policy_protocol import Observation
from worldgym.testing import FakePolicy, check_policy
from worldgym.types import Task, Trial

FRAME = np.zeros((8, 8, 3), np.uint8)
TRIAL = Trial(Task("a/0", "a", FRAME, "push", 30), 0, 0)


def acted(policy: Any) -> Any:
    return policy.act(policy.reset([TRIAL]), [Observation(FRAME, "push", 0)])[1][0]


def test_part_of_an_answer_is_another_policy_and_says_so() -> None:
    policy = renamed(FakePolicy(chunk=15), "pi05")
    part = committed(policy, 12)
    assert (part.name, part.chunk, part.spec) == ("pi05+commit12of15", 12, policy.spec)
    assert np.array_equal(acted(part), acted(policy)[:12])
    assert changes_of(policy) == ()
    assert changes_of(renamed(part, "other")) == ("12 of 15 actions of an answer executed",)
    check_policy(part, (8, 8, 3))
