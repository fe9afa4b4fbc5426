"""A classifier's threshold from a run whose truth is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_networks import PAIR_TRUNK

from worldgym.cli import main
from worldgym.evaluation.plan import EvaluateConfig
from worldgym.evaluation.provenance import Origin
from worldgym.evaluation.run import evaluate_parts
from worldgym.io.checkpoint import read_config
from worldgym.io.run_log import LOG_NAME, read_log
from worldgym.io.run_records import results
from worldgym.judges.classifier import ClassifierJudge, DecisionRule, JudgeConfig, JudgeNet
from worldgym.judges.classifier_agreement import KnownProbability, fit_rates
from worldgym.tasks.task_folder import load_tasks
from worldgym.testing import FakePolicy, FakeWorld


@pytest.fixture
def judge(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    net = JudgeNet(JudgeConfig((16, 24), 8, PAIR_TRUNK, moments=2))
    ClassifierJudge(net, DecisionRule(), "tiny").save(
        tmp_path / "judge", {"trained": {"episodes": 3}}, ""
    )
    return tmp_path / "judge"


def make_run(folder: Path, judge: Path, truth: bool) -> Path:
    """One policy that succeeds on the brighter half of eight initial frames."""
    tasks = folder / "tasks"
    tasks.mkdir(parents=True)
    for i in range(8):
        Image.fromarray(np.full((16, 24, 3), 30 * i, np.uint8)).save(tasks / f"{i}.png")
        (tasks / f"{i}.json").write_text(
            json.dumps({"instruction": "do it", "steps": 3, "group": "g"})
        )
    if truth:
        lines = [f"a,{i},{int(i >= 4)}" for i in range(8)]
        (tasks / "truth.csv").write_text("\n".join(["policy,task,success", *lines]) + "\n")
    config = EvaluateConfig(folder / "run", 8, truth=tasks if truth else None)
    evaluate_parts(
        config,
        FakeWorld(),
        [FakePolicy(name="a")],
        load_tasks(tasks),
        ClassifierJudge.load(judge),
        Origin({"tasks": str(tasks)}),
    )
    return folder / "run"


def test_the_rates_of_the_run_lie_nearest_to_the_true_ones(tmp_path: Path, judge: Path) -> None:
    run = make_run(tmp_path, judge, truth=True)
    main(["judge", "set-threshold", str(judge), "--run", str(run), "--out", str(tmp_path / "new")])
    decided = ClassifierJudge.load(tmp_path / "new")
    probabilities = np.array(
        [record.probability for record in results(read_log(run / LOG_NAME)[1]).finished]
    )
    assert (probabilities >= decided.decision.threshold).mean() == 0.5  # as many as truly succeed
    config = read_config(tmp_path / "new")
    assert config["trained"] == {"episodes": 3} and config["decided"] == {
        "run": "run",
        "trials": 8,
        "before": 0.5,
    }
    assert f"{decided.decision.threshold:.3f}" in (tmp_path / "new" / "README.md").read_text()


@pytest.mark.parametrize("truth", [True, False])
def test_runs_that_cannot_decide_are_named(
    tmp_path: Path, judge: Path, truth: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    run, other = make_run(tmp_path, judge, truth), judge
    if truth:
        other = tmp_path / "other"
        ClassifierJudge(ClassifierJudge.load(judge).net, DecisionRule(0.7), "other").save(
            other, {}, ""
        )
    with pytest.raises(SystemExit) as stop:
        main(
            [
                "judge",
                "set-threshold",
                str(other),
                "--run",
                str(run),
                "--out",
                str(tmp_path / "new"),
            ]
        )
    assert stop.value.code == 2 and ("rejudge" if truth else "truth.csv") in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_cells_count_alike_however_many_trials_they_have() -> None:
    many = [KnownProbability("many", i % 2 == 0, 0.6) for i in range(40)] + [
        KnownProbability("many", False, 0.3) for _ in range(40)
    ]
    few = [KnownProbability("few", False, 0.6), KnownProbability("few", True, 0.9)]
    assert 0.6 < fit_rates(many + few).threshold < 0.9
