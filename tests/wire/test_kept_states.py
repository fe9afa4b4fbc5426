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
