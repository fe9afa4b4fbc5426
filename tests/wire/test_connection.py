"""What a server says is shown on one line."""

from __future__ import annotations

from worldgym.wire.connection import SHOWN, shortened


def test_a_servers_words_do_not_steer_the_terminal() -> None:
    assert shortened("it \x1b[31mfailed\x07\n here") == "it [31mfailed here"
    assert len(shortened("word " * 1000)) <= SHOWN
