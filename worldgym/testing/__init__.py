"""Conformance checks for the four protocols, and fakes that pass them: for our tests and for other
people's.

    from worldgym.testing import check_world

    def test_my_world() -> None:
        check_world(MyWorld("weights/"))

A check raises AssertionError with one sentence that names the part and the broken rule.
"""

from worldgym.testing.codec_rules import FakeCodec, check_codec
from worldgym.testing.fake_world import FakeState, FakeWorld
from worldgym.testing.judge_rules import FakeJudge, check_judge
from worldgym.testing.policy_rules import FakePolicy, check_policy, policy_rules
from worldgym.testing.rules import FAKE_SPEC, Shape
from worldgym.testing.world_rules import check_world

__all__ = [
    "FAKE_SPEC",
    "FakeCodec",
    "FakeJudge",
    "FakePolicy",
    "FakeState",
    "FakeWorld",
    "Shape",
    "check_codec",
    "check_judge",
    "check_policy",
    "check_world",
    "policy_rules",
]
