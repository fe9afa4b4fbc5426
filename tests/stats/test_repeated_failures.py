"""The same failure ten times in a row ends a run; anything else does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldgym.errors import SameFailure
from worldgym.stats.repeated_failures import LIMIT, RepeatedFailures


def test_ten_equal_failures_stop_with_their_reason() -> None:
    repeated = RepeatedFailures()
    for number in range(LIMIT - 1):
        repeated.note(f"HTTP 400: at most 1 image (request req_{number}f3)")
    with pytest.raises(
        SameFailure, match=r"10 times in a row: HTTP 400: at most 1 image \(request req_9f3\)"
    ) as stopped:
        repeated.note("HTTP 400: at most 1 image (request req_9f3)")
    assert stopped.value.exit_code == 3


@given(st.lists(st.sampled_from(["dead", "refused", None]), max_size=60))
def test_only_ten_in_a_row_stop(reasons: list[str | None]) -> None:
    repeated, longest = RepeatedFailures(), 0
    stopped_at = None
    for place, reason in enumerate(reasons):
        same = [r == reason for r in reasons[: place + 1][::-1]]
        longest = 0 if reason is None else (same + [False]).index(False)
        try:
            repeated.note(reason)
        except SameFailure:
            stopped_at = place
            break
        assert longest < LIMIT
    assert stopped_at is None or longest == LIMIT
