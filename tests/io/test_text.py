from __future__ import annotations

import json
import math

from hypothesis import given
from hypothesis import strategies as st

from worldgym.io.text import clean, cleaned, numbers_beyond

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


def test_numbers_that_are_not_finite_are_found_by_their_place() -> None:
    value = {"a": [1, {"b": math.inf}], "c": 10**400, "d": -math.inf, "e": [1e308, "nan", True]}
    assert list(numbers_beyond(value)) == [("a[1].b", math.inf), ("d", -math.inf)]
    assert [where for where, _ in numbers_beyond([math.nan])] == ["[0]"]
