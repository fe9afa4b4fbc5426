"""Two rollouts of one trial, asked about in both orders."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from worldgym.errors import BudgetSpent, InputError, WorldGymError
from worldgym.evaluation.plan import EvaluateConfig
from worldgym.evaluation.preferences import PreferenceConfig, compare_policies
from worldgym.evaluation.provenance import Origin
from worldgym.evaluation.run import evaluate_parts
from worldgym.io.json_form import to_json
from worldgym.judges.pairwise import PairwiseJudge, count_preferences
from worldgym.judges.vlm import VlmConfig
from worldgym.stats.preference_counts import PairPreferences, PreferenceCounts
from worldgym.tasks.task_folder import load_tasks
from worldgym.testing import FakeJudge, FakePolicy, FakeWorld
from worldgym.types import Rollout

MakeRollout = Callable[..., Rollout]


def pair(make_rollout: MakeRollout) -> tuple[Rollout, Rollout]:
    first, second = make_rollout(1), make_rollout(2)
    return first, replace(second, trial=first.trial)


def first_picture(request: dict[str, Any]) -> str:
    return next(
        str(p["image_url"]["url"])
        for p in request["messages"][0]["content"]
        if p["type"] == "image_url"
    )


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
    config: VlmConfig,
    model_server: Any,
    make_rollout: MakeRollout,
    likes: str,
    winner: str | None,
    agreed: bool,
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
    assert len(
        preference.votes
    ) == 6 and preference.cost_usd == preference.paid_usd == pytest.approx(0.012)
    assert len(set(seen)) == 2
    counts = vars(count_preferences([preference] * 3))
    assert counts[winner or "undecided"] == 3 and counts["disagreed"] == (3 if likes == "A" else 0)


def test_two_tasks_are_no_pair(
    config: VlmConfig, model_server: Any, make_rollout: MakeRollout
) -> None:
    first, second = make_rollout(1), make_rollout(2)
    with pytest.raises(InputError, match="two tasks"):
        PairwiseJudge(config).compare(first, second, first.trial.task)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Three policies on two initial frames; "light" paints brighter than "dim", and that than
    "dark"."""
    folder = tmp_path / "tasks"
    folder.mkdir()
    for i in range(2):
        Image.fromarray(np.full((16, 24, 3), 40 * i, np.uint8)).save(folder / f"{i}.png")
        (folder / f"{i}.json").write_text(
            json.dumps({"instruction": "do it", "steps": 3, "group": "g"})
        )
    levels = {"light": 0.9, "dim": 0.5, "dark": 0.1}
    policies = [FakePolicy(level=level, spread=0.1, name=name) for name, level in levels.items()]
    origin = Origin({"tasks": str(folder)})
    evaluate_parts(
        EvaluateConfig(tmp_path / "run", 2),
        FakeWorld(),
        policies,
        load_tasks(folder),
        FakeJudge(),
        origin,
    )
    return tmp_path / "run"


def test_two_policies_of_a_run(
    config: VlmConfig, model_server: Any, run: Path, tmp_path: Path
) -> None:
    model_server.script = lambda request, number: model_server.said(
        text='{"reasoning": "", "closer": "A"}'
    )
    judge = PairwiseJudge(config, wait=lambda seconds: None)
    wanted = PreferenceConfig(run, tmp_path / "out", ("light", "dark"))
    figures = compare_policies(wanted, judge)
    won = PreferenceCounts(first=0, second=0, tie=2, undecided=0, disagreed=2)
    assert figures.pairs == (PairPreferences("light", "dark", 2, 0, won),)
    assert [row.value for row in figures.strengths] == pytest.approx([0.0, 0.0])
    assert figures.ranking is not None and figures.ranking.best == pytest.approx(
        [0.5, 0.5], abs=0.03
    )
    rows = [
        json.loads(line)
        for line in (tmp_path / "out" / "comparisons.jsonl").read_text().splitlines()
    ]
    assert [(row["task"], row["first"], row["winner"], len(row["votes"])) for row in rows] == [
        ("0", "light", "tie", 6),
        ("1", "light", "tie", 6),
    ]
    before = len(model_server.requests)
    assert (
        compare_policies(wanted, PairwiseJudge(config)).pairs == figures.pairs
        and len(model_server.requests) == before
    )
    with pytest.raises(InputError, match="its policies are dark, dim, light"):
        compare_policies(replace(wanted, policies=("light", "nobody")), judge)
    for policies in (("light",), ("light", "light")):
        with pytest.raises(InputError, match="two or more, each once"):
            compare_policies(replace(wanted, policies=policies), judge)


def test_the_name_changes_with_the_settings(config: VlmConfig) -> None:
    names = {
        PairwiseJudge(replace(config, **change)).name
        for change in ({}, {"votes": 7}, {"frames": "last"})
    }  # type: ignore[arg-type]
    assert len(names) == 3 and all(name.startswith("preference:") for name in names)
    with pytest.raises(InputError, match="remove `prompt`"):
        PairwiseJudge(replace(config, prompt=Path("mine.txt")))


def test_a_video_that_is_damaged_breaks_its_own_comparison(
    config: VlmConfig, model_server: Any, run: Path, tmp_path: Path
) -> None:
    next(run.glob("videos/light/**/*.mp4")).write_bytes(b"torn")
    figures = compare_policies(
        PreferenceConfig(run, tmp_path / "out", ("light", "dark")),
        PairwiseJudge(config, wait=lambda _: None),
    )
    assert figures.pairs[0].broken == 1


def test_a_comparison_that_broke_is_counted_and_says_nothing(
    config: VlmConfig, model_server: Any, run: Path, tmp_path: Path
) -> None:
    model_server.script = lambda request, number: model_server.said(status=500)
    figures = compare_policies(
        PreferenceConfig(run, tmp_path / "out", ("light", "dark")),
        PairwiseJudge(config, wait=lambda _: None),
    )
    assert figures.pairs[0].broken == 2 and figures.ranking is None
    rows = [
        json.loads(line)
        for line in (tmp_path / "out" / "comparisons.jsonl").read_text().splitlines()
    ]
    assert [row.keys() for row in rows] == [{"task", "repeat", "first", "second", "broken"}] * 2


def brightness(request: dict[str, Any]) -> list[float]:
    """Of the corner that FakeWorld paints with the first action number: first and last frame of A,
    then of B."""
    urls = [
        str(part["image_url"]["url"])
        for part in request["messages"][0]["content"]
        if part["type"] == "image_url"
    ]
    images = [Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))) for url in urls]
    return [float(np.asarray(image)[0, 0].mean()) for image in images]


def test_several_policies_are_compared_each_with_each(
    config: VlmConfig, model_server: Any, run: Path, tmp_path: Path
) -> None:
    def script(request: dict[str, Any], number: int) -> Any:
        _, a, _, b = brightness(request)
        return model_server.said(text=f'{{"reasoning": "", "closer": "{"A" if a > b else "B"}"}}')

    model_server.script = script
    wanted = PreferenceConfig(run, tmp_path / "out", ("dark", "light", "dim"))
    figures = compare_policies(wanted, PairwiseJudge(config, wait=lambda seconds: None))
    assert [(pair.first, pair.second, pair.won.second) for pair in figures.pairs] == [
        ("dark", "light", 2),
        ("dark", "dim", 2),
        ("light", "dim", 0),
    ]
    assert [row.policy for row in figures.strengths] == ["light", "dim", "dark"]
    ranking = figures.ranking
    assert ranking is not None and ranking.orders[0].policies == ("light", "dim", "dark")
    assert ranking.policies == ("dark", "light", "dim")
    assert ranking.above[1][0] > ranking.above[1][2] > 0.5 and figures.strengths[0].factor >= 1
    assert to_json(figures) == json.loads((tmp_path / "out" / "comparisons.json").read_text())


def test_what_the_first_order_cost_is_told_where_the_second_breaks(
    config: VlmConfig, model_server: Any, make_rollout: MakeRollout
) -> None:
    def script(request: dict[str, Any], number: int) -> Any:
        if number < config.votes:
            return model_server.said(text='{"reasoning": "", "closer": "A"}')
        return model_server.said(status=503)

    model_server.script = script
    one = replace(config, server=replace(config.server, concurrency=1))
    judge = PairwiseJudge(one, wait=lambda seconds: None)
    first, second = pair(make_rollout)
    with pytest.raises(WorldGymError) as broken:
        judge.compare(first, second, first.trial.task)
    assert broken.value.paid_usd == pytest.approx(0.006)


def test_what_was_compared_before_the_budget_ended_is_written(
    config: VlmConfig, model_server: Any, run: Path, tmp_path: Path
) -> None:
    model_server.script = lambda request, number: model_server.said(
        text='{"reasoning": "", "closer": "A"}'
    )
    one = replace(config, votes=1, server=replace(config.server, concurrency=1))
    judge = PairwiseJudge(one, budget_usd=0.005, wait=lambda seconds: None)
    wanted = PreferenceConfig(run, tmp_path / "out", ("dark", "light"))
    with pytest.raises(BudgetSpent):
        compare_policies(wanted, judge)
    figures = json.loads((tmp_path / "out" / "comparisons.json").read_text())
    (pair,) = figures["pairs"]
    assert (pair["trials"], pair["broken"]) == (2, 1)
    assert "not compared: the budget" in (tmp_path / "out" / "comparisons.jsonl").read_text()
