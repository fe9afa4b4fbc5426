"""Labels are verdicts on the frames that were labelled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from worldgym.errors import InputError
from worldgym.evaluation.fitting import at_frames
from worldgym.judges.human_judges import HumanJudge
from worldgym.judges.label_session import LabelConfig, LabelSession
from worldgym.judges.labels import Clip, Label, append_label, frames_digest, read_labels
from worldgym.judges.load_judge import load_judge
from worldgym.testing import check_judge


def test_labels_are_a_judge(session: LabelSession, tmp_path: Path) -> None:
    session.label({"item": 2, "score": 0.5, "reason": "nearly"})
    judge = load_judge(tmp_path / "labels.jsonl", finished=True)
    assert isinstance(judge, HumanJudge) and judge.name.startswith("human:")
    rollout = session.clips[2].rollout()
    check_judge(judge, rollout, rollout.trial.task)
    verdict = judge(rollout, rollout.trial.task)
    assert (verdict.score, verdict.reason, verdict.provenance["labellers"]) == (
        0.5,
        "nearly",
        ["anna"],
    )
    other = judge(session.clips[0].rollout(), rollout.trial.task)
    assert other.unscored and "not been labelled" in other.reason
    with pytest.raises(InputError, match="costs nothing"):
        load_judge(tmp_path / "labels.jsonl", budget_usd=1.0)


def test_of_a_world_that_draws_every_second_frame_labels_are_of_what_a_judge_looks_at(
    clips: list[Clip], tmp_path: Path
) -> None:
    """The video shows each frame until the next; a judge sees each once."""
    held = replace(clips[0], stride=2)
    session = LabelSession([held], LabelConfig(tmp_path / "labels.jsonl", "anna"))
    session.label({"item": 0, "score": 1.0})
    drawn = clips[0].rollout()
    seen = at_frames(drawn, 2)
    assert len(seen.frames) == 3
    verdict = HumanJudge.read(tmp_path / "labels.jsonl")(seen, seen.trial.task)
    assert verdict.score == 1.0
    assert read_labels(tmp_path / "labels.jsonl")[0].clip == held
    assert HumanJudge.read(tmp_path / "labels.jsonl")(drawn, drawn.trial.task).unscored


def test_labels_of_a_video_that_was_made_again_are_not_counted(
    tmp_path: Path, clips: list[Clip]
) -> None:
    new = clips[0].rollout()
    for labeller, score, frames in (
        ("anna", 1.0, "old"),
        ("ben", 1.0, "old"),
        ("carl", 0.0, frames_digest(new.frames)),
    ):
        append_label(tmp_path / "labels.jsonl", Label(clips[0], score, labeller, frames=frames))
    verdict = HumanJudge.read(tmp_path / "labels.jsonl")(new, new.trial.task)
    assert verdict.score == 0.0 and verdict.provenance["labellers"] == ["carl"]
