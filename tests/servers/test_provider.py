"""What stands between a question and a server's answer: keys, addresses, proxies, patience, and
every odd body."""

from __future__ import annotations

import json
import time
import traceback
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from model_server import SUCCESS, ModelServer, Said

from worldgym.errors import InputError, JudgeOutage, JudgeStopped, WorldGymError
from worldgym.servers.api_keys import Secrets
from worldgym.servers.model_client import Answer, ModelClient
from worldgym.servers.openai_provider import read_completion
from worldgym.servers.provider import (
    MAX_REPLY,
    Busy,
    Question,
    Rejected,
    Server,
    Stopped,
    fault,
)
from worldgym.servers.votes import Ledger, Price

KEY = "sk-live/Topsecret+0123456789=="
FORM = {"type": "object", "properties": {"verdict": {"type": "string"}}}
Ask = Callable[..., Answer]


@pytest.fixture
def ask(model_server: ModelServer, tmp_path: Path) -> Ask:
    """Asks the server once more for each call, with these fields of its description."""

    def once(prompt: str = "Was it done?", **fields: Any) -> Answer:
        server = Server(
            **{
                "model": "tiny",
                "base_url": model_server.url,
                "attempts": 2,
                "timeout_seconds": 5.0,
                **fields,
            }
        )
        client = ModelClient(
            server, tmp_path / "votes", Ledger(Price(1.0, 20.0)), wait=lambda seconds: None
        )
        return client.ask(Question(prompt, (), FORM), 1)[0]

    return once


@pytest.mark.parametrize("stray", ["\r", "\n", "  ", "\t"])
def test_a_stray_line_break_around_a_key_is_left_out(
    ask: Ask, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch, stray: str
) -> None:
    monkeypatch.setenv("MY_KEY", f"{stray}{KEY}{stray}")
    ask(api_key_env="MY_KEY")
    assert model_server.headers[0]["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("inside", ["sk-live\r-1", "sk live", "sk-líve", "sk-\x00", " \r\n "])
@pytest.mark.parametrize("provider", ["openai", "gemini", "openai-images", "gemini-images"])
def test_a_key_that_no_header_can_carry_is_refused_before_anything_is_sent(
    ask: Ask, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch, inside: str, provider: str
) -> None:
    if provider.startswith("gemini"):
        pytest.importorskip("google.genai", reason="the extra [gemini] is not installed")
    if "\x00" not in inside:  # no environment can hold it
        monkeypatch.setenv("MY_KEY", inside)
    with pytest.raises(InputError, match="MY_KEY") as refused:
        ask(provider=provider, api_key_env="MY_KEY")
    assert inside.strip() == "" or inside not in str(refused.value)
    assert not model_server.requests


def echoes(model_server: ModelServer, kind: str) -> Callable[[dict[str, Any], int], Said]:
    """Answers that quote the head of the request."""

    def script(request: dict[str, Any], number: int) -> Said:
        head = json.dumps(model_server.headers[number])
        if kind == "vote":
            return Said(json.dumps({"reasoning": head, "verdict": "success"}))
        if kind == "model":
            body = json.loads(ModelServer.reply("", Said()))
            return Said(kind="raw", body=json.dumps({**body, "model": head}).encode())
        if kind == "refusal":
            return Said(refusal=head)
        if kind == "garbage":
            return Said(kind="raw", body=f"<pre>{head}</pre>".encode())
        # cut in the middle of the key
        return Said(status=int(kind), body=("x" * 270 + head).encode())

    return script


@pytest.mark.parametrize(
    "kind", ["vote", "model", "refusal", "garbage", "400", "401", "429", "500", "302"]
)
@pytest.mark.parametrize("provider", ["openai", "gemini"])
def test_no_key_in_any_text_that_leaves_a_provider(
    ask: Ask,
    model_server: ModelServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    kind: str,
    provider: str,
) -> None:
    url = model_server.url
    if provider == "gemini":
        pytest.importorskip("google.genai", reason="the extra [gemini] is not installed")
        url = url.removesuffix("/v1")
    monkeypatch.setenv("MY_KEY", KEY)
    monkeypatch.setenv("SECOND", "another/secret+1234")
    model_server.script = echoes(model_server, kind)
    said = ""
    try:
        answer = ask(
            provider=provider,
            base_url=url,
            api_key_env="MY_KEY",
            headers={"x-second-key": "env:SECOND"},
        )
        said = repr(answer)
    except WorldGymError as error:
        said = (
            "".join(traceback.format_exception(error))
            + repr(error.__context__)
            + repr(error.__cause__)
        )
    files = " ".join(path.read_text() for path in (tmp_path / "votes").rglob("*") if path.is_file())
    assert any(KEY in value for value in model_server.headers[0].values())
    for text in (said, files):
        assert not any(part in text for part in ("Topsecret", "sk-live", "another/secret", "1234"))


def test_a_secret_is_hidden_however_it_is_written() -> None:
    secrets = Secrets([KEY, "EMPTY"])
    for form in (
        KEY,
        KEY.lower(),
        "sk-live%2FTopsecret%2B0123456789%3D%3D",
        "sk-live\\/Topsecret+0123456789==",
        json.dumps(KEY).replace("/", "\\u002F").strip('"'),
        "".join(f"\\u{ord(letter):04x}" for letter in KEY),
        "".join(f"\\\\u{ord(letter):04X}" for letter in KEY),
        "".join(f"\\x{ord(letter):02x}" for letter in KEY),
        "".join(f"%{ord(letter):02X}" for letter in KEY),
        quote(quote(KEY, safe=""), safe=""),
        "".join(f"&#{ord(letter)};" for letter in KEY),
        "".join(f"&#x{ord(letter):X};" for letter in KEY),
    ):
        assert secrets.hide(f"a {form} b") == "a [key] b"
    odd = Secrets(['a"b\\c/d<e&f'])
    for form in (json.dumps('a"b\\c/d<e&f'), json.dumps(json.dumps('a"b\\c/d<e&f'))):
        assert "d<e" not in odd.hide(form) and "[key]" in odd.hide(form)
    # what stands for no key at all may be a word
    assert secrets.hide("EMPTY hands") == "EMPTY hands"


def test_control_characters_and_half_letters_do_not_come_in(
    ask: Ask, model_server: ModelServer, tmp_path: Path
) -> None:
    text = 'a\x1b[31m red\x07 \ud83e {"verdict"'
    body = json.loads(ModelServer.reply("", Said(text)))
    model_server.script = lambda request, number: Said(
        kind="raw", body=json.dumps({**body, "model": "m\x1b[2J\ud800"}).encode()
    )
    answer = ask()
    assert answer.reply.text == 'a[31m red \ufffd {"verdict"' and answer.reply.model == "m[2J\ufffd"
    model_server.script = lambda request, number: Said(status=400, body=b"\x1b]0;title\x07no")
    with pytest.raises(JudgeOutage) as refused:
        ask("another")
    assert "\x1b" not in str(refused.value) and "\x07" not in str(refused.value)


def test_headers_that_trickle_are_given_up_in_time(ask: Ask, model_server: ModelServer) -> None:
    model_server.script = lambda request, number: (
        Said(kind="trickle", seconds=20.0) if number == 0 else Said()
    )
    began = time.monotonic()
    assert ask(timeout_seconds=0.3).reply.text == SUCCESS
    assert len(model_server.requests) == 2 and time.monotonic() - began < 10


@pytest.mark.parametrize(
    "status", [301, 302, 307, 308, 401, 402, 403, 404, 405, 406, 410, 415, 418, 501]
)
def test_an_address_that_is_wrong_for_every_question_stops(
    ask: Ask, model_server: ModelServer, status: int
) -> None:
    model_server.script = lambda request, number: Said(
        status=status, headers={"location": model_server.url}, body=b"elsewhere"
    )
    with pytest.raises(JudgeStopped, match=rf"HTTP {status}.*check key, model and base_url"):
        ask()
    assert len(model_server.requests) == 1


ERRORS = [
    {"error": {"message": "upstream", "code": 502}},
    {"choices": [{"message": {"content": ""}, "finish_reason": "error"}]},
    {"choices": [{"message": {"content": ""}, "finish_reason": "stop", "error": {"code": 502}}]},
    {"choices": [{"message": {"content": "", "error": "overloaded"}, "finish_reason": None}]},
    {"choices": [{"message": {"content": "fine"}}], "error": "late"},
]


@pytest.mark.parametrize("body", ERRORS, ids=json.dumps)
def test_an_upstream_error_in_a_200_is_no_reply_and_is_not_kept(
    ask: Ask, model_server: ModelServer, tmp_path: Path, body: dict[str, Any]
) -> None:
    with pytest.raises(Busy, match=r"error|no chat completion"):
        read_completion(json.dumps(body).encode())
    model_server.script = lambda request, number: (
        Said(kind="raw", body=json.dumps(body).encode()) if number == 0 else Said()
    )
    assert ask().reply.text == SUCCESS
    assert len(model_server.requests) == 2 and len(list((tmp_path / "votes").rglob("*.json"))) == 1


@pytest.mark.parametrize(
    ("finish", "ending"),
    [
        (None, "stop"),
        ("stop", "stop"),
        ("eos_token", "stop"),
        ("length", "length"),
        ("content_filter", "refused"),
        ("abort", "abort"),
    ],
)
def test_how_an_answer_ended(finish: str | None, ending: str) -> None:
    body = {"choices": [{"message": {"content": "success"}, "finish_reason": finish}]}
    assert read_completion(json.dumps(body).encode()).ending == ending


def test_content_in_parts_is_the_text_of_them() -> None:
    parts = [
        {"type": "thinking", "thinking": "failure?"},
        {"type": "text", "text": "suc"},
        {"type": "text", "text": "cess"},
    ]
    assert (
        read_completion(json.dumps({"choices": [{"message": {"content": parts}}]}).encode()).text
        == "success"
    )


def test_query_and_headers_of_the_description_are_sent(
    ask: Ask, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZ", KEY)
    ask(query={"api-version": "2025-03-01"}, headers={"api-key": "env:AZ", "x-team": "robots"})
    head = model_server.headers[0]
    assert model_server.paths == ["/v1/chat/completions?api-version=2025-03-01"]
    assert (head["api-key"], head["x-team"]) == (KEY, "robots")
    assert "authorization" not in {name.lower() for name in head}


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"base_url": "https://x.azure.com/openai?api-version=1"}, r'query = \{ NAME = "VALUE" \}'),
        ({"headers": {"api-key": "sk-123456"}}, '"api-key" looks secret'),
        ({"query": {"token": "123456"}}, '"token" looks secret'),
        ({"extra": {"api_key": "sk-123456"}}, 'server.extra: "api_key" looks secret'),
        ({"extra": {"a": [{"auth_token": "sk-123456"}]}}, '"auth_token" looks secret'),
        ({"timeout_seconds": float("inf")}, "at most 86400"),
        ({"timeout_seconds": float("nan")}, "at most 86400"),
        ({"base_url": "https://x.com/v1#part"}, "which is never sent"),
        ({"headers": {"a b": "x"}}, '"a b" is no name that'),
        ({"headers": {"": "x"}}, '"" is no name that'),
        ({"headers": {"x": 3}}, '"x" is no text'),
        ({"headers": {"x": "a\r\nb: c"}}, '"x" is no text'),
        ({"headers": {"api-key": "env:NOT_SET_ANYWHERE"}}, "NOT_SET_ANYWHERE"),
    ],
)
def test_a_wrong_address_or_header_is_named(ask: Ask, fields: dict[str, Any], fault: str) -> None:
    with pytest.raises(InputError, match=fault) as refused:
        ask(**fields)
    assert "123456" not in str(refused.value)


PROXIES = (
    "ALL_PROXY",
    "all_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "NO_PROXY",
    "no_proxy",
)


@pytest.mark.parametrize(
    "proxy",
    ["socks5://127.0.0.1:1089", "socks://127.0.0.1:7897/", "http://127.0.0.1:1", "nonsense:x"],
)
@pytest.mark.parametrize("no_proxy", ["", "127.0.0.1"])
def test_a_server_on_this_machine_is_asked_without_a_proxy(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, proxy: str, no_proxy: str
) -> None:
    for name in PROXIES:
        monkeypatch.setenv(name, no_proxy if "no" in name.lower() else proxy)
    assert ask().reply.text == SUCCESS


@pytest.mark.parametrize(
    ("proxy", "fault"),
    [
        ("socks5://me:hidden-pw@proxy.example:1089", "socksio"),
        ("socks://proxy.example:7897/", "none of http, https and socks5"),
        ("http://proxy.example:port", "no address"),
        ("http://", "none of http"),
    ],
)
@pytest.mark.parametrize("provider", ["openai", "gemini"])
def test_a_proxy_that_cannot_be_used_is_one_sentence(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, proxy: str, fault: str, provider: str
) -> None:
    if provider == "gemini":
        pytest.importorskip("google.genai", reason="the extra [gemini] is not installed")
    if fault == "socksio":
        monkeypatch.setitem(__import__("sys").modules, "socksio", None)
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(InputError, match=fault) as refused:
        ask(base_url="https://models.example/v1", provider=provider)
    assert "hidden-pw" not in str(refused.value)


def test_numbers_and_keys_of_a_cache_are_no_secrets() -> None:
    Server("tiny", extra={"max_tokens": 5, "logit_bias": {}, "prompt_cache_key": "drawers"})


def packed(text: bytes, wbits: int) -> bytes:
    packing = zlib.compressobj(wbits=wbits)
    return packing.compress(text) + packing.flush()


@pytest.mark.parametrize(("coding", "wbits"), [("gzip", 31), ("deflate", 15)])
def test_a_compressed_answer_is_read_and_bounded_as_unpacked(
    ask: Ask, model_server: ModelServer, coding: str, wbits: int
) -> None:
    """Though nobody asked for it to be compressed."""
    plain = ModelServer.reply("/chat/completions", Said())
    bodies = [plain, b" " * (MAX_REPLY + 1) + plain]
    model_server.script = lambda request, number: Said(
        kind="raw",
        headers={"content-encoding": coding},
        body=packed(bodies[len(model_server.requests) > 1], wbits),
    )
    assert ask().reply.text == SUCCESS
    with pytest.raises(JudgeOutage, match=f"more than {MAX_REPLY} bytes"):
        ask("another")


@pytest.mark.parametrize(
    ("coding", "fault"), [("br", "coded as br"), ("gzip", "the answer is damaged")]
)
def test_a_coding_that_cannot_be_read_is_named(
    ask: Ask, model_server: ModelServer, coding: str, fault: str
) -> None:
    model_server.script = lambda request, number: Said(
        kind="raw", headers={"content-encoding": coding}, body=b"nothing of the kind"
    )
    with pytest.raises(JudgeOutage, match=fault):
        ask()


def test_a_question_that_is_filtered_is_not_a_wrong_key() -> None:
    words = "requires moderation and your input was flagged"
    refused = fault(403, words, None)
    assert isinstance(refused, Rejected) and refused.filtered
    assert isinstance(fault(403, "invalid key", None), Stopped)


@pytest.mark.parametrize("usage", ["[1]", "3", '"many"', "null"])
def test_tokens_of_no_known_form_are_unknown_and_the_answer_counts(usage: str) -> None:
    body = f'{{"choices": [{{"message": {{"content": "yes"}}}}], "usage": {usage}}}'
    reply = read_completion(body.encode())
    assert (reply.text, reply.tokens_in, reply.tokens_out) == ("yes", None, None)
