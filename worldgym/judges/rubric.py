"""The question to a judge, and how an answer becomes a score in [0, 1].

success    success 1, failure 0
partial    success 1, partial 0.5, failure 0, by the task's written criterion; `success` where the
           task has none
progress   how much of the task is done, in percent
criteria   the task's own list, each met or not; a criterion counts only if all those it needs are
           met:
           "rubric": [{"id": "grasped", "criterion": "the cup is held", "points": 0.5},
                      {"id": "placed", "criterion": "the cup stands on the plate", "points": 0.5,
                      "needs": ["grasped"]}]

A model may always say that it cannot tell; such a vote has no score.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worldgym.errors import InputError
from worldgym.io.records import from_mapping, located
from worldgym.io.text import clean
from worldgym.servers.answer_texts import answer_fields, one_of, percentage
from worldgym.types import Task

KINDS = ("success", "partial", "progress", "criteria")
UNSURE = "cannot tell"
MET = ("met", "not met", UNSURE)
LEVELS = {"success": 1.0, "partial": 0.5, "failure": 0.0}
Answer = Mapping[str, Any]


@dataclass(frozen=True)
class Rubric:
    """kind: also the name of its prompt file.   fields: JSON schema of each field of the answer,
    the reasoning first.

    graded: votes are averaged by their median instead of counted.   wording: for the prompt's
    $criteria. score: answer => score, None if the model could not tell. It raises ValueError for an
    answer out of form."""

    kind: str
    fields: Mapping[str, Any]
    graded: bool
    wording: str
    score: Callable[[Answer], float | None]

    @property
    def schema(self) -> dict[str, Any]:
        properties = {"reasoning": {"type": "string"}, **self.fields}
        return {
            "type": "object",
            "properties": properties,
            "required": [*properties],
            "additionalProperties": False,
        }

    @property
    def form(self) -> str:
        """The answer's form in words, for the prompt: a server may ignore the schema."""
        parts = {
            name: " | ".join(field.get("enum", ["0 to 100"])) for name, field in self.fields.items()
        }
        return json.dumps({"reasoning": "what you saw, in one to three sentences", **parts})

    @property
    def reminder(self) -> str:
        """What is added to a question whose answer could not be read."""
        allowed = [f'"{name}" is exactly {_allowed(field)}' for name, field in self.fields.items()]
        return (
            "An earlier answer to this could not be read. Answer with one JSON object and nothing "
            "else, no word before or after "
            f"it, in which {'; '.join(allowed)}:\n{self.form}"
        )

    def read(self, text: str) -> tuple[float | None, str]:
        """(score, reasoning) of a model's answer; the score is None if it could not tell.
        ValueError if it cannot be read."""
        answer = answer_fields(text, tuple(self.fields))
        return self.score(answer), clean(str(answer.get("reasoning", "")))


def rubric_for(kind: str, task: Task, backwards: bool = False) -> Rubric:
    """The rubric of this kind for a task. backwards: options in reverse order, to test whether
    their order matters.

    InputError for "criteria" where the task has no list, or a wrong one.
    """
    if kind == "progress":
        return Rubric(kind, {"progress": {"type": "integer"}}, True, "", _progress)
    if kind == "criteria":
        criteria = _criteria(task)
        fields = {c.id: _options(list(MET), backwards) for c in criteria}
        return Rubric(
            kind,
            fields,
            True,
            "\n".join(c.wording for c in criteria),
            lambda answer: _sum(criteria, answer),
        )
    levels = list(LEVELS) if kind == "partial" and task.partial_credit else ["success", "failure"]
    fields = {"verdict": _options([*levels, UNSURE], backwards)}
    return Rubric(
        "partial" if len(levels) == 3 else "success",
        fields,
        False,
        task.partial_credit,
        lambda a: _level(levels, a),
    )


def _allowed(field: Mapping[str, Any]) -> str:
    options = field.get("enum")
    return (
        f"one of: {', '.join(options)}" if options else "a whole number from 0 to 100, in percent"
    )


def _options(values: list[str], backwards: bool) -> dict[str, Any]:
    return {"type": "string", "enum": values[::-1] if backwards else values}


def _level(levels: Sequence[str], answer: Answer) -> float | None:
    return LEVELS.get(one_of(answer["verdict"], [*levels, UNSURE]))


def _progress(answer: Answer) -> float:
    return percentage(answer["progress"])


@dataclass(frozen=True)
class Criterion:
    """A row of a task's list, by the names in the file."""

    id: str
    criterion: str
    points: float
    needs: tuple[str, ...] = ()

    @property
    def wording(self) -> str:
        return f"- {self.id}: {self.criterion}" + (
            f" (only if also met: {', '.join(self.needs)})" if self.needs else ""
        )


def _criteria(task: Task) -> list[Criterion]:
    """Criteria in the task's order; each may need only earlier ones, so there are no circles, and
    the points sum to 1."""
    where = f'task {task.name}, "rubric"'
    rows = task.extras.get("rubric")
    if not isinstance(rows, list) or not rows:
        raise InputError(
            f'{where}: missing; write a list of {{"id", "criterion", "points", "needs"}}, or '
            f"choose another rubric"
        )
    criteria: list[Criterion] = []
    for number, row in enumerate(rows):
        with located(f"task {task.name}"):
            one = from_mapping(Criterion, row, place=f"rubric[{number}]")
        known = {c.id for c in criteria}
        if one.id in known or one.id == "reasoning" or not re.fullmatch(r"[A-Za-z]\w*", one.id):
            raise InputError(f'{where}: "{one.id}" is no id of its own; use letters, digits and _')
        if missing := [name for name in one.needs if name not in known]:
            raise InputError(
                f'{where}: "{one.id}" needs "{missing[0]}", but no earlier criterion has this id'
            )
        criteria.append(one)
    if any(c.points < 0 for c in criteria) or abs(sum(c.points for c in criteria) - 1) > 1e-5:
        raise InputError(f"{where}: the points must be 0 or more and sum to 1")
    return criteria


def _sum(criteria: Sequence[Criterion], answer: Answer) -> float | None:
    said_of = {criterion.id: one_of(answer[criterion.id], MET) for criterion in criteria}
    if UNSURE in said_of.values():
        return None
    met: dict[str, bool] = {}
    for criterion in criteria:
        said = said_of[criterion.id]
        met[criterion.id] = said == "met" and all(met[name] for name in criterion.needs)
    # rounded: 0.7 + 0.2 + 0.1 is a full success, and so are three points of 0.333333
    total = math.fsum(criterion.points for criterion in criteria)
    return round(math.fsum(c.points for c in criteria if met[c.id]) / total, 6)
