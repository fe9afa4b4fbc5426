"""Runs side by side, against one run that holds all."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from app_runs import fill, header, trial
from starlette.testclient import TestClient

from worldgym.errors import InputError
from worldgym.io.run_log import LOG_NAME, read_log
from worldgym.io.run_records import TrialRecord
from worldgym.stats.summarize import summarize
from worldgym.web.run_comparison import compare_runs


def trials(policy: str, hits: int, **fields: Any) -> list[TrialRecord]:
    plain: dict[str, Any] = {"video": None, "truth_video": None, "truth": None, **fields}
    return [
        trial(policy, group, start, score=float(start < hits), **plain)
        for group in ("door", "drawer")
        for start in range(12)
    ]


@pytest.fixture
def runs(tmp_path: Path) -> list[tuple[str, str]]:
    """Three checkpoints, a run each, and a second run of the last one."""
    made = []
    for name, policy, hits in (
        ("a", "grasp@1k", 2),
        ("b", "grasp@2k", 6),
        ("c", "grasp@4k", 11),
        ("d", "grasp@4k", 5),
    ):
        folder = tmp_path / "runs" / name
        fill(folder, header((policy,), frames=12), trials(policy, hits))
        made.append((name, str(folder)))
    return made


def test_pairs_are_those_of_a_single_run(runs: list[tuple[str, str]], tmp_path: Path) -> None:
    names = ("grasp@1k", "grasp@2k", "grasp@4k")
    together = [r for name, hits in zip(names, (2, 6, 11), strict=True) for r in trials(name, hits)]
    fill(tmp_path / "one", header(names, frames=12), together)
    summary = summarize(*read_log(tmp_path / "one" / LOG_NAME))
    found = compare_runs(runs[:3])
    rows = list(csv.DictReader(found.pairs.splitlines()))
    assert len(rows) == 3
    for row, pair in zip(rows, summary.comparisons, strict=True):
        assert (row["a"], row["b"]) == (pair.a, pair.b)
        assert float(row["value"]) == pair.value and float(row["p_holm"]) == pair.p_holm
    rates = {(r["policy"], r["task"]): r for r in csv.DictReader(found.rates.splitlines())}
    assert float(rates["grasp@2k", "door"]["rate"]) == 0.5
    assert 'class="steps"' in found.html and "training step" in found.html


def test_one_name_in_two_runs_is_told_apart(runs: list[tuple[str, str]]) -> None:
    found = compare_runs(runs[2:])
    (row,) = csv.DictReader(found.pairs.splitlines())
    assert (row["a"], row["b"]) == ("grasp in c@4k", "grasp in d@4k")
    assert float(row["value"]) == 0.5 and int(row["n"]) == 24


def test_what_is_red_in_one_world_is_left_out(runs: list[tuple[str, str]]) -> None:
    tasks = {"door": {"colour": "red", "reason": "no"}}
    check = Path(runs[0][1]) / "trust.json"
    check.write_text(json.dumps({"world": "world-1", "tasks": tasks}))
    found = compare_runs(runs[:2])
    assert "door" not in found.rates and "Left out" in found.html


def test_what_does_not_compare_is_said(runs: list[tuple[str, str]], tmp_path: Path) -> None:
    fill(tmp_path / "x", header(("p",)), [trial("p", "other", 0, video=None, truth_video=None)])
    with pytest.raises(InputError, match="no task in common"):
        compare_runs([runs[0], ("x", str(tmp_path / "x"))])
    with pytest.raises(InputError, match="2 to 20"):
        compare_runs(runs[:1])


def digests(of: str, **changed: str) -> dict[str, str]:
    names = [f"{group}/{start}" for group in ("door", "drawer") for start in range(12)]
    return {name: changed.get(name.replace("/", "_"), of) for name in names}


@pytest.mark.parametrize("older", [False, True])
def test_tasks_of_one_name_that_differ_are_left_out(tmp_path: Path, older: bool) -> None:
    """Older logs hold no contents of their tasks, but what was asked."""
    known = [{}, {}] if older else [digests("aa"), digests("aa", door_3="bb")]
    other = [
        replace(record, instruction="close the door") if record.task == "door/3" else record
        for record in trials("q", 5)
    ]
    named = []
    for name, policy, records, told in zip(
        "ab", "pq", (trials("p", 9), other if older else trials("q", 5)), known, strict=True
    ):
        config: dict[str, Any] = {"task_sha256": told} if told else {}
        fill(tmp_path / name, header((policy,), frames=12, **config), records)
        named.append((name, str(tmp_path / name)))
    found = compare_runs(named)
    (row,) = csv.DictReader(found.pairs.splitlines())
    assert int(row["n"]) == 23
    assert "tasks of one name differ between these runs: door (1\xa0initial frame)" in found.html
    assert 'id="missing"' not in found.html


def test_runs_of_other_tasks_of_the_same_names_do_not_compare(tmp_path: Path) -> None:
    named = []
    for name, contents in (("a", "aa"), ("b", "bb")):
        fill(tmp_path / name, header(("p",), 12, task_sha256=digests(contents)), trials("p", 6))
        named.append((name, str(tmp_path / name)))
    with pytest.raises(InputError, match="differ in content"):
        compare_runs(named)


def test_other_worlds_and_judges_are_said(runs: list[tuple[str, str]], tmp_path: Path) -> None:
    assert "s differ:" not in compare_runs(runs[:2]).html
    other = replace(header(("p",), frames=12), world="world-2", judge="judge-2")
    fill(tmp_path / "x", other, trials("p", 6))
    html = compare_runs([*runs[:2], ("x", str(tmp_path / "x"))]).html
    assert "The worlds differ: world-1 in a and b; world-2 in x." in html
    assert "The judges differ: judge-1 in a and b; judge-2 in x." in html


def test_a_cell_is_no_formula(tmp_path: Path) -> None:
    named = []
    for name, policy in (("a", "=1+1"), ("b", "@x")):
        records = [trial(policy, "door", i, video=None, truth_video=None) for i in range(3)]
        fill(tmp_path / name, header((policy,)), records)
        named.append((name, str(tmp_path / name)))
    text = compare_runs(named).rates
    assert "\n'=1+1" in text and "\n'@x" in text


def test_pages(runs: list[tuple[str, str]], client: TestClient) -> None:
    asked = {"run": ["a", "b"]}
    assert "rates.csv" in client.get("/compare", params=asked).text
    assert "Paired differences" in client.get("/compare/drawn", params=asked).text
    table = client.get("/compare/pairs.csv", params=asked)
    assert table.headers["content-type"].startswith("text/csv")
    assert client.get("/compare/other.csv", params=asked).status_code == 404
    assert client.get("/compare/drawn", params={"run": ["a", "../b"]}).status_code == 404
    board = client.get("/leaderboard").text
    assert board.index("grasp@4k") < board.index("grasp@2k") < board.index("grasp@1k")
