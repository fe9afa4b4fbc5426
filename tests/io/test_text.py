from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from worldgym.io.text import clean, cleaned

ANY_TEXT = st.text(st.characters(codec=None))  # lone surrogates and control characters too


def test_what_is_replaced_and_what_is_removed() -> None:
    assert clean("a\ud800b\udfffc") == "a\ufffdb\ufffdc"
    assert (
        clean("bell\a, escape\x1b[31m, \x9b, return\r\n and tab\t")
        == "bell, escape[31m, , return\n and tab\t"
    )
    assert clean("öffne die Schublade 引き出し 🤖") == "öffne die Schublade 引き出し 🤖"


@given(ANY_TEXT)
def test_the_result_can_be_written_and_does_not_change_again(text: str) -> None:
    once = clean(text)
    once.encode()
    assert clean(once) == once


@given(
    st.recursive(
        ANY_TEXT | st.integers() | st.none(), lambda x: st.lists(x) | st.dictionaries(ANY_TEXT, x)
    )
)
def test_every_text_of_a_json_value_is_cleaned(value: object) -> None:
    json.dumps(cleaned(value), ensure_ascii=False).encode()
