"""Which of two videos did better: what a person is told, and what is written down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from worldgym.errors import InputError
from worldgym.io.video import encode_mp4
from worldgym.judges.human_preferences import PairKey, read_answers
from worldgym.judges.label_session import LabelConfig
from worldgym.judges.labels import Clip
from worldgym.judges.pair_session import ClipPair, PairSession


@pytest.fixture
def pairs(tmp_path: Path) -> list[ClipPair]:
    """Of 12 trials of two policies, each video with a grey of its own."""
    made = []
    for trial in range(12):
        clips = []
        for who, name in enumerate(("alpha", "beta")):
            path = tmp_path / f"{name}-{trial}.mp4"
            grey = np.full((3, 16, 16, 3), 10 * trial + 100 * who, np.uint8)
            path.write_bytes(encode_mp4(grey, 10.0))
            clips.append(Clip(path, f"open door {trial}", task=f"door/{trial}"))
        made.append(ClipPair(PairKey(f"door/{trial}", 0, "alpha", "beta"), (clips[0], clips[1])))
    return made


@pytest.fixture
def config(tmp_path: Path) -> LabelConfig:
    return LabelConfig(tmp_path / "preferences.jsonl", "anna")


def drawn(session: PairSession) -> list[tuple[str, bool]]:
    return [(pair.key.task, session.swapped(i)) for i, pair in enumerate(session.pairs)]


def test_order_and_sides_are_of_the_pair_and_the_labeller_alone(
    pairs: list[ClipPair], config: LabelConfig
) -> None:
    anna = drawn(PairSession(pairs, config))
    assert anna == drawn(PairSession(pairs[::-1], config))
    ben = drawn(PairSession(pairs, LabelConfig(config.labels, "ben")))
    assert {name for name, _ in ben} == {name for name, _ in anna}
    assert [name for name, _ in ben] != [name for name, _ in anna]
    assert dict(ben) != dict(anna)
    assert {swapped for _, swapped in anna} == {False, True}
    some = dict(drawn(PairSession(pairs[:4], config)))
    assert some.items() <= dict(anna).items()  # trials that come later change no side


def test_an_answer_is_of_the_video_that_was_on_that_side(
    pairs: list[ClipPair], config: LabelConfig
) -> None:
    session = PairSession(pairs, config)
    wanted = list[tuple[str, str | None]]()
    for i, answer in enumerate(("left", "right", "equal", "skip", "left", "right", "left")):
        left = session.video(2 * i)
        names = (
            ("first", "second")
            if left == session.pairs[i].clips[0].video.read_bytes()
            else ("second", "first")
        )
        assert left != session.video(2 * i + 1)
        session.label({"pair": i, "answer": answer})
        winner = {"left": names[0], "right": names[1], "equal": "tie", "skip": None}[answer]
        wanted.append((session.pairs[i].key.task, winner))
    assert [(said.task, said.winner) for said in read_answers(config.labels)] == wanted
    assert {"first", "second"} <= {winner for _, winner in wanted}
    assert {said.labeller for said in read_answers(config.labels)} == {"anna"}
    with pytest.raises(IndexError):
        session.video(24)


def test_it_goes_on_where_it_stopped(pairs: list[ClipPair], config: LabelConfig) -> None:
    session = PairSession(pairs, config)
    for i in range(3):
        session.label({"pair": i, "answer": "skip"})
    again = PairSession(pairs[::-1], config)
    state = again.state()
    assert (state["done"], state["pairs"], state["next"]) == (3, 12, 3) and state == session.state()
    assert PairSession(pairs, LabelConfig(config.labels, "ben")).state()["done"] == 0
    for i in range(3, 12):
        again.label({"pair": i, "answer": "left"})
    assert again.state()["next"] is None and again.done() == "12 of 12 pairs answered"


def test_undo_takes_back_the_last_answer_also_of_an_earlier_session(
    pairs: list[ClipPair], config: LabelConfig
) -> None:
    session = PairSession(pairs, config)
    session.label({"pair": 0, "answer": "left"})
    session.label({"pair": 1, "answer": "left"})
    before = read_answers(config.labels)
    again = PairSession(pairs, config)
    assert again.state()["last"] == 1
    again.label({"undo": 1})
    assert again.state()["next"] == 1 and read_answers(config.labels) == before[:1]
    assert PairSession(pairs, config).state() == again.state()
    again.label({"pair": 1, "answer": "equal"})
    assert [said.winner for said in read_answers(config.labels)] == [before[0].winner, "tie"]
    again.label({"undo": again.state()["last"]})
    again.label({"undo": again.state()["last"]})
    assert again.state()["last"] is None
    assert read_answers(config.labels) == [] and again.state()["done"] == 0
    assert len(config.labels.read_text().splitlines()) == 6  # append-only
    with pytest.raises(InputError, match="nothing to take back"):
        again.label({"undo": 1})


def test_the_labeller_is_told_nothing(pairs: list[ClipPair], config: LabelConfig) -> None:
    session = PairSession(pairs, config)
    told = json.dumps(session.state())
    assert not any(secret in told for secret in ("alpha", "beta", ".mp4", "door/"))
    assert session.state()["instruction"].startswith("open door")


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"pair": 12, "answer": "left"},
        {"pair": -1, "answer": "left"},
        {"pair": True, "answer": "left"},
        {"undo": True},
        {"undo": 12},
        {"pair": 0, "answer": "first"},
        {"pair": 0, "answer": ["left"]},
    ],
)
def test_a_wrong_answer_is_refused(
    pairs: list[ClipPair], config: LabelConfig, said: dict[str, Any]
) -> None:
    session = PairSession(pairs, config)
    with pytest.raises(ValueError, match=r"^(pair|answer)$"):
        session.label(said)
    assert not config.labels.exists()


def test_a_pair_is_answered_once(pairs: list[ClipPair], config: LabelConfig) -> None:
    session = PairSession(pairs, config)
    session.label({"pair": 0, "answer": "left"})
    with pytest.raises(InputError, match="answered meanwhile"):
        session.label({"pair": 0, "answer": "right"})
    assert len(read_answers(config.labels)) == 1


def test_two_sessions_of_one_labeller_know_of_each_other(
    pairs: list[ClipPair], config: LabelConfig
) -> None:
    one, other = PairSession(pairs, config), PairSession(pairs, config)
    one.label({"pair": 0, "answer": "skip"})
    with pytest.raises(InputError, match="answered meanwhile"):
        other.label({"pair": 0, "answer": "left"})
    assert other.state()["next"] == 1 and other.done() == "1 of 12 pairs answered"
    other.label({"pair": 1, "answer": "skip"})
    one.label({"undo": 0})  # its own, not the last one
    assert (one.state()["next"], one.state()["last"]) == (0, 1)
    assert one.state() == other.state()
    with pytest.raises(InputError, match="nothing to take back"):
        other.label({"undo": 0})


def test_nothing_to_compare_and_nobody_who_does(pairs: list[ClipPair], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no two policies"):
        PairSession([], LabelConfig(tmp_path / "p.jsonl", "anna"))
    with pytest.raises(InputError, match="who compares"):
        PairSession(pairs, LabelConfig(tmp_path / "p.jsonl", " "))


def test_a_damaged_video_can_be_skipped_and_its_name_stays_unsaid(
    pairs: list[ClipPair], config: LabelConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    session = PairSession(pairs, config)
    session.pairs[0].clips[1].video.write_bytes(b"torn")
    beta = int(not session.swapped(0))
    for act in (
        lambda: session.label({"pair": 0, "answer": "left"}),
        lambda: session.video(beta),
        lambda: session.fps(beta),
    ):
        with pytest.raises(InputError, match=r"^this video cannot be read$"):
            act()
    assert "beta-" in capsys.readouterr().err
    session.label({"pair": 0, "answer": "skip"})
    assert [said.winner for said in read_answers(config.labels)] == [None]
    assert session.state()["next"] == 1
