"""Keys from the environment, and texts in which none of them stands."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from html import escape
from urllib.parse import quote, quote_plus

from worldgym.errors import InputError

# characters; a shorter value, such as "EMPTY" for a server that wants any, is no secret, and may be
# a word
LEAST = 6
USABLE = re.compile(r"[!-~]+")  # what a header can carry


def from_environment(variable: str, what: str) -> str:
    """Its value without blanks and line breaks around it. InputError where it is missing, or no
    header can carry it."""
    value = os.environ.get(variable, "").strip()
    if not value:
        raise InputError(
            f"no {what}: set the environment variable {variable}, or name another one in the "
            f"description"
        )
    if not USABLE.fullmatch(value):
        raise InputError(
            f"the {what} in {variable} holds a blank, a line break or a letter that no key has; "
            f"set it again without"
        )
    return value


class Secrets:
    """Values that must reach no file and no screen."""

    def __init__(self, values: Iterable[str]) -> None:
        self._values = [value for value in values if len(value) >= LEAST]
        forms = {form for value in self._values for form in _forms(value)}
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        self._pattern = (
            re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE) if forms else None
        )

    def hide(self, text: str) -> str:
        """The text with "[key]" in the place of each of them, also where it is quoted or encoded as
        in an address."""
        return text if self._pattern is None else self._pattern.sub("[key]", text)

    def inside(self, data: bytes) -> bool:
        return any(value.encode() in data for value in self._values)


def _forms(value: str) -> set[str]:
    quoted = {quote(value), quote(value, safe=""), quote_plus(value), escape(value)}
    return {value, repr(value)[1:-1], json.dumps(value)[1:-1], value.replace("/", "\\/"), *quoted}
