"""What an address says, whatever is served there."""

from __future__ import annotations

import pytest

from worldgym.errors import InputError
from worldgym.io.named_source import NamedSource
from worldgym.wire.server_address import WAITING, ServerAddress, has_scheme

FORM = "ws://HOST:PORT"


def parsed(text: str, timeout: float = 9.0) -> ServerAddress:
    source = NamedSource.parse(text, "world")
    source.check_options(*WAITING)
    return ServerAddress.of(source, FORM, timeout)


def test_an_address_with_and_without_everything() -> None:
    whole = parsed("wss://[::1]:7777/p?timeout=2.5&patience=1&key_env=KEY")
    assert whole == ServerAddress("wss", "::1", 7777, "/p", 2.5, 1.0, "KEY")
    assert (whole.url, whole.secure) == ("wss://[::1]:7777/p", True)
    plain = parsed("ws://example.org")
    assert plain == ServerAddress("ws", "example.org", 8000, "", 9.0) and plain.headers() == {}
    assert has_scheme("ws://h", ("ws", "wss")) and not has_scheme("ws:h", ("ws",))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ws://", "must look like ws://HOST:PORT, without a user"),
        ("ws://me:secret@h", "without a user or a password"),
        ("ws://h:port", "must look like"),
        ("ws://h?timeout=0", "give seconds above 0"),
        ("ws://h?chunk=8", 'the unknown option "chunk"'),
        ("ws://h?timeout=1&timeout=2", "an option is given twice"),
    ],
)
def test_what_is_no_address_of_a_world_is_called_so(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as error:
        parsed(text)
    assert str(error.value).startswith("world ")
