"""Ways of saying it: whatever a model writes, no score comes out that it did not mean."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random

import numpy as np
import pytest

from worldgym.judges.pairwise import RUBRIC as PREFERENCE
from worldgym.judges.rubric import Rubric, rubric_for
from worldgym.types import Task

FRAME = np.zeros((8, 8, 3), np.uint8)
CRITERIA = [
    {"id": "held", "criterion": "it is held", "points": 0.5},
    {"id": "placed", "criterion": "it stands", "points": 0.5},
]
TASK = Task(
    "cup/1",
    "cup",
    FRAME,
    "put the cup on the plate",
    4,
    "the cup is held",
    extras={"rubric": CRITERIA},
)
NUMBER = 500

# Each of these means something else than the bare word or is open to doubt; {w} is a word that the
# rubric allows.
TURNED = [
    "{w} was not achieved",
    "{w} cannot be confirmed from these frames",
    "{w} not shown",
    "not {w}",
    "NOT {w}",
    "no {w}",
    "not a {w}",
    "un{w}",
    "{w}? No, the gripper missed the handle",
    "{w} is unlikely; the robot clearly did otherwise",
    "anything but {w}",
    "far from {w}",
    "{w} (almost)",
    "nearly {w}",
    "partly {w}",
    "{w}, or maybe not",
    "possibly {w}",
    "{w}/unsure",
    "{w}?",
    "{w}...",
    "~~{w}~~",
    "<del>{w}</del>",
    "!{w}",
    "≠ {w}",
    "{w} = false",
    "{w}: 40 %",
    'the form asks for "{w}", which it is not',
    'someone may call it "{w}"',
    "> {w}",
    "kein {w}",
    "{w} wurde nicht erreicht",
    "pas de {w}",
    "{w} non atteint",
    "没有{w}",
    "{w}ではない",
    "не {w}",
    "{w} or {v}",
    "{w}, then {v}",
    "{v} | {w}",
    "first {w}, in the end {v}",
    "if the last frame is right, {w}",
]
LABELS = [
    "",
    "{n}: ",
    "**{n}:** ",
    "**{n}**: ",
    "Final {n}: ",
    "{n} = ",
    "- {n}: ",
    "# {n}: ",
    "My {n} is ",
    '"{n}": ',
]
WRAPPED = [
    "{s}",
    "{s}",
    "{s}.",
    "The arm moves to the cup.\n{s}",
    "{s}\n\nThe cup was moved.",
    "**{s}**",
    "```\n{s}\n```",
    "`{s}`",
    "| {s} |",
]
JSON_VALUES = [
    '{{"reasoning": "seen", "{n}": {s}}}',
    '```json\n{{"{n}": {s}}}\n```',
    'I saw it all.\n{{"{n}": {s}}}',
]
QUOTED = [
    "It would be wrong to answer {j}",
    "It would be wrong to answer {j}.",
    "{j} is what I would say if it had been done.",
    "{j}\nis not what I see.",
    "<think>perhaps {j}",
    "<think>perhaps</think> <think>or {j}",
    "{j}\n{k}",
    "{k}\nNo: {j}",
    "Draft: {k}\n\nAnswer: {j}",
    "[{j}, {k}]",
    "{n}: {v}\n{j}",
]
TWICE = [
    '{{"{n}": {a}, "{n}": {b}}}',
    '{{"{n}": {a}, "other_{n}": {b}}}',
    '{{"{n}": [{a}, {b}]}}',
    '{{"{n}": {{"{n}": {a}}}}}',
]


def words(rubric: Rubric, random: Random) -> tuple[str, str, str]:
    """A field, one of its words and another."""
    name = random.choice(list(rubric.fields))
    one, other = random.sample(rubric.fields[name].get("enum") or ["0.8", "1.0", "0.25", "1"], 2)
    return name, random.choice([one, one.upper(), one.capitalize()]), other


def twisted(rubric: Rubric, random: Random) -> str:
    """A sentence that is no plain answer."""
    name, word, other = words(rubric, random)
    one, two = (json.dumps({"reasoning": "r", name: text}) for text in (word, other))
    said = random.choice(TURNED).format(w=word, v=other)
    kinds: list[Callable[[], str]] = [
        lambda: random.choice(WRAPPED).format(s=random.choice(LABELS).format(n=name) + said),
        lambda: random.choice(JSON_VALUES).format(
            n=name, s=json.dumps(said, ensure_ascii=random.random() < 0.5)
        ),
        lambda: random.choice(QUOTED).format(j=one, k=two, n=name, v=other),
        lambda: random.choice(TWICE).format(n=name, a=json.dumps(word), b=json.dumps(other)),
    ]
    return random.choices(kinds, [3, 1, 1, 1])[0]()


RUBRICS = [
    *(rubric_for(kind, TASK) for kind in ("success", "partial", "criteria", "progress")),
    PREFERENCE,
]


@pytest.mark.parametrize("rubric", RUBRICS, ids=lambda rubric: str(rubric.kind))
def test_no_phrasing_that_means_something_else_gets_a_score(rubric: Rubric) -> None:
    random, seen = Random(f"{rubric.kind}"), set[str]()
    while len(seen) < NUMBER:
        seen.add(twisted(rubric, random))
    for text in seen:
        try:
            score, _ = rubric.read(text)
        except ValueError:
            continue
        raise AssertionError(f"{text!r} was read as {score}")


PLAIN = [
    "{w}",
    "{w}.",
    "{w}!",
    "**{w}**",
    '"{w}"',
    "`{w}`",
    "\n {w} \n",
    "**{w}.**",
    "“{w}”",
    "{n}: {w}",
    "**{n}:** {w}",
    "{n} = {w}.",
]
ANSWERS = [
    '{{"reasoning": "it is not clear {{yet}}", "{n}": "{w}"}}',
    '```json\n{{"{n}": "{w}"}}\n```',
    'It was not done at first.\n\n{{"reasoning": "then it was", "{n}": "{w}"}}',
    '<think>Not {v}? No.</think>{{"{n}": "{w}"}}',
    'surely {v}</think>\n{{"{N}": "{w}."}}',
]


@pytest.mark.parametrize(
    "rubric",
    [rubric for rubric in RUBRICS if len(rubric.fields) == 1],
    ids=lambda rubric: str(rubric.kind),
)
def test_every_plain_answer_is_read(rubric: Rubric) -> None:
    (name,) = rubric.fields
    allowed = rubric.fields[name].get("enum") or ["0", "35", "80", "100", "12.5"]
    for word in allowed:
        meant = rubric.score({name: word})
        for form in [*PLAIN, *ANSWERS]:
            for said in (word, word.upper(), word.capitalize()):
                text = form.format(n=name, N=name.upper(), w=said, v="other")
                assert rubric.read(text)[0] == meant, text


def test_criteria_are_read_from_lines_that_are_all_there_is() -> None:
    rubric = rubric_for("criteria", TASK)
    assert rubric.read("held: met\nplaced: not met\n")[0] == 0.5
    for text in (
        "held: met",
        "held: met\nheld: met",
        "held: met\nplaced: met\nor not",
        "held: met\nplaced: not quite met",
    ):
        with pytest.raises(ValueError):
            rubric.read(text)
