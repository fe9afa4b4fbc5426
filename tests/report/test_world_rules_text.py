"""The table of `worldgym world check`."""

from __future__ import annotations

import pytest

from worldgym.report.world_rules_text import print_world_report
from worldgym.testing import FakeWorld
from worldgym.world.capabilities import WorldCard


def test_the_words_of_a_broken_world_do_not_steer_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rule = {"rule": "it steps", "result": "broken", "why": "\x1b[31mboom\x07"}
    card = WorldCard.of(FakeWorld()).to_json()
    print_world_report({"world": card, "rules": [rule], "later_actions": None, "step_time": None})
    said = capsys.readouterr().out
    assert "[31mboom" in said and "\x1b" not in said and "\x07" not in said
