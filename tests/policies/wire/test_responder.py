"""What is not served."""

from __future__ import annotations

from dataclasses import replace

import pytest

from worldgym.errors import InputError
from worldgym.policies.protocol import Needs
from worldgym.policies.wire.family import FAMILIES, OWN
from worldgym.policies.wire.responder import Responder
from worldgym.testing import FakePolicy


def test_a_policy_that_needs_more_than_the_wire_carries() -> None:
    policy = replace(FakePolicy(), needs=Needs(history=15, state=("x",), from_zero=True))
    with pytest.raises(InputError, match="fake-policy needs history, state besides the newest frame"):
        Responder(policy, FAMILIES["openpi"][OWN])
