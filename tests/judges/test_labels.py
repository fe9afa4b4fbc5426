"""Labels are append-only, survive a crash, are taken on a page that does not know whose videos it
shows, and are verdicts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.judges.label_session import MAX_REASON, LabelSession
from worldgym.judges.labels import (
    Clip,
    Label,
    append_label,
    read_clips,
    read_labels,
)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_what_is_labelled_is_read(tmp_path: Path, clips: list[Clip]) -> None:
    path = tmp_path / "labels.jsonl"
    for clip, labeller, score in (
        (0, "a", 1.0),
        (0, "b", 1.0),
        (0, "c", 0.0),
        (1, "a", 1.0),
        (1, "b", 0.0),
        (1, "a", 0.5),
        (2, "a", None),
    ):
        append_label(path, Label(clips[clip], score, labeller))
    found = read_labels(path)
    assert [one.clip for one in found] == [clips[0], clips[1], clips[2]] or {
        one.clip for one in found
    } == set(clips)
    scores = {one.clip.video.name: one.score for one in found}
    assert scores == {
        "door-0.mp4": 1.0,
        "door-1.mp4": None,
        "door-2.mp4": None,
    }  # majority, a tie, nobody can tell
    assert lines(path)[0]["video"] == "videos/good/door-0.mp4"
    assert read_clips(path) == clips


def test_a_torn_line_never_counted(tmp_path: Path, clips: list[Clip]) -> None:
    path = tmp_path / "labels.jsonl"
    append_label(path, Label(clips[0], 1.0, "a"))
    path.write_bytes(path.read_bytes() + b'{"video": "vid')
    assert len(read_labels(path)) == 1
    append_label(path, Label(clips[1], 0.0, "a"))
    assert [row["score"] for row in lines(path)] == [1.0, 0.0]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("[]", "line 1: not a JSON object"),
        ('{"video": "a.mp4"}', "line 1"),
        ('{"video": "a.mp4", "instruction": " "}', "instruction is empty"),
        ('{"video": "a.mp4", "instruction": "x"}', '"score" is missing'),
        ('{"video": "a.mp4", "instruction": "x", "score": 2}', '"score" is 2'),
        ('{"video": "a.mp4", "instruction": "x", "score": true}', '"score" holds True'),
        (
            '{"video": "a.mp4", "instruction": "x", "score": 1, "reason": 3}',
            '"reason" holds 3; it must be a text',
        ),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, fault: str) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(InputError, match=fault):
        read_labels(path)


def test_a_line_that_was_changed_by_hand_says_what_to_do(tmp_path: Path, clips: list[Clip]) -> None:
    path = tmp_path / "labels.jsonl"
    append_label(path, Label(clips[0], 1.0, "a"))
    path.write_text(path.read_text().replace("open door", "open the door"))
    with pytest.raises(
        InputError, match=r'checksum is wrong.*; fix the line, and remove its "crc32"'
    ):
        read_labels(path)
    row = {key: value for key, value in lines(path)[0].items() if key != "crc32"}
    path.write_text(json.dumps(row | {"note": "of older versions too"}) + "\n")
    assert read_labels(path)[0].clip.instruction == "open the door 0"


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_labels(tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(InputError, match="holds no label"):
        read_labels(tmp_path / "empty.jsonl")


def test_recorded_episodes_are_labels(episode_store: EpisodeStore) -> None:
    found = read_labels(episode_store.root)
    assert [clip.score for clip in found] == [1.0, 0.0, 1.0]
    assert found[0].clip.rollout().main.shape == (9, 32, 32, 3)


def test_labelling_is_blind_and_goes_on_where_it_stopped(
    session: LabelSession, tmp_path: Path, clips: list[Clip]
) -> None:
    told = json.dumps(session.state())
    assert not any(secret in told for secret in ("good", "poor", ".mp4"))
    assert session.video(0) == session.clips[0].video.read_bytes()
    session.label({"item": 0, "score": 1, "reason": " clear "})
    session.label({"item": 1, "score": None})
    assert [item["labelled"] for item in session.state()["items"]] == [True, True, False]
    first = lines(tmp_path / "labels.jsonl")[0]
    assert (first["score"], first["reason"], first["labeller"]) == (1.0, "clear", "anna")
    assert len(first["frames"]) == 32
    assert LabelSession(clips, session.config).scores == {0: 1.0, 1: None}


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"item": 9, "score": 1},
        {"item": 0, "score": 0.7},
        {"item": 0, "score": True},
        {"item": 0, "score": 1, "reason": 3},
        {"item": 0, "score": 1, "reason": "x" * (MAX_REASON + 1)},
    ],
)
def test_a_wrong_label_is_refused(session: LabelSession, said: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"item|reason"):
        session.label(said)
    assert not session.config.labels.exists()


def test_texts_of_labels_come_in_clean(tmp_path: Path) -> None:
    """Half letters and control characters would stand in reports and on terminals."""
    row = {
        "video": "a.mp4",
        "instruction": "open\x1b[31m it \ud83e",
        "score": 1.0,
        "reason": "yes\x07",
        "labeller": "ann\udc00",
    }
    (tmp_path / "labels.jsonl").write_text(json.dumps(row) + "\n")
    (labelled,) = read_labels(tmp_path / "labels.jsonl")
    assert labelled.clip.instruction == "open[31m it \ufffd"
    assert (labelled.labels[0].reason, labelled.labels[0].labeller) == ("yes", "ann\ufffd")
