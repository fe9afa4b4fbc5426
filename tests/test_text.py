"""Whatever a file holds, what is left can be shown, encoded and sent."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from worldgym.text import clean

ANY = st.text(st.characters(codec=None, exclude_categories=()))


@given(ANY)
def test_what_is_left_encodes_and_holds_no_control_characters(text: str) -> None:
    plain = clean(text)
    plain.encode()
    assert not any((ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160 for c in plain)
    assert clean(plain) == plain


@given(st.text(st.characters(exclude_categories=("Cs", "Cc"))))
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert clean(text) == text


def test_examples() -> None:
    assert clean("a\ud800b\x1b[31mc\td\ne\x85") == "a\ufffdb[31mc\td\ne"
