"""Text from outside, made safe to store: a file in UTF-8, a page, a table or a terminal can hold
what `clean` returns. And numbers with their nouns."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

# half of a UTF-16 pair: no UTF-8, so neither JSON's reader nor a page takes it
_SURROGATE = re.compile("[\ud800-\udfff]")
# C0 and C1 but tab and newline: no XML, and a terminal obeys them
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def amount(number: int, noun: str) -> str:
    """ "1 trial", "2 trials", "2 batches"."""
    plural = "es" if noun.endswith("ch") else "s"
    return f"{number} {noun}" + ("" if number == 1 else plural)


def clean(text: str) -> str:
    """Lone surrogates become U+FFFD; control characters except newline and tab are removed."""
    if text.isprintable():  # most are, and a log has millions: neither of the two is in it
        return text
    return _CONTROL.sub("", _SURROGATE.sub("\ufffd", text))


def on_one_line(name: str) -> str:
    """A name from a file as a message can show it: what cannot be printed becomes "?"."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def cleaned(value: Any) -> Any:
    """A JSON value with every text in it cleaned, keys included."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {cleaned(key): cleaned(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(cleaned(item) for item in value)
    return value


def numbers_beyond(value: Any, place: str = "") -> Iterator[tuple[str, float]]:
    """(place, number) of the numbers in a JSON value that are not finite."""
    if isinstance(value, float) and not math.isfinite(value):
        yield place, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from numbers_beyond(item, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from numbers_beyond(item, f"{place}[{i}]")
