"""Tokens stand for states; the one that was unused for longest goes first."""

from __future__ import annotations

import pytest

from worldgym.wire.kept_states import KeptStates


def test_the_state_that_was_unused_for_longest_is_dropped() -> None:
    kept = KeptStates[str](2)
    first, second = kept.keep("a"), kept.keep("b")
    assert kept[first] == "a"
    third = kept.keep("c")
    assert second not in kept and kept[first] == "a" and kept[third] == "c" and len(kept) == 2
    kept.drop(first)
    kept.drop(first)
    assert first not in kept and len(kept) == 1
    with pytest.raises(KeyError):
        kept[second]


def test_tokens_of_two_servers_differ() -> None:
    assert KeptStates[int](1).keep(0) not in KeptStates[int](1)


def test_a_state_that_is_followed_goes_before_those_that_are_not() -> None:
    kept = KeptStates[str](3)
    tokens = [kept.keep(name) for name in "abc"]
    kept.spent(tokens[2])
    assert kept[tokens[2]] == "c"  # the same question again
    kept.spent(tokens[2])
    kept.spent("unknown")
    kept.keep("d")
    assert tokens[2] not in kept and tokens[0] in kept and tokens[1] in kept
