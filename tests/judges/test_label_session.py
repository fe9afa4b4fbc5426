"""A session of labels: videos that cannot be read, and labels that others add. What is stored is
tested with the labels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from worldgym.errors import InputError
from worldgym.io.video import encode_mp4
from worldgym.judges.human_judges import HumanJudge
from worldgym.judges.label_session import LabelConfig, LabelSession
from worldgym.judges.labels import Clip, Label, append_label, read_labels


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    made = []
    for name in ("good", "poor"):
        path = tmp_path / f"{name}-0.mp4"
        path.write_bytes(encode_mp4(np.zeros((3, 16, 16, 3), np.uint8), 5.0))
        made.append(Clip(path, "open the door"))
    return made


@pytest.fixture
def session(clips: list[Clip], tmp_path: Path) -> LabelSession:
    return LabelSession(clips, LabelConfig(tmp_path / "labels.jsonl", "anna"))


@pytest.mark.parametrize("damage", [b"torn", b"", None])
def test_of_a_video_that_cannot_be_read_one_can_only_say_that_one_cannot_tell(
    session: LabelSession, capsys: pytest.CaptureFixture[str], damage: bytes | None
) -> None:
    video = session.clips[0].video
    video.unlink()
    if damage is not None:
        video.write_bytes(damage)
    for act in (
        lambda: session.video(0),
        lambda: session.fps(0),
        lambda: session.label({"item": 0, "score": 1}),
    ):
        with pytest.raises(InputError, match=r"^this video cannot be read$"):
            act()
    assert video.name in capsys.readouterr().err
    assert not session.config.labels.exists()
    session.label({"item": 0, "score": None, "reason": "black"})
    row = json.loads(session.config.labels.read_text())
    assert (row["score"], row["frames"], row["reason"]) == (None, "", "black")
    assert session.state()["items"][0]["labelled"]
    (clip,) = read_labels(session.config.labels)
    assert clip.score is None
    rollout = session.clips[1].rollout()
    assert HumanJudge.read(session.config.labels)(rollout, rollout.trial.task).unscored


def test_labels_of_another_program_count(session: LabelSession, clips: list[Clip]) -> None:
    other = LabelSession(clips, session.config)
    session.label({"item": 0, "score": 1})
    assert other.state() == session.state() and other.done() == "1 of 2 videos labelled"
    append_label(session.config.labels, Label(session.clips[1], 0.0, "anna"))
    append_label(session.config.labels, Label(session.clips[0], 0.0, "ben"))
    assert [item["score"] for item in session.state()["items"]] == [1.0, 0.0]


def test_a_page_steps_by_the_videos_own_frames(session: LabelSession) -> None:
    assert session.fps(0) == 5.0
