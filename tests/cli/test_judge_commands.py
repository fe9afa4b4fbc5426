"""`worldgym judge ...` from the command line, on a run of the fakes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from worldgym.cli import main
from worldgym.evaluation.plan import EvaluateConfig
from worldgym.evaluation.preferences import pairs_of_run
from worldgym.evaluation.provenance import Origin
from worldgym.evaluation.rejudge import clips_of_run
from worldgym.evaluation.run import evaluate_parts
from worldgym.judges.label_session import LabelConfig
from worldgym.judges.labels import Label, append_label, frames_digest
from worldgym.judges.pair_session import PairSession
from worldgym.tasks.task_folder import load_tasks
from worldgym.testing import FakeJudge, FakePolicy, FakeWorld


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """One policy on two initial frames, both labelled: a success and a failure."""
    tasks, folder = tmp_path / "tasks", tmp_path / "run"
    tasks.mkdir()
    for i in range(2):
        Image.fromarray(np.full((16, 24, 3), 40 * i, np.uint8)).save(tasks / f"{i}.png")
        (tasks / f"{i}.json").write_text(
            json.dumps({"instruction": f"do {i}", "steps": 3, "group": "g"})
        )
    policies = [FakePolicy(level=0.9, name="a"), FakePolicy(level=0.1, name="b")]
    config = EvaluateConfig(folder, 2, batch=2)
    evaluate_parts(
        config, FakeWorld(), policies, load_tasks(tasks), FakeJudge(), Origin({"tasks": str(tasks)})
    )
    for i, clip in enumerate(clips_of_run(folder)):
        append_label(
            folder / "labels.jsonl",
            Label(clip, float(i % 2), "anna", frames=frames_digest(clip.rollout().frames)),
        )
    return folder


def printed(words: list[Any], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    main([*map(str, words), "--json"])
    data: dict[str, Any] = json.loads(capsys.readouterr().out)
    return data


def test_judge_again_calibrate_and_correct(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels, again = run / "labels.jsonl", tmp_path / "again"
    summary = printed(["judge", "rejudge", run, "--judge", labels, "--out", again], capsys)
    assert [policy["successes"] for policy in summary["policies"]] == [1, 1]
    figures = printed(
        ["judge", "calibrate", labels, "--labels", labels, "--out", tmp_path / "c"],
        capsys,
    )
    assert figures["counts"]["true_success"] == figures["counts"]["true_failure"] == 2
    counts = {"videos": 4, "successes": 0, "unscored": 4, "broken": 0}
    assert figures["robustness"]["blank"] == counts
    summary = printed(
        ["report", again, "--calibration", tmp_path / "c" / "calibration.json"], capsys
    )
    assert "corrected" in summary["policies"][0] and summary["calibration"]["videos"] == 4
    assert printed(["report", again], capsys)["policies"] == summary["policies"]  # kept in the run


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (
            ["judge", "rejudge", "RUN", "--judge", "RUN/none.toml", "--out", "OUT"],
            "none.toml: cannot be read",
        ),
        (
            [
                "judge",
                "rejudge",
                "RUN",
                "--judge",
                "RUN/labels.jsonl",
                "--out",
                "OUT",
                "--budget",
                "1",
            ],
            "costs nothing",
        ),
        (
            [
                "judge",
                "calibrate",
                "RUN",
                "--labels",
                "RUN/labels.jsonl",
                "--out",
                "OUT",
            ],
            "is not a checkpoint",
        ),
        (
            [
                "judge",
                "calibrate",
                "RUN/labels.jsonl",
                "--labels",
                "RUN/labels.jsonl",
                "--out",
                "OUT",
                "--robustness",
                "-1",
            ],
            "robustness",
        ),
        (["judge", "label", "RUN", "--tasks", "OUT"], "give it with --tasks"),
        (["judge", "label", "RUN", "--port", "99999"], "from 0 (any) to 65535"),
        (["judge", "label", "RUN", "--labeller", " "], "give the name"),
        (["report", "RUN", "--calibration", "RUN/summary.json"], "not a calibration"),
    ],
)
def test_bad_input_gets_one_sentence(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], fault: str
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(
            [word.replace("RUN", str(run)).replace("OUT", str(tmp_path / "out")) for word in words]
        )
    message = capsys.readouterr().err
    assert stop.value.code == 2 and fault in message and "Traceback" not in message


def test_people_compare_pairs_of_a_run(
    run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    uvicorn = pytest.importorskip("uvicorn", reason="the extra [web] is not installed")
    monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets: None)
    main(["judge", "label", str(run), "--pairs", "--labeller", "anna", "--no-browser"])
    told = capsys.readouterr().out
    assert "/prefer?token=" in told and "0 of 2 pairs answered by anna" in told
    preferences = run / "preferences.jsonl"
    session = PairSession(pairs_of_run(run), LabelConfig(preferences, "anna"))
    for i in range(2):
        session.label({"pair": i, "answer": "right" if session.swapped(i) else "left"})
    words = ["judge", "prefer", run, "--judge", preferences, "--policy", "b", "a"]
    figures = printed([*words, "--out", tmp_path / "out"], capsys)
    assert figures["pairs"][0]["won"]["second"] == 2 and figures["judge"] == "people: anna"
    with pytest.raises(SystemExit) as ended:
        main(["judge", "label", str(preferences), "--pairs"])
    assert ended.value.code == 2 and "--pairs needs the folder of a run" in capsys.readouterr().err
