from __future__ import annotations

import pytest

from worldgym.errors import InputError
from worldgym.policies.load import given_name, load_policy
from worldgym.testing import FAKE_SPEC, check_policy


@pytest.mark.parametrize(
    ("source", "name", "rest"),
    [
        ("grasp@20k=runs/20000", "grasp@20k", "runs/20000"),
        ("a=b=c", "a", "b=c"),
        ("runs/a=b", "", "runs/a=b"),
        ("ws://host:1/?key=value", "", "ws://host:1/?key=value"),
        ("still", "", "still"),
        ("=still", "", "=still"),
    ],
)
def test_a_name_may_be_given(source: str, name: str, rest: str) -> None:
    assert given_name(source) == (name, rest)


def test_a_policy_may_be_called_otherwise_and_acts_the_same() -> None:
    policy = load_policy("calm@10=random", FAKE_SPEC)
    assert policy.name == "calm@10" and policy.chunk == load_policy("random", FAKE_SPEC).chunk
    check_policy(policy, (16, 16, 3))


def test_an_unknown_policy_is_named_as_it_was_asked_for() -> None:
    with pytest.raises(InputError, match='no policy "nowhere"'):
        load_policy("x=nowhere", FAKE_SPEC)
