from __future__ import annotations

import pytest

from worldgym.stats.success_rates import Rate, wilson_rate
from worldgym.trust.action_following import Response
from worldgym.trust.trust_verdict import LIMITS, finding, following_finding, verdict


@pytest.mark.parametrize(
    "successes, trials, colour",
    [
        (0, 10, "green"),
        (1, 20, "green"),
        (1, 10, "amber"),
        (3, 10, "red"),
        (2, 10, "amber"),
        (30, 100, "red"),
        (10, 100, "amber"),
    ],
)
def test_red_must_be_shown_amber_may_be_chance(successes: int, trials: int, colour: str) -> None:
    found = finding("floor", wilson_rate(successes, trials), "rollouts with null actions succeed")
    assert found is not None and found.colour == colour
    assert f"of {trials} rollouts with null actions succeed (95 % interval" in found.sentence


@pytest.mark.parametrize("kind", LIMITS)
def test_a_share_at_its_limit_is_not_above_it(kind: str) -> None:
    """However it was added up: mean probabilities, and shares that were taken from 1."""
    limit = LIMITS[kind].amber
    for share in (limit, limit * (1 + 4e-15), 1 - (1 - limit)):
        found = finding(kind, Rate(20 * share, 20, 0.0, 1.0), "go wrong")
        assert found is not None and found.colour == "green"


def test_nothing_counted_is_no_finding() -> None:
    assert finding("floor", Rate(0, 0, 0.0, 1.0), "x") is None
    assert following_finding([], "gripper") is None


def response(name: str, state: str) -> Response:
    return Response(name, state, 0.9, 1.0, 0.0, 0.9, 0.1)


@pytest.mark.parametrize(
    "states, colour, said",
    [
        ({"x": "follows", "gripper": "follows"}, "green", "follows x, gripper"),
        (
            {"x": "dead", "y": "weak"},
            "red",
            "ignores x and the world follows too little or too much y",
        ),
        ({"x": "weak"}, "amber", "too little or too much x"),
        ({"x": "follows", "gripper": "dead"}, "amber", "ignores gripper"),
        ({"x": "follows", "gripper": "unreadable"}, "green", "follows x"),
    ],
)
def test_dead_numbers_colour_the_whole_world(
    states: dict[str, str], colour: str, said: str
) -> None:
    found = following_finding([response(name, state) for name, state in states.items()], "gripper")
    assert found is not None and found.colour == colour and said in found.sentence


def test_the_worst_finding_speaks() -> None:
    floors = [finding("floor", wilson_rate(k, 20), f"{k} of 20") for k in (0, 3, 12)]
    green, amber, red = (found for found in floors if found is not None)
    whole = following_finding([response("x", "follows")], "gripper")
    assert whole is not None
    assert (
        verdict("a", [green, whole]).colour == "green"
        and verdict("a", [green, whole]).reason == "2 measures within their limits"
    )
    assert verdict("a", [green, amber]).reason == amber.sentence
    assert (verdict("a", [amber, red, green]).colour, verdict("a", [amber, red]).reason) == (
        "red",
        red.sentence,
    )


def test_a_task_of_which_nothing_is_known_is_amber() -> None:
    whole = following_finding([response("x", "follows")], "gripper")
    dead = following_finding([response("x", "dead")], "gripper")
    assert whole is not None and dead is not None
    assert verdict("a", [whole]).colour == verdict("a", []).colour == "amber"
    assert "nothing was measured" in verdict("a", []).reason
    assert (verdict("a", [dead]).colour, verdict("a", [dead]).reason) == ("red", dead.sentence)
