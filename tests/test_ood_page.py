"""The commands of docs/ood.md run as they stand on small tasks; its examples are sound, and its
pictures small."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from worldgym.cli import main
from worldgym.io.bundled import BUNDLE
from worldgym.stats.summary import Summary
from worldgym.tasks.edits.edit_file import IMAGE_STEPS, TEXT_STEPS, read_edits
from worldgym.tasks.edits.ranges import read_ranges
from worldgym.tasks.task_folder import load_tasks
from worldgym.tasks.write_tasks import write_task
from worldgym.types import Task

DOCS = Path(__file__).parent.parent / "docs"
PAGE = (DOCS / "ood.md").read_text(encoding="utf-8")
EXAMPLE, MODEL, RANGES = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = re.findall(
    r"^    (worldgym (?:tasks edit|evaluate|tasks stress) .*)$", PAGE, re.MULTILINE
)


@pytest.fixture(scope="module")
def tasks() -> list[Task]:
    """Two initial frames of the bundle, two actions long."""
    if not (BUNDLE / "world").exists():
        pytest.skip("no bundle yet")
    chosen = [
        task
        for task in load_tasks(BUNDLE / "tasks")
        if task.name in ("drawer-open/10000", "drawer-open/10001")
    ]
    return [Task(t.name, t.group, t.frame, t.instruction, 2, t.partial_credit) for t in chosen]


@pytest.fixture
def work(tmp_path: Path, tasks: list[Task], monkeypatch: pytest.MonkeyPatch) -> Path:
    for task in tasks:
        write_task(tmp_path / "tasks", task)
    (tmp_path / "bundle").symlink_to(BUNDLE)
    (tmp_path / "edits.toml").write_text(EXAMPLE)
    (tmp_path / "ranges.toml").write_text(RANGES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_perturb_runs_as_written(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(shlex.split(COMMANDS[0])[1:])
    suite, edits = load_tasks(work / "suite"), read_edits(work / "edits.toml")
    assert (
        len(suite) == 2 * (1 + len(edits)) and "suite: 2 original tasks" in capsys.readouterr().out
    )
    assert {task.axis for task in suite if task.nominal} == {edit.axis for edit in edits}
    assert [task.success for task in suite if task.new_goal] == ["the drawer is shut"] * 2


@pytest.mark.slow
def test_every_command_runs(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in COMMANDS:
        main(shlex.split(command)[1:])
    drops = Summary.read(work / "runs/ood").perturbed
    assert drops is not None
    assert {cell.policy for axis in drops.axes for cell in axis.cells} == {
        "still",
        "random",
    }
    assert "Out of distribution" in (work / "runs/ood/report.html").read_text()
    assert json.loads((work / "runs/stress/stress.json").read_text())["rollouts"] <= 24
    assert capsys.readouterr().err.count("worldgym:") == 0


def test_the_other_examples_are_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("google.genai", reason="the extra [gemini] is not installed")
    monkeypatch.setenv("GEMINI_API_KEY", "none")
    for name, text in (("model.toml", MODEL), ("ranges.toml", RANGES)):
        (tmp_path / name).write_text(text)
    assert [edit.name for edit in read_edits(tmp_path / "model.toml", budget_usd=1.0)] == ["toy"]
    assert [edit.name for edit in read_ranges(tmp_path / "ranges.toml")] == ["dim", "blur"]


def test_every_kind_is_described() -> None:
    table = "\n".join(line for line in PAGE.splitlines() if line.startswith("| `"))
    assert [kind for kind in (*IMAGE_STEPS, *TEXT_STEPS) if f"`{kind}`" not in table] == []


def test_pictures_are_there_and_small() -> None:
    pictures = [DOCS / name for name in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", PAGE)]
    assert len(pictures) == 2 and sum(picture.stat().st_size for picture in pictures) < 300_000
