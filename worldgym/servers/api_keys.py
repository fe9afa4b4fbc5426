"""Keys from the environment, and texts from which they are removed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from html import escape

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
    """Values that must not reach any file or screen."""

    def __init__(self, values: Iterable[str]) -> None:
        self._values = [value for value in values if len(value) >= LEAST]
        longest_first = sorted(self._values, key=len, reverse=True)
        patterns = ["".join(map(_any_form, value)) for value in longest_first]
        self._pattern = re.compile("|".join(patterns), re.IGNORECASE) if patterns else None

    def hide(self, text: str) -> str:
        """The text with "[key]" instead of each of them, also where characters of it are
        escaped as in JSON, Python or HTML, or encoded as in an address."""
        return text if self._pattern is None else self._pattern.sub("[key]", text)

    def inside(self, data: bytes) -> bool:
        return any(value.encode() in data for value in self._values)


def _any_form(character: str) -> str:
    """A pattern of one ASCII character as it is or escaped: a, \\u0061, \\x61, %61, %2561, &#97;,
    &#x61;, and with up to four backslashes before it, which is what JSON in JSON makes of one."""
    number = ord(character)
    forms = (
        rf"\\{{0,4}}{re.escape(character)}",
        rf"\\{{1,4}}(?:u00|x){number:02x}",
        rf"%(?:25)?{number:02x}",
        rf"&\#(?:0{{0,5}}{number}|x0{{0,4}}{number:x});",
        re.escape(escape(character)),
    )
    return f"(?:{'|'.join(dict.fromkeys(forms))})"
