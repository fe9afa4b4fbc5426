"""The search finds the mildest strength that breaks a policy whose limit is known, and says so
where nothing does."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from worldgym.errors import EditRefused, InputError, Unfinished
from worldgym.evaluation.stress import StressConfig, search, stress
from worldgym.evaluation.stress_parts import StressParts, StressSources
from worldgym.io.json_form import to_json
from worldgym.io.run_log import read_log
from worldgym.policies.policy_protocol import Observation
from worldgym.report.edit_section import stress_text
from worldgym.servers.provider import Reply
from worldgym.servers.votes import Ledger, Price
from worldgym.stats.stress_result import StressResult
from worldgym.tasks.edits.edit_file import Edit
from worldgym.tasks.edits.ranges import read_ranges
from worldgym.tasks.task_folder import load_tasks
from worldgym.tasks.write_tasks import write_task
from worldgym.testing import FakeJudge, FakePolicy, FakeWorld
from worldgym.types import Actions, Rollout, Task, Trial, Verdict

EDITS = """
[[edit]]
name = "dim"
steps = [{ kind = "lighting", gain = { mild = 1.0, harsh = 0.0 } }]

[[edit]]
name = "blur"
steps = [{ kind = "blur", sigma = { mild = 0.0, harsh = 2.0 } }]
"""


@dataclass(frozen=True)
class Sighted(FakePolicy):
    """Succeeds while it sees the table, grey level 120, at more than `sees`."""

    sees: float = 50.0
    spread: float = 0.0

    def act(
        self, states: Sequence[tuple[int, int]], observations: Sequence[Observation]
    ) -> tuple[list[tuple[int, int]], Actions]:
        new, actions = super().act(states, observations)
        dark = [observation.frame[10].mean() <= self.sees for observation in observations]
        low = np.array(self.spec.low, np.float32)
        return new, np.where(np.array(dark)[:, None, None], low, actions)


def tasks() -> list[Task]:
    grey = np.full((16, 24, 3), 120, np.uint8)
    return [Task(f"{group}/{i}", group, grey, f"do {group}", 2) for group in "ab" for i in range(8)]


def run(
    folder: Path, policy: FakePolicy, judge: FakeJudge | None = None, **changes: Any
) -> StressResult:
    folder.mkdir(exist_ok=True)
    (folder / "edits.toml").write_text(EDITS)
    config = StressConfig(folder / "out", budget=240, levels=4, keep=2)
    parts = StressParts(FakeWorld(), policy, judge or FakeJudge())
    return search(replace(config, **changes), parts, tasks(), read_ranges(folder / "edits.toml"))


def test_the_mildest_strength_is_found_and_confirmed(tmp_path: Path) -> None:
    found = run(tmp_path, Sighted(level=0.9))
    best, *_ = found.candidates
    assert (best.edit, best.strength, best.drop, best.confirmed) == (
        "dim",
        0.75,
        1.0,
        True,
    )
    assert found.rollouts <= found.budget == 240
    logs = {path.parent.name: read_log(path) for path in (tmp_path / "out").glob("*/log.jsonl")}
    assert sum(len(records) for _, records in logs.values()) == found.rollouts
    searched = {
        r.task
        for name, (_, records) in logs.items()
        if name != "confirm"
        for r in records
        if r.nominal is None
    }
    confirmed = {r.task for r in logs["confirm"][1] if r.nominal is None}
    assert not searched & confirmed  # fresh initial frames
    assert len({header.run_seed for header, _ in logs.values()}) == len(logs)  # and fresh seeds
    suite = load_tasks(tmp_path / "out" / "suite")
    assert sum(task.nominal is None for task in suite) == 16 and any(
        task.name == "dim-075/a/0" for task in suite
    )
    assert "dim at strength 0.75: +100 points" in stress_text(
        found
    ) and "breaks the policy" in stress_text(found)
    assert json.loads((tmp_path / "out" / "stress.json").read_text()) == to_json(found)


@pytest.mark.slow
def test_workers_find_what_one_process_finds(tmp_path: Path) -> None:
    few = {"budget": 120, "levels": 2, "keep": 1}
    here = run(tmp_path / "here", Sighted(level=0.9), **few)
    there = run(tmp_path / "there", Sighted(level=0.9), **few, on="processes", workers=2)
    suite = str(tmp_path / "there" / "out" / "suite")
    assert there == replace(here, suite=suite)


@dataclass(frozen=True)
class Interrupted(Sighted):
    """The system wants its process gone while a round of the search is under way."""

    folder: Path = Path()
    at: int = 2

    def reset(self, trials: Sequence[Trial]) -> list[tuple[int, int]]:
        (self.folder / str(len(list(self.folder.iterdir())))).touch()
        if len(list(self.folder.iterdir())) == self.at:
            os.kill(os.getpid(), signal.SIGTERM)
        return super().reset(trials)


@pytest.mark.parametrize("last", [False, True])
def test_a_round_that_was_ended_early_decides_nothing(last: bool, tmp_path: Path) -> None:
    """In its second batch, or in its last: no other round begins."""
    whole = run(tmp_path / "whole", Sighted(level=0.9), batch=8)
    trials = len(read_log(tmp_path / "whole" / "out" / "search-1" / "log.jsonl")[1])
    resets = tmp_path / "resets"
    resets.mkdir()
    place = tmp_path / "ended"
    at = -(-trials // 8) if last else 2
    with pytest.raises(Unfinished, match="not started: "):
        run(place, Interrupted(level=0.9, folder=resets, at=at), batch=8)
    assert not (place / "out" / "stress.json").exists()
    assert not (place / "out" / "search-2").exists()
    again = run(place, Sighted(level=0.9), batch=8)
    assert replace(again, suite=whole.suite) == whole


@dataclass(frozen=True)
class PaidJudge(FakeJudge):
    """A verdict costs a dollar."""

    ledger: Ledger = field(default_factory=lambda: Ledger(Price(1e6, 0.0), 100.0))

    def charge(self, folder: Path, paid_usd: float) -> None:
        self.ledger.keep(folder, paid_usd)

    def __call__(self, rollout: Rollout, task: Task) -> Verdict:
        self.ledger.buy(lambda: Reply("", "stop", 1, 0, "paid"))
        return replace(super().__call__(rollout, task), paid_usd=1.0)


def test_a_budget_holds_over_all_rounds(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", Sighted(level=0.9))
    judge = PaidJudge()
    with pytest.raises(Unfinished, match="higher --budget"):
        run(tmp_path / "paid", Sighted(level=0.9), judge)
    assert judge.ledger.paid_usd == 100.0 < whole.rollouts
    logs = (tmp_path / "paid" / "out").glob("*/log.jsonl")
    assert sum(record.score is not None for path in logs for record in read_log(path)[1]) == 100
    richer = PaidJudge(ledger=Ledger(Price(1e6, 0.0), 1000.0))
    again = run(tmp_path / "paid", Sighted(level=0.9), richer)
    assert replace(again, suite=whole.suite) == whole
    assert richer.ledger.paid_usd == whole.rollouts


def test_it_resumes(tmp_path: Path) -> None:
    found = run(tmp_path, Sighted(level=0.9))
    before = {path: path.read_bytes() for path in (tmp_path / "out").glob("*/log.jsonl")}
    assert run(tmp_path, Sighted(level=0.9)) == found
    assert {path: path.read_bytes() for path in before} == before


def test_changed_edits_are_another_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, Sighted(level=0.9))
    monkeypatch.setattr(sys.modules[__name__], "EDITS", EDITS.replace("harsh = 0.0", "harsh = 0.5"))
    with pytest.raises(InputError, match="task_sha256"):
        run(tmp_path, Sighted(level=0.9))


def test_the_budget_holds_the_confirmation(tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match="--rollouts 28 is too small for 8 candidates on 2 task groups; give 54 or more",
    ):
        run(tmp_path, FakePolicy(), budget=28)
    for keep in (2, 8):
        found = run(tmp_path / str(keep), FakePolicy(level=0.9), budget=54, keep=keep)
        assert found.rollouts <= 54


def test_a_policy_that_nothing_breaks(tmp_path: Path) -> None:
    found = run(tmp_path, FakePolicy(level=0.9))
    assert found.suite is None and not any(row.confirmed for row in found.candidates)
    assert (
        "No edit was confirmed" in stress_text(found) and not (tmp_path / "out" / "suite").exists()
    )


def test_what_cannot_be_asked(tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match=r"--rollouts 5 is too small for 8 candidates on 2 task groups; give \d+ or more",
    ):
        run(tmp_path, FakePolicy(), budget=5)
    with pytest.raises(InputError, match="--drop"):
        StressConfig(tmp_path, 10, drop=0.0)


def rolled_out(folder: Path) -> int:
    return sum(len(read_log(path)[1]) for path in (folder / "out").glob("*/log.jsonl"))


@pytest.mark.parametrize(
    ("only", "part"),
    [("nothing/*", "search"), ("a/0", "confirmation"), ("a/1", "search")],
)
def test_an_edit_that_fits_no_task_of_a_part_spends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, only: str, part: str
) -> None:
    narrow = EDITS.replace('name = "blur"', f'name = "blur"\nonly = ["{only}"]')
    monkeypatch.setattr(sys.modules[__name__], "EDITS", narrow)
    with pytest.raises(
        InputError, match=rf"edit blur fits no task of the {part}.*'{re.escape(only)}'"
    ):
        run(tmp_path, Sighted(level=0.9))
    assert not (tmp_path / "out").exists()


def test_rollouts_are_those_that_ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An edit of one group has no twins in the other."""
    narrow = EDITS.replace('name = "blur"', 'name = "blur"\nonly = ["a/*"]')
    monkeypatch.setattr(sys.modules[__name__], "EDITS", narrow)
    found = run(tmp_path, Sighted(level=0.9))
    assert found.rollouts == rolled_out(tmp_path) < 240


def test_frames_that_are_held_out_are_tried_before_the_budget_is_spent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = 'kind = "recolour", mask = { value = [0.3, 1] }, turn = { mild = 0, harsh = 90 }'
    edits = f'[[edit]]\nname = "hue"\nsteps = [{{ {step} }}]\n'
    monkeypatch.setattr(sys.modules[__name__], "EDITS", edits)
    dark = [replace(task, frame=task.frame // 9) if "/3" in task.name else task for task in tasks()]
    monkeypatch.setattr(sys.modules[__name__], "tasks", lambda: dark)
    with pytest.raises(InputError, match=r"edit hue-025 of task a/3: the mask covers no pixel"):
        run(tmp_path, Sighted(level=0.9))
    assert not (tmp_path / "out").exists()


def test_an_edited_task_has_its_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = [*tasks(), replace(tasks()[0], name="dim-050/a/1", group="dim-050")]
    monkeypatch.setattr(sys.modules[__name__], "tasks", lambda: taken)
    with pytest.raises(InputError, match="take the place of the task dim-050/a/1"):
        run(tmp_path, Sighted(level=0.9))
    assert not (tmp_path / "out").exists()


def test_what_a_model_refuses_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of = Edit.of

    def some(self: Edit, task: Task) -> Task:
        if self.name.startswith("blur") or task.name in ("a/2", "b/3"):
            raise EditRefused("no")
        return of(self, task)

    monkeypatch.setattr(Edit, "of", some)
    monkeypatch.setattr(Edit, "asks_a_model", property(lambda self: True))
    found = run(tmp_path, Sighted(level=0.9))
    assert found.candidates[0].name == "dim-075"
    assert found.rollouts == rolled_out(tmp_path)
    names = {task.name for task in load_tasks(tmp_path / "out" / "suite")}
    assert "dim-075/a/0" in names and not {"dim-075/a/2", "dim-075/b/3"} & names


def test_the_search_lies_outside_the_tasks(tmp_path: Path) -> None:
    for task in tasks():
        write_task(tmp_path / "tasks", task)
    (tmp_path / "edits.toml").write_text(EDITS)
    folders = (tmp_path / "world", "still", tmp_path / "tasks", tmp_path / "judge")
    sources = StressSources(*folders, tmp_path / "edits.toml")
    with pytest.raises(InputError, match="lies inside the input"):
        stress(sources, StressConfig(tmp_path / "tasks" / "out", budget=240))
