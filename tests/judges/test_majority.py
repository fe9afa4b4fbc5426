from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from worldgym.judges.majority import most_said


@given(st.lists(st.sampled_from(["a", "b", "c", None]), max_size=9))
def test_it_is_said_more_often_than_anything_else_or_nothing_is(said: list[str | None]) -> None:
    found = most_said(said)
    told = {one: said.count(one) for one in said if one is not None}
    if found is None:
        best = max(told.values(), default=0)
        assert list(told.values()).count(best) != 1
    else:
        winner, count = found
        assert told.pop(winner) == count and all(other < count for other in told.values())
