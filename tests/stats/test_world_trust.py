"""What a trust report says reaches the summary: red tasks are shown, and left out of the headline
numbers unless asked for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from worldgym.errors import InputError
from worldgym.io.run_log import RunLog
from worldgym.io.run_records import RunHeader, TrialRecord
from worldgym.report.page import write_report
from worldgym.report.trust_sentences import trust_sentence
from worldgym.stats.run_attempts import RunAttempts
from worldgym.stats.summarize import summarize, write_summary
from worldgym.stats.world_trust import Trusted, WorldTrust, adopt_trust

HEADER = RunHeader({}, "c", ({"name": "a"}, {"name": "b"}), "world-1", "judge-1", 7, {}, "")
REPORT = WorldTrust(
    "world-1", {"door": Trusted("red", "9 of 10 invented"), "drawer": Trusted("green", "fine")}
)
SCORES = {
    ("a", "door"): 1.0,
    ("a", "drawer"): 0.0,
    ("b", "door"): 0.0,
    ("b", "drawer"): 1.0,
    ("a", "lid"): 1.0,
    ("b", "lid"): 1.0,
}
RECORDS = [
    TrialRecord(
        policy,
        f"{group}/{i}",
        group,
        "do it",
        0,
        i,
        score=score,
        truth=group != "door",
        judge="judge-1",
    )
    for (policy, group), score in SCORES.items()
    for i in range(3)
]


def data(report: WorldTrust = REPORT) -> dict[str, Any]:
    return {
        "world": report.world,
        "tasks": {name: vars(task) for name, task in report.tasks.items()},
    }


def test_red_tasks_enter_no_headline_number() -> None:
    whole, kept = summarize(HEADER, RECORDS), summarize(HEADER, RECORDS, trust=REPORT)
    assert [p.trials for p in whole.policies] == [9, 9] and [p.trials for p in kept.policies] == [
        6,
        6,
    ]
    assert [p.successes for p in kept.policies] == [3, 6]
    assert kept.agreement.n == 4 and whole.agreement.n == 6
    assert kept.comparisons[0].n == 6 and kept.comparisons != whole.comparisons
    assert {(c.task, c.trust) for c in kept.cells} == {
        ("door", "red"),
        ("drawer", "green"),
        ("lid", "unchecked"),
    }
    plain = [replace(c, trust=None) for c in kept.cells]
    assert plain == [replace(c, trust=None) for c in whole.cells]
    assert kept.trust is not None and kept.trust.left_out == ("door",)
    assert kept.trust.tasks["door"].reason == "9 of 10 invented"
    assert whole.trust is None and trust_sentence(whole) == ""


def test_unless_asked_for() -> None:
    summary = summarize(HEADER, RECORDS, trust=replace(REPORT, include_red=True))
    assert [p.trials for p in summary.policies] == [9, 9]
    assert summary.trust is not None and summary.trust.left_out == ()
    assert "left out" not in trust_sentence(
        summary
    ) and "red: door (9 of 10 invented)" in trust_sentence(summary)


def test_every_task_red_leaves_an_empty_headline() -> None:
    reds = WorldTrust("world-1", {name: Trusted("red", "no") for name in ("door", "drawer", "lid")})
    summary = summarize(HEADER, RECORDS, trust=reds)
    assert [p.rate for p in summary.policies] == [None, None] and summary.agreement.n == 0
    values = summary.to_json()
    assert json.loads(json.dumps(values, allow_nan=False)) == values


def test_a_run_keeps_its_trust_report(tmp_path: Path) -> None:
    path, run = tmp_path / "trust.json", tmp_path / "run"
    path.write_text(json.dumps(data()))
    log = RunLog.open(run, HEADER)
    for record in RECORDS:
        log.append(record)
    adopt_trust(run, path, HEADER.world)
    path.unlink()
    for include_red, left_out in ((False, ("door",)), (True, ())):
        trust = write_summary(run, RunAttempts.read(run), include_red).trust
        assert trust is not None and trust.left_out == left_out
    text = write_report(run).read_text()
    assert "Red tasks are left out" in text and "9 of 10 invented" in text


def twins(edit: str = "dim", group: str = "{}") -> list[TrialRecord]:
    """Of all records, by an edit after which all of the red task fail."""
    return [
        replace(
            r,
            task=f"{edit}/{r.task}",
            group=group.format(r.group),
            score=0.0 if r.group == "door" else r.score,
            nominal=r.task,
            axis="light",
        )
        for r in RECORDS
    ]


@pytest.mark.parametrize("group", ["{}", "dim/{}"])
def test_edits_of_red_tasks_enter_no_drop(group: str) -> None:
    records = [*RECORDS, *twins(group=group)]
    ordinary = summarize(HEADER, records, trust=REPORT).perturbed
    assert ordinary is not None
    (axis,) = ordinary.axes
    counted = [r for r in RECORDS if r.group != "door"]
    assert axis.n == len(counted) and axis.drop == 0
    whole = summarize(HEADER, records, trust=replace(REPORT, include_red=True)).perturbed
    assert whole is not None and whole.axes[0].n == len(RECORDS) and whole.axes[0].drop
    red = replace(REPORT, tasks={g: Trusted("red", "") for g in ("door", "drawer", "lid")})
    assert summarize(HEADER, records, trust=red).perturbed is None


def test_a_file_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    (tmp_path / "check.json").write_text(json.dumps(data()))
    assert WorldTrust.of_run(tmp_path) == REPORT
    (tmp_path / "trust.json").write_text(json.dumps(data(replace(REPORT, tasks={}))))
    assert WorldTrust.of_run(tmp_path) == replace(REPORT, tasks={})


def test_a_trust_report_of_another_world_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trust.json"
    path.write_text(json.dumps(data()))
    with pytest.raises(InputError, match="world-1, the run's is world-2"):
        adopt_trust(tmp_path / "run", path, "world-2")
    with pytest.raises(InputError, match="world-1"):
        summarize(replace(HEADER, world="world-2"), RECORDS, trust=REPORT)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "content, said",
    [
        ({"world": "w"}, '"tasks" is missing; run `worldgym world trust` again'),
        ({"world": "w", "tasks": []}, '"tasks" holds'),
        ({"world": "w", "tasks": {"a": 1}}, '"tasks.a" holds 1'),
    ],
)
def test_what_is_no_trust_report_is_told(
    tmp_path: Path, content: dict[str, Any], said: str
) -> None:
    path = tmp_path / "trust.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=said):
        WorldTrust.read(path)
    path.write_text(json.dumps(data(WorldTrust("w", {"a": Trusted("blue", "")}))))
    with pytest.raises(InputError, match="holds 'blue'; it must be"):
        WorldTrust.read(path)
