"""What `worldgym world check` says of worlds: that promise everything, that promise less, and that
break what they promise."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from stand_in_worlds import StandInWorld, stated

from worldgym.report.world_rules_text import print_world_report
from worldgym.testing import FakeWorld
from worldgym.testing.world_conformance import check_and_time_world
from worldgym.world.capabilities import Capabilities, Chunk


def results(world: Any) -> dict[str, tuple[str, str]]:
    report = check_and_time_world(world, calls=1, tolerance=0)
    assert report.step_time is None or report.step_time.median > 0
    return {one.rule: (one.result, one.why) for one in report.results}


def test_a_world_like_ours_promises_nearly_everything(capsys: pytest.CaptureFixture[str]) -> None:
    report = check_and_time_world(FakeWorld(), calls=2)
    told = {one.rule: one.result for one in report.results}
    assert told.pop("it continues from frames and from its state alike") == "not promised"
    assert set(told.values()) == {"passed"} and len(told) == 6
    assert report.later_actions == 0 and report.broken == 0
    print_world_report(json.loads(json.dumps(report.to_json())))
    said = capsys.readouterr().out
    assert (
        "fake-world: main, 24 x 16" in said
        and "a step of 1\N{NO-BREAK SPACE}action: median" in said
    )


def test_one_that_promises_less_is_asked_for_less() -> None:
    told = results(StandInWorld())
    assert told["frames do not depend on later actions"] == (
        "not promised",
        "it looks at all actions of a step",
    )
    assert told["a batch equals its rows one by one"][0] == "passed"
    told = results(stated(seeds="none"))
    assert [rule for rule, (result, _) in told.items() if result == "passed"] == [
        "its declaration is valid",
        "frames have the promised shape",
    ]
    assert check_and_time_world(stated(seeds="none"), calls=1).later_actions is None
    told = results(stated(branching="latest"))
    assert told["there is no hidden state"] == (
        "not promised",
        "its newest state alone is valid",
    )
    assert told["a batch equals its rows one by one"] == (
        "not promised",
        "it takes one row per call",
    )


class Forgetful(FakeWorld):
    """Says that its frames tell its state, and keeps a count of steps that brightens them."""

    def step(self, state: Any, actions: Any) -> Any:
        after, frames = super().step(state, actions)
        return after, np.asarray(frames + 40 * state.step, np.uint8)


@pytest.mark.parametrize(
    ("world", "rule", "words"),
    [
        (
            StandInWorld(Capabilities(chunk=Chunk.exactly(12))),
            "frames do not depend on later actions",
            "grey levels, so it is not causal",
        ),
        (
            Forgetful(capabilities=Capabilities(rewind=True)),
            "it continues from frames and from its state alike",
            "it cannot rewind",
        ),
        (
            stated(returns=("x", "y", "z")),
            "frames have the promised shape",
            "robot_states returned",
        ),
        (
            FakeWorld(capabilities=Capabilities(instruction=True)),
            "frames have the promised shape",
            'has no "begin"',
        ),
    ],
)
def test_what_is_promised_and_broken_is_said(world: Any, rule: str, words: str) -> None:
    result, why = results(world)[rule]
    assert result == "broken" and words in why
