"""Answers to scores, votes to verdicts, rules to frames: without a server."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldgym.errors import InputError
from worldgym.judges.frame_selection import check_most, choose_frames, pictures
from worldgym.judges.rubric import rubric_for
from worldgym.judges.vlm import filled
from worldgym.judges.voting import combine_votes, read_vote
from worldgym.servers.model_client import Answer
from worldgym.servers.provider import Reply
from worldgym.types import Task, Vote

TASK = Task(
    "cup/1", "cup", np.zeros((8, 8, 3), np.uint8), "put the cup on the plate", 4, "the cup is held"
)
CRITERIA = [
    {"id": "held", "criterion": "the cup is held", "points": 0.3},
    {"id": "above", "criterion": "the cup is above the plate", "points": 0.2, "needs": ["held"]},
    {
        "id": "placed",
        "criterion": "the cup stands on the plate",
        "points": 0.5,
        "needs": ["held", "above"],
    },
]


def score(text: str, kind: str = "partial", task: Task = TASK) -> float | None:
    return rubric_for(kind, task).read(text)[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"reasoning": "r", "verdict": "success"}', 1.0),
        ('{"reasoning": "r", "verdict": "partial"}', 0.5),
        ('{"verdict": "failure"}', 0.0),
        ('{"verdict": "cannot tell"}', None),
        ('```json\n{"reasoning": "a {brace}", "verdict": "success"}\n```', 1.0),
        ('<think>maybe {"verdict": "failure"}</think> {"verdict": "success"}', 1.0),
        ('The cup stands there.\n\n{"verdict": "success"}', 1.0),
        ('The prompt opened the thoughts.</think>\n```json\n{"verdict": "partial"}\n```', 0.5),
        ('{"Verdict": "Success"}', 1.0),
        ('{"verdict": "success."}', 1.0),
        ('{"verdict": "CANNOT_TELL"}', None),
        ("success", 1.0),
        ("**Failure.**", 0.0),
        ("Verdict: Success", 1.0),
        ("**Verdict:** success", 1.0),
        ("**verdict** = cannot tell", None),
        ("```\npartial\n```", 0.5),
    ],
)
def test_an_answer_in_many_dresses(text: str, expected: float | None) -> None:
    assert score(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{" * 5000 + '{"verdict": "failure"}',
        "verdict: success, for the cup stands there",
        "The cup stands there.\nVerdict: Success.",
        '<think>it could be {"verdict": "success"}',
        '<think>a <think>b</think>\n{"verdict": "success"}',
        '{"verdict": "success"}\n{"verdict": "failure"}',
        'Verdict: failure\n{"verdict": "success"}',
        '{"verdict": "failure", "verdict": "success"}',
        '{"verdict": "failure", "Verdict": "success"}',
        '{"verdict": "success", "correction": "failure"}',
        'It is not {"verdict": "success"}',
        '{"verdict": "success"} would be wrong.',
        '{"verdict": "partial success"}',
        '{"verdict": ["success"]}',
        '[{"verdict": "success"}]',
        "success?",
        "~~success~~",
        "> success",
        "no verdict",
        '{"verdict": 1}',
        '{"verdict": "unsuccessful"}',
        '{"other": 2}',
        "verdict: success\nverdict: failure",
        '"verdict": "success | partial | failure | cannot tell"',
        "The verdict: success or failure? I would need more frames.",
        "verdict = success/failure",
    ],
)
def test_what_cannot_be_read_is_no_score(text: str) -> None:
    with pytest.raises(ValueError):
        score(text)


def test_a_range_is_no_progress() -> None:
    rubric = rubric_for("progress", TASK)
    for text in ("progress: 0-100", "progress: 50/100", "50 to 60"):
        with pytest.raises(ValueError, match="is no number from 0 to 100"):
            rubric.read(text)


@given(st.text())
def test_any_text_is_a_score_or_unreadable(text: str) -> None:
    vote = read_vote(Answer(Reply(text, "stop", 1, 1, "m"), 0.0, True), rubric_for("partial", TASK))
    assert vote.score in (0.0, 0.5, 1.0) or (vote.score is None and vote.reason)


def test_partial_without_a_criterion_asks_for_success_alone() -> None:
    rubric = rubric_for("partial", replace(TASK, partial_credit=""))
    assert rubric.kind == "success" and "partial" not in rubric.form
    with pytest.raises(ValueError, match="partial"):
        rubric.score({"verdict": "partial"})


def test_options_backwards() -> None:
    forward, backward = (
        rubric_for("partial", TASK, turned).schema["properties"]["verdict"]["enum"]
        for turned in (False, True)
    )
    assert forward == backward[::-1] == ["success", "partial", "failure", "cannot tell"]


def test_progress() -> None:
    assert score('{"reasoning": "", "progress": 40}', "progress") == 0.4
    assert (
        score("Progress: 100", "progress")
        == score("**100 %**", "progress")
        == score('{"progress": "100%"}', "progress")
        == 1.0
    )
    assert (
        score('{"progress": 0.0}', "progress") == 0.0
        and score('{"progress": "1%"}', "progress") == 0.01
    )
    fractions = ('{"progress": 0.8}', '{"progress": 1.0}', '{"progress": 1}', "progress: 0.8", "1")
    for wrong in (
        '{"progress": 120}',
        '{"progress": true}',
        '{"progress": "some"}',
        "progress: 5, progress: 6",
        *fractions,
    ):
        with pytest.raises(ValueError):
            score(wrong, "progress")


@pytest.mark.parametrize(
    ("met", "expected"),
    [
        ("", 0.0),
        ("held", 0.3),
        ("held above", 0.5),
        ("held above placed", 1.0),
        ("above placed", 0.0),
    ],
)
def test_a_criterion_counts_only_with_those_it_needs(met: str, expected: float) -> None:
    task = replace(TASK, extras={"rubric": CRITERIA})
    said = {str(c["id"]): "met" if str(c["id"]) in met.split() else "not met" for c in CRITERIA}
    assert score(json.dumps(said), "criteria", task) == pytest.approx(expected)
    assert score(json.dumps({**said, "held": "cannot tell"}), "criteria", task) is None
    assert "only if also met: held, above" in rubric_for("criteria", task).wording


@pytest.mark.parametrize("points", [(0.7, 0.2, 0.1), (0.333333,) * 3, (0.1, 0.2, 0.7)])
def test_all_criteria_met_are_a_full_success(points: tuple[float, ...]) -> None:
    """Whatever the last bits of their sum."""
    rows = [
        {"id": name, "criterion": name, "points": p} for name, p in zip("abc", points, strict=True)
    ]
    task = replace(TASK, extras={"rubric": rows})
    assert score(json.dumps(dict.fromkeys("abc", "met")), "criteria", task) == 1.0
    halves = [
        {"id": name, "criterion": name, "points": p}
        for name, p in zip("abcd", (0.1, 0.2, 0.2, 0.5), strict=True)
    ]
    said = {name: "met" if name != "d" else "not met" for name in "abcd"}
    assert score(json.dumps(said), "criteria", replace(TASK, extras={"rubric": halves})) == 0.5


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"needs": ["placed"]}, "no earlier criterion"),
        ({"id": "above"}, "no id of its own"),
        ({"points": 0.9}, "sum to 1"),
        ({"points": "many"}, "a number"),
        (None, "missing"),
    ],
)
def test_a_wrong_list_of_criteria_is_named(change: dict[str, Any] | None, fault: str) -> None:
    rows = None if change is None else [{**CRITERIA[0], **change}, *CRITERIA[1:]]
    with pytest.raises(InputError, match=fault):
        rubric_for("criteria", replace(TASK, extras={"rubric": rows}))


def votes(*scores: float | None) -> list[Vote]:
    return [Vote(score, "seen" if score is not None else "refused: no") for score in scores]


@pytest.mark.parametrize(
    ("scores", "expected", "reason"),
    [
        ((1.0, 1.0, 0.0), 1.0, "2 of 3 votes"),
        ((1.0, 0.0), None, "the votes tie: 1, 0"),
        ((1.0, 1.0, 0.5, 0.5, 0.0), None, "tie"),
        ((1.0, 1.0, 0.5, 0.0, 0.0), None, "tie"),
        ((0.5, 0.5, 0.0, 1.0, None), 0.5, "2 of 5 votes"),
        (
            (1.0, None, None),
            None,
            r"1 of 3 votes have a score, and more than half must: refused \(2\)",
        ),
        ((1.0, None), None, "more than half"),
        ((None,), None, "0 of 1"),
    ],
)
def test_majority_and_its_ties(
    scores: tuple[float | None, ...], expected: float | None, reason: str
) -> None:
    decision = combine_votes(votes(*scores), rubric_for("partial", TASK))
    assert decision.score == expected
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(decision.reason)


def test_graded_votes_take_the_median() -> None:
    decision = combine_votes(votes(0.2, 0.9, 0.4, None), rubric_for("progress", TASK))
    assert (decision.score, decision.progress) == (0.4, 0.4)


@pytest.mark.parametrize(
    ("rule", "count", "expected"),
    [
        ("first", 9, (0,)),
        ("last", 9, (8,)),
        ("first+last", 9, (0, 8)),
        ("first+last", 1, (0,)),
        ("even:3", 9, (0, 4, 8)),
        ("even:1", 9, (8,)),
        ("even:99", 4, (0, 1, 2, 3)),
        ("every:3", 9, (0, 3, 6, 8)),
        ("every:1", 3, (0, 1, 2)),
    ],
)
def test_frames_are_chosen_by_the_rule(rule: str, count: int, expected: tuple[int, ...]) -> None:
    assert choose_frames(rule, count, 64) == expected


def test_of_a_long_video_as_many_frames_as_may_be_sent_are_shown_evenly_spaced() -> None:
    chosen = choose_frames("every:3", 201, 64)
    assert len(chosen) == 64 and (chosen[0], chosen[-1]) == (0, 200)
    assert {b - a for a, b in pairwise(chosen)} == {3, 4}


@pytest.mark.parametrize(
    ("rule", "most"), [("even:65", 64), ("every:2", 1), ("first+last", 1), ("last", 0)]
)
def test_a_bound_that_no_video_keeps_is_refused(rule: str, most: int) -> None:
    with pytest.raises(InputError, match=f"max_frames is {most}"):
        check_most(rule, most)


def test_a_picture_is_known_by_its_pixels() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (3, 20, 30, 3), np.uint8)
    one, two = pictures(frames, (0, 2), None), pictures(frames.copy(), (0, 2), None, "video A")
    assert [p.digest for p in one] == [p.digest for p in two] and one[0].digest != one[1].digest
    assert [p.label for p in two] == ["video A, frame 0 of 2", "video A, frame 2 of 2"]
    assert pictures(frames, (0,), 15)[0].digest != one[0].digest


def test_a_criterion_of_success_is_told_to_the_model() -> None:
    task = Task("a", "a", np.zeros((4, 4, 3), np.uint8), "close it", 1)
    told = [
        filled("$instruction", t, rubric_for("success", t))
        for t in (task, replace(task, success="it is shut"))
    ]
    assert told == ["close it", "close it (done when: it is shut)"]
