"""Two rollouts of one trial, asked about in both orders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from worldgym.errors import InputError
from worldgym.judges.pairwise import PairwiseJudge, tally
from worldgym.judges.vlm import VlmConfig
from worldgym.types import Rollout

MakeRollout = Callable[..., Rollout]


def pair(make_rollout: MakeRollout) -> tuple[Rollout, Rollout]:
    first, second = make_rollout(1), make_rollout(2)
    return first, replace(second, trial=first.trial)


def first_picture(request: dict[str, Any]) -> str:
    return next(str(p["image_url"]["url"]) for p in request["messages"][0]["content"] if p["type"] == "image_url")


@pytest.mark.parametrize(
    ("likes", "winner", "agreed"),
    [
        ("first", "first", True),
        ("second", "second", True),
        ("A", "tie", False),
        ("same", "tie", True),
        ("cannot tell", None, False),
    ],
)
def test_both_orders(
    config: VlmConfig, model_server: Any, make_rollout: MakeRollout, likes: str, winner: str | None, agreed: bool
) -> None:
    first, second = pair(make_rollout)
    seen: list[str] = []

    def script(request: dict[str, Any], number: int) -> Any:
        seen.append(first_picture(request))
        said = likes
        if likes in ("first", "second"):
            said = "A" if (first_picture(request) == seen[0]) == (likes == "first") else "B"
        return model_server.said(text=f'{{"reasoning": "r", "closer": "{said}"}}')

    model_server.script = script
    judge = PairwiseJudge(config, wait=lambda seconds: None)
    preference = judge.compare(first, second, first.trial.task)
    assert (preference.winner, preference.agreed) == (winner, agreed)
    assert len(preference.votes) == 6 and preference.cost_usd == preference.paid_usd == pytest.approx(0.012)
    assert len(set(seen)) == 2
    counts = tally([preference] * 3)
    assert counts[winner or "undecided"] == 3 and counts["disagreed"] == (3 if likes == "A" else 0)


def test_two_tasks_are_no_pair(config: VlmConfig, model_server: Any, make_rollout: MakeRollout) -> None:
    first, second = make_rollout(1), make_rollout(2)
    with pytest.raises(InputError, match="two tasks"):
        PairwiseJudge(config).compare(first, second, first.trial.task)
