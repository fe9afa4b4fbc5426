"""People's preferences, ranked as those of a model are."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from worldgym.errors import InputError
from worldgym.evaluation.plan import EvaluateConfig
from worldgym.evaluation.preferences import PreferenceConfig, compare_policies, pairs_of_run
from worldgym.evaluation.provenance import Origin
from worldgym.evaluation.run import evaluate_parts
from worldgym.judges.human_preferences import (
    HumanAnswer,
    HumanPairwise,
    Seen,
    append_answer,
    load_pairwise,
    read_answers,
)
from worldgym.judges.label_session import LabelConfig
from worldgym.judges.pair_session import PairSession
from worldgym.stats.preference_counts import PairPreferences, PreferenceCounts
from worldgym.tasks.task_folder import load_tasks
from worldgym.tasks.write_tasks import write_task
from worldgym.testing import FakeJudge, FakePolicy, FakeWorld
from worldgym.types import Task

LEVELS = {"dark": 0.1, "dim": 0.5, "light": 0.9}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Three policies on two initial frames."""
    for i in range(2):
        frame = np.full((16, 24, 3), 40 * i, np.uint8)
        write_task(tmp_path / "tasks", Task(f"door/{i}", "door", frame, "open", 3))
    evaluate_parts(
        EvaluateConfig(tmp_path / "run", 2),
        FakeWorld(),
        [FakePolicy(level=level, spread=0.1, name=name) for name, level in LEVELS.items()],
        load_tasks(tmp_path / "tasks"),
        FakeJudge(),
        Origin({"tasks": str(tmp_path / "tasks")}),
    )
    return tmp_path / "run"


def say(run: Path, labeller: str, best_first: tuple[str, ...]) -> Path:
    """Every pair, answered by one who prefers in that order."""
    session = PairSession(pairs_of_run(run), LabelConfig(run / "preferences.jsonl", labeller))
    for i, pair in enumerate(session.pairs):
        first = best_first.index(pair.key.first) < best_first.index(pair.key.second)
        session.label({"pair": i, "answer": "left" if first != session.swapped(i) else "right"})
    return session.config.labels


def test_people_rank_policies_as_a_model_does(run: Path, tmp_path: Path) -> None:
    assert len(pairs_of_run(run)) == 6  # two trials, each of three pairs
    path = say(run, "anna", ("light", "dim", "dark"))
    wanted = PreferenceConfig(run, tmp_path / "out", ("dark", "light", "dim"))
    figures = compare_policies(wanted, load_pairwise(path))
    assert figures.pairs == (
        PairPreferences("dark", "light", 2, 0, PreferenceCounts(0, 2, 0, 0, 0)),
        PairPreferences("dark", "dim", 2, 0, PreferenceCounts(0, 2, 0, 0, 0)),
        PairPreferences("light", "dim", 2, 0, PreferenceCounts(2, 0, 0, 0, 0)),
    )
    assert [row.policy for row in figures.strengths] == ["light", "dim", "dark"]
    assert figures.judge == "people: anna" and figures.cost_usd == 0
    model = {json.dumps(sorted(row)) for row in lines(tmp_path / "out" / "comparisons.jsonl")}
    human = {json.dumps(sorted(row.keys() - {"labeller", "time", "crc32"})) for row in lines(path)}
    assert model == human and len(model) == 1  # one form


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_majority_counts_and_a_tie_of_labellers_is_undecided(run: Path, tmp_path: Path) -> None:
    say(run, "anna", ("light", "dim", "dark"))
    path = say(run, "ben", ("dark", "dim", "light"))
    wanted = PreferenceConfig(run, tmp_path / "out", ("light", "dark"))
    assert compare_policies(wanted, load_pairwise(path)).pairs[0].won == PreferenceCounts(
        0, 0, 0, 2, 0
    )
    say(run, "cleo", ("light", "dark", "dim"))
    found = compare_policies(wanted, load_pairwise(path))
    assert found.pairs[0].won == PreferenceCounts(2, 0, 0, 0, 0)
    assert found.judge == "people: anna, ben, cleo"


def test_an_answer_belongs_to_the_videos_that_were_seen(run: Path, tmp_path: Path) -> None:
    path = say(run, "anna", ("light", "dim", "dark"))
    answers = [replace(said, provenance=Seen(("0" * 32, "1" * 32))) for said in read_answers(path)]
    wanted = PreferenceConfig(run, tmp_path / "out", ("light", "dark"))
    found = compare_policies(wanted, HumanPairwise(answers, "people"))
    assert found.pairs[0].won == PreferenceCounts(0, 0, 0, 2, 0) and found.ranking is None
    assert lines(tmp_path / "out" / "comparisons.jsonl")[0]["reason"] == (
        "these videos have not been compared"
    )


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"winner": "left"}, '"winner" is left'),
        ({"first": "z"}, 'must sort before "second"'),
        ({"labeller": None}, "labeller"),
        ({"provenance": {}}, "pixels"),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, change: dict[str, object], fault: str) -> None:
    path = tmp_path / "preferences.jsonl"
    append_answer(path, HumanAnswer("t", 0, "a", "b", "tie", "anna", Seen(("0", "1"))))
    row = lines(path)[0]
    del row["crc32"]
    path.write_text(json.dumps({**row, **change}) + "\n")
    with pytest.raises(InputError, match=f"line 1: .*{fault}"):
        read_answers(path)


def test_what_cannot_be_read_as_preferences(tmp_path: Path) -> None:
    path = tmp_path / "preferences.jsonl"
    with pytest.raises(InputError, match="cannot be read"):
        load_pairwise(path)
    path.write_text("")
    with pytest.raises(InputError, match="holds no preference"):
        load_pairwise(path)
    with pytest.raises(InputError, match="remove --budget"):
        load_pairwise(path, 1.0)
