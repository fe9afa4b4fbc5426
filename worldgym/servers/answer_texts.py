"""Parses a model's text so strictly that it cannot mean the opposite. A server that enforces a JSON
schema answers in its form. Others write any text, and no pattern can tell "success" from "success
was not achieved". So only two things are an answer: one JSON object in the form asked for, alone or
below a description that comes before it, and the bare value or `field: value` with nothing around
it. For anything else, the caller asks once more."""

from __future__ import annotations

import json
import re
import reprlib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from worldgym.io.text import clean

MOST_TRIED = 100  # opening braces of a text
THOUGHTS = re.compile(r"<(/?)(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
FENCE = re.compile(r"^```[a-z]*[ \t]*\n(?P<inside>[^`]*)\n?```$", re.IGNORECASE)
# on the line where an object begins
BEFORE = re.compile(r"\s*(?:`{1,3}(?:json)?)?\s*", re.IGNORECASE)
AFTER = re.compile(r"[\s`]*")
# what may stand around a value: quotes and emphasis, nothing that negates
WRAPPING = "\"'`*_ \t\n\u201c\u201d\u2018\u2019"
PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,6})?)\s?(%|percent)?")


def answer_fields(text: str, names: Sequence[str]) -> Mapping[str, Any]:
    """The values of all the fields, and the "reasoning" if there is one: from the one JSON object
    of the answer, or from lines `name: value` that are all there is; of a single field also the
    bare value.

    ValueError for anything else: two objects, a field named twice, unknown fields, words after the
    object or around a value."""
    said = _spoken(text)
    objects = list(_objects(said, names))
    if not objects:
        return _plain(said, names)
    value, start, end = objects[-1]
    line = said[:start].rpartition("\n")[2]
    below = said[end:]
    named = re.compile(rf"\b(?:{'|'.join(map(re.escape, names))})\b[\"'`*_\s]*[:=]", re.IGNORECASE)
    others = any(other.get(name) != value.get(name) for other, _, _ in objects for name in names)
    if others or named.search(said[: objects[0][1]]):
        raise ValueError("it gives several answers")
    if not (BEFORE.fullmatch(line) and AFTER.fullmatch(below)):
        raise ValueError("there are words around the answer")
    if unknown := sorted(value.keys() - {*names, "reasoning"}):
        raise ValueError(f"it has the field {reprlib.repr(unknown[0])}, which nobody asked for")
    if missing := [name for name in names if name not in value]:
        raise ValueError(f'it lacks the field "{missing[0]}"')
    return value


def one_of(said: Any, options: Sequence[str]) -> str:
    """The option that the value names as a whole, whatever its capitals, quotes, emphasis and full
    stop. ValueError if none."""
    for option in options if isinstance(said, str) else ():
        if _bare(option) == _bare(said):
            return option
    raise ValueError(f"{reprlib.repr(said)} is none of: {', '.join(options)}")


def percentage(said: Any) -> float:
    """A share in [0, 1] from a value in percent: 80, 80.0, "80", "80 %".

    ValueError for anything else, and for numbers above 0 and up to 1 without a percent sign, which
    may be meant as fractions."""
    if isinstance(said, str) and any("<su" in unicodedata.decomposition(c) for c in said):
        raise ValueError(f"{reprlib.repr(said)} has raised or lowered digits")
    number, signed = said, False
    if isinstance(said, str) and (match := PERCENT.fullmatch(_bare(said))):
        number, signed = float(match[1]), match[2] is not None
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number <= 100:
        raise ValueError(f"{reprlib.repr(said)} is no number from 0 to 100")
    if 0 < number <= 1 and not signed:
        raise ValueError(f"{reprlib.repr(said)} may be percent or a fraction")
    return number / 100


def _spoken(text: str) -> str:
    """What follows the model's thoughts. ValueError if they never end, so that no answer was
    given."""
    marks = list(THOUGHTS.finditer(text))
    closing = [bool(mark[1]) for mark in marks]
    if marks and (not closing[-1] or closing.count(False) > closing.count(True)):
        raise ValueError("its thoughts never end")
    # a prompt may have opened them, so a closing one suffices
    return clean(text[marks[-1].end() :] if marks else text).strip()


def _bare(text: str) -> str:
    """Small letters, one space between words, without quotes and emphasis around it and one full
    stop or exclamation mark."""
    inside = unicodedata.normalize("NFKC", text).strip(WRAPPING)
    if inside[-1:] in (".", "!", "\u3002") and inside[-2:-1] not in (".", "!"):
        inside = inside[:-1].rstrip(WRAPPING)
    return re.sub(r"[\s_-]+", " ", inside).casefold()


def _objects(text: str, names: Sequence[str]) -> Iterator[tuple[dict[str, Any], int, int]]:
    """(object, start, end) of every outermost JSON object that has one of the fields. ValueError
    for a key that comes twice."""
    known = {name.casefold(): name for name in names}

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key if key in names else known.get(key.strip().casefold(), key) for key, _ in pairs]
        if double := next((key for key in keys if keys.count(key) > 1), None):
            raise ValueError(f"it has the field {reprlib.repr(double)} twice")
        return dict(zip(keys, (value for _, value in pairs), strict=True))

    decoder = json.JSONDecoder(object_pairs_hook=once)
    position = text.find("{")
    tried = 0
    while position >= 0:
        tried += 1
        if tried > MOST_TRIED:
            raise ValueError("it has too many braces")
        try:
            value, end = decoder.raw_decode(text, position)
        except (json.JSONDecodeError, RecursionError):
            end = position + 1
        else:
            if any(name in value for name in names):
                yield value, position, end
        position = text.find("{", end)


def _plain(said: str, names: Sequence[str]) -> Mapping[str, Any]:
    """Without JSON: lines `name: value`, each name once and nothing else; of a single field the
    bare value too."""
    fenced = FENCE.fullmatch(said)
    lines = [line for line in (fenced["inside"] if fenced else said).splitlines() if line.strip()]
    if len(lines) != len(names):
        raise ValueError("no readable answer" if lines else "it is empty")
    found: dict[str, str] = {}
    for line in lines:
        label, mark, value = line.replace("**", "").replace("=", ":", 1).partition(":")
        name = next(
            (
                name
                for name in names
                if mark and label.strip(WRAPPING).casefold() == name.casefold()
            ),
            None,
        )
        if name is None and len(names) == 1:
            name = names[0]
            value = line
        if name is None or name in found:
            raise ValueError("no readable answer")
        found[name] = value
    return found
