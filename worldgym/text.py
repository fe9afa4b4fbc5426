"""Text from files and servers, made safe to show, store and send."""

from __future__ import annotations

import re

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # of C0 and C1, all but newline and tab
_SURROGATES = re.compile(r"[\ud800-\udfff]")


def clean(text: str) -> str:
    """The text without control characters other than newline and tab; lone surrogates become U+FFFD."""
    return _SURROGATES.sub("�", _CONTROLS.sub("", text))
