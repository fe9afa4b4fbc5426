from __future__ import annotations

from itertools import count

import pytest

from worldgym.io.timing import Stopwatch, measured, stage


def test_an_inner_stage_stops_the_clock_of_the_outer_one() -> None:
    ticks = count()
    watch = Stopwatch(lambda: float(next(ticks)))  # a second passes whenever it is asked
    watch.enter("world")
    watch.enter("decode")
    watch.leave()
    watch.enter("decode")
    watch.leave()
    watch.leave()
    assert watch.seconds == {"world": 3.0, "decode": 2.0}


def test_stages_are_booked_where_somebody_measures() -> None:
    with stage("before"):
        pass
    with pytest.raises(ValueError), measured() as seconds, stage("world"), stage("decode"):
        raise ValueError
    with stage("after"):
        pass
    assert set(seconds) == {"world", "decode"} and min(seconds.values()) >= 0
