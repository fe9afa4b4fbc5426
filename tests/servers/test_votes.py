"""What is paid for is kept and counted, whatever happens to the disk and however often a run is
started."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from model_server import SUCCESS, ModelServer, Said

from worldgym.errors import BudgetSpent, InputError, JudgeOutage, JudgeStopped
from worldgym.servers.model_client import ModelClient, Reading
from worldgym.servers.provider import Question, Reply, Server
from worldgym.servers.votes import PAYMENTS_NAME, Ledger, Price, VoteCache, read_payments

PRICE = 0.002  # of one answer: 1000 tokens in, 50 out
FORM = {"type": "object", "properties": {"verdict": {"type": "string"}}}
MakeClient = Callable[..., ModelClient]


@pytest.fixture
def make_client(model_server: ModelServer, tmp_path: Path) -> MakeClient:
    def make(budget_usd: float | None = None, concurrency: int = 1) -> ModelClient:
        server = Server(
            "tiny",
            base_url=model_server.url,
            attempts=2,
            timeout_seconds=5.0,
            concurrency=concurrency,
        )
        return ModelClient(
            server,
            tmp_path / "votes",
            Ledger(Price(1.0, 20.0), budget_usd),
            wait=lambda seconds: None,
        )

    return make


def question(number: int) -> Question:
    return Question(f"question {number}", (), FORM)


def test_a_budget_holds_over_all_starts_of_a_run(
    make_client: MakeClient, model_server: ModelServer, tmp_path: Path
) -> None:
    for start in range(4):
        client = make_client(budget_usd=0.0125)
        client.ledger.keep(tmp_path / "run")
        with pytest.raises(BudgetSpent, match="higher --budget"):
            # other questions each time, so that the cache is of no help
            for number in range(100 * start, 100 * start + 100):
                client.ask(question(number), 1)
    assert len(model_server.requests) == 6
    assert sum(read_payments(tmp_path / "run" / PAYMENTS_NAME)) == pytest.approx(6 * PRICE)
    client = make_client(budget_usd=0.0125)
    client.ledger.keep(tmp_path / "another run")
    client.ask(question(0), 1)  # found in the cache: it costs this run nothing
    assert not (tmp_path / "another run").exists()


def test_what_a_log_of_before_says_was_paid_counts(make_client: MakeClient, tmp_path: Path) -> None:
    client = make_client(budget_usd=0.01)
    client.ledger.keep(tmp_path / "run", paid_usd=0.01)
    with pytest.raises(BudgetSpent, match=r"0\.0100 USD paid"):
        client.ask(question(0), 1)


def test_payments_that_are_torn_or_damaged(tmp_path: Path) -> None:
    path = tmp_path / PAYMENTS_NAME
    path.write_bytes(b'{"usd": 0.5}\n{"usd": 0.25}\n{"us')
    assert read_payments(path) == [0.5, 0.25]
    for line in (b"{}", b'{"usd": -1}', b'{"usd": "1"}', b"[1]", b'{"usd": NaN}', b"\xff"):
        path.write_bytes(b'{"usd": 0.5}\n' + line + b"\n")
        with pytest.raises(InputError, match=r"line 2: .*; restore the file"):
            read_payments(path)


def test_a_cache_that_cannot_be_written_is_refused_before_the_first_question(
    make_client: MakeClient, model_server: ModelServer, tmp_path: Path
) -> None:
    (tmp_path / "votes").write_text("a file where a folder is due")
    client = make_client()
    with pytest.raises(InputError, match="cannot write"):
        client.check()
    with pytest.raises(InputError, match="cannot write"):
        client.ask(question(0), 1)
    assert not model_server.requests


def test_an_answer_that_cannot_be_kept_counts_and_is_the_last(tmp_path: Path) -> None:
    cache, reply = VoteCache(tmp_path / "votes"), Reply("yes", "stop", 1, 1, "m")
    cache.check()
    (tmp_path / "votes" / "ab").write_text("in the way")
    assert cache.get_or_ask("ab01", lambda: reply) == (reply, True)
    with pytest.raises(JudgeStopped, match="can no longer be stored"):
        cache.get_or_ask("cd01", lambda: pytest.fail("bought"))


def test_payments_that_can_no_longer_be_noted_end_the_buying(
    make_client: MakeClient, model_server: ModelServer, tmp_path: Path
) -> None:
    client = make_client()
    client.ledger.keep(tmp_path / "run")
    (tmp_path / "run").write_text("in the way")
    with pytest.raises(JudgeStopped, match="payments can no longer be noted"):
        client.ask(question(0), 2)
    assert len(model_server.requests) == 1 and len(list((tmp_path / "votes").rglob("*.json"))) == 1


@pytest.mark.parametrize("concurrency", [1, 4])
def test_what_was_paid_before_an_outage_is_told(
    make_client: MakeClient, model_server: ModelServer, concurrency: int
) -> None:
    model_server.script = lambda request, number: Said() if number < 3 else Said(status=500)
    with pytest.raises(JudgeOutage) as outage:
        make_client(concurrency=concurrency).ask(question(0), 4)
    assert outage.value.paid_usd == pytest.approx(3 * PRICE)
    model_server.script = lambda request, number: Said()
    answers = make_client().ask(question(0), 4)
    assert sum(answer.paid_usd for answer in answers) == pytest.approx(PRICE)
    assert sum(answer.price_usd for answer in answers) == pytest.approx(4 * PRICE)


def yes(text: str) -> None:
    if text != SUCCESS:
        raise ValueError("not yes")


@pytest.mark.parametrize(
    "first", [Said("Success was not achieved"), Said(""), Said(SUCCESS, finish="abort")]
)
def test_what_cannot_be_read_is_asked_once_more_and_both_are_paid(
    make_client: MakeClient, model_server: ModelServer, first: Said
) -> None:
    model_server.script = lambda request, number: first if number == 0 else Said()
    (answer,) = make_client().ask(question(0), 1, Reading(yes, "Say yes."))
    assert answer.reply.text == SUCCESS and answer.price_usd == answer.paid_usd == pytest.approx(
        2 * PRICE
    )
    assert (answer.tokens_in, answer.tokens_out) == (2000, 100)
    assert model_server.requests[1]["messages"][0]["content"][0]["text"] == "question 0\n\nSay yes."
    (again,) = make_client().ask(question(0), 1, Reading(yes, "Say yes."))
    assert (
        len(model_server.requests) == 2
        and again.paid_usd == 0.0
        and again.price_usd == answer.price_usd
    )


@pytest.mark.parametrize("said", [Said(refusal="no"), Said("{", finish="length")])
def test_a_refusal_and_a_cut_answer_are_not_asked_again(
    make_client: MakeClient, model_server: ModelServer, said: Said
) -> None:
    model_server.script = lambda request, number: said
    make_client().ask(question(0), 1, Reading(yes, "Say yes."))
    assert len(model_server.requests) == 1


def test_an_answer_that_stays_unreadable_is_kept_as_it_is(
    make_client: MakeClient, model_server: ModelServer, tmp_path: Path
) -> None:
    model_server.script = lambda request, number: Said(f"perhaps {number}")
    (answer,) = make_client().ask(question(0), 1, Reading(yes, "Say yes."))
    assert answer.reply.text == "perhaps 1" and len(model_server.requests) == 2
    kept = [json.loads(path.read_text())["text"] for path in (tmp_path / "votes").rglob("*.json")]
    assert sorted(kept) == ["perhaps 0", "perhaps 1"]


@pytest.mark.parametrize("price", [math.nan, math.inf, -1.0])
def test_a_price_is_a_number(price: float) -> None:
    for both in ((price, 1.0), (1.0, price)):
        with pytest.raises(InputError, match="both numbers from 0 on"):
            Price(*both)


@pytest.mark.parametrize(
    "kept", ['{"text": null, "ending": "stop"}', "{}", "[]", '{"text": "yes", "more": 1}']
)
def test_a_cached_vote_out_of_form_is_bought_again(tmp_path: Path, kept: str) -> None:
    cache = VoteCache(tmp_path)
    (tmp_path / "ab").mkdir()
    (tmp_path / "ab" / "abcd.json").write_text(kept)
    reply = Reply("yes", "stop", 1, 1, "tiny")
    assert cache.get_or_ask("abcd", lambda: reply) == (reply, True)
    assert cache.get_or_ask("abcd", lambda: reply) == (reply, False)
