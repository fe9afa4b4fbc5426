"""The suite equals the published table, and joins the user's frames into a folder that loads."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from worldgym.errors import InputError
from worldgym.evaluation.plan import EvaluateConfig
from worldgym.evaluation.run import evaluate_parts
from worldgym.io.run_log import read_log
from worldgym.report.page import write_report
from worldgym.stats.summarize import summarize
from worldgym.tasks.bridge17 import BRIDGE17, POLICIES, TRIALS, make_bridge17, published_csv
from worldgym.tasks.task_folder import load_tasks
from worldgym.testing import FakeJudge, FakePolicy, FakeWorld


def add_frame(folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((24, 32, 3), 90, np.uint8)).save(folder / f"{name}.png")


def test_the_table_is_the_published_one(sample_data: Path) -> None:
    with (sample_data / "published" / "openvla_bridge_real.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["task_id"]) for row in rows] == [task.number for task in BRIDGE17]
    for row, task in zip(rows, BRIDGE17, strict=True):
        assert [float(row[name]) for name in ("rt_1_x", "octo", "rt_2_x", "openvla")] == list(
            task.successes
        )
        assert (row["category"], int(row["n_trials"])) == (task.category, TRIALS)
        assert bool(row["partial_credit_rule"]) == bool(task.partial_credit)


def test_published_means() -> None:
    """The means that the paper prints: 18.5, 20.0, 50.6 and 70.6 %."""
    rows = list(csv.DictReader(io.StringIO(published_csv())))
    means = [
        np.mean([float(r["successes"]) / float(r["trials"]) for r in rows if r["policy"] == policy])
        for policy in POLICIES
    ]
    assert len(rows) == 68
    np.testing.assert_allclose(means, [0.185, 0.200, 0.506, 0.706], atol=0.0006)


def test_seventeen_groups_and_twenty_prompts() -> None:
    assert len({task.group for task in BRIDGE17}) == 17
    prompts = {folder: prompt for task in BRIDGE17 for folder, prompt in task.folders().items()}
    assert len(prompts) == 20 and prompts["10-lift-aaa-battery"] == "lift AAA battery"
    assert prompts["16-lift-cheese-or-red-chili-pepper/lift-cheese"] == "lift cheese"


def test_frames_become_a_task_folder(tmp_path: Path) -> None:
    add_frame(tmp_path / "frames" / "08-put-carrot-on-plate", "1")
    for prompt in ("lift-cheese", "lift-red-chili-pepper"):
        add_frame(tmp_path / "frames" / "16-lift-cheese-or-red-chili-pepper" / prompt, "a")
    names, missing = make_bridge17(tmp_path / "frames", tmp_path / "out", (16, 16))
    tasks = load_tasks(tmp_path / "out")
    assert [task.name for task in tasks] == sorted(names) and len(missing) == 17
    assert [task.group for task in tasks] == ["08-put-carrot-on-plate"] + [
        "16-lift-cheese-or-red-chili-pepper"
    ] * 2
    assert [task.instruction for task in tasks] == [
        "put carrot on plate",
        "lift cheese",
        "lift red chili pepper",
    ]
    assert tasks[0].frame.shape == (16, 16, 3) and tasks[2].tags == ("language",)
    with (tmp_path / "out" / "published.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 68 and rows[3] == {
        "policy": "OpenVLA",
        "group": "01-put-eggplant-into-pot-easy-version",
        "category": "visual",
        "trials": "10",
        "successes": "10",
    }


def test_the_frames_stay_as_they_are(tmp_path: Path) -> None:
    add_frame(tmp_path / "01-put-eggplant-into-pot", "0")
    with pytest.raises(InputError, match="is the folder of the frames itself"):
        make_bridge17(tmp_path, tmp_path, (8, 8))


def test_without_frames_the_wanted_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"holds no initial frame of the suite; .*09-flip-pot-upright"
    ):
        make_bridge17(tmp_path, tmp_path / "out")


def test_an_evaluation_of_the_suite_is_held_against_the_published_results(tmp_path: Path) -> None:
    """From the user's frames to the report: partial credit, and one truth a task, not a trial."""
    for published in BRIDGE17[:6]:
        for name in ("1", "2"):
            add_frame(tmp_path / "frames" / published.group, name)
    make_bridge17(tmp_path / "frames", tmp_path / "bridge17", FakeWorld().frame_shape[:2])
    tasks = load_tasks(tmp_path / "bridge17")
    policies = [
        FakePolicy(level=0.2, name="octo"),
        FakePolicy(level=0.8, name="openvla"),
        FakePolicy(level=0.5, name="mine"),
    ]
    config = EvaluateConfig(tmp_path / "run", trials=2, truth=tmp_path / "bridge17")
    summary = evaluate_parts(config, FakeWorld(), policies, tasks, FakeJudge())
    cells = {(cell.policy, cell.task): cell for cell in summary.cells}
    clutter = cells["octo", "04-put-eggplant-into-pot-w-clutter"]
    assert (clutter.truth_trials, clutter.truth_successes, clutter.truth_rate) == (
        10,
        3.5,
        0.35,
    )
    assert all(cell.truth_rate is None for (policy, _), cell in cells.items() if policy == "mine")
    assert summary.agreement.n == 12 and summary.agreement.noise_ceiling is not None
    totals = {policy.policy: policy for policy in summary.policies}
    assert totals["openvla"].truth_successes == sum(task.successes[3] for task in BRIDGE17[:6])
    header, records = read_log(tmp_path / "run" / "log.jsonl")
    assert summarize(header, records) == summary
    page = write_report(tmp_path / "run").read_text()
    assert "3.5 of 10" in page and "Against the known truth in 12" in page
