"""Who is let in. Every refusal is tried with a request that would be answered otherwise."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from worldgym.web.guard import MAX_BODY, Guard, SessionSecrets, cookie_name, host_name

WRITE = {"x-worldgym-token": "write"}


async def echo(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{request.url.query} {len(await request.body())}")


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = Starlette(routes=[Route("/", echo, methods=["GET", "POST"])])
    with TestClient(
        Guard(app, SessionSecrets("session", "write")), base_url="http://127.0.0.1:80"
    ) as one:
        assert one.get("/?token=session&a=1", follow_redirects=False).headers["location"] == "/?a=1"
        yield one


def test_a_session_is_let_in_and_may_write_with_the_second_secret(client: TestClient) -> None:
    assert client.get("/?a=1").text == "a=1 0"
    assert client.post("/", content=b"four", headers=WRITE).text == " 4"


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "127.0.0.1@evil.example", "0.0.0.0", "["]
)
def test_a_name_that_is_not_loopback_gets_nothing(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "localhost:1", "[::1]:9"])
def test_loopback_by_any_port_is_let_in(client: TestClient, host: str) -> None:
    cookie = {"host": host, "cookie": f"{cookie_name(host)}=session"}
    assert client.get("/", headers=cookie).status_code == 200
    assert host_name(host) in ("127.0.0.1", "localhost", "::1")


def test_apps_on_other_ports_keep_their_sessions() -> None:
    """A browser sends the cookies of a host to all of its ports."""
    app = Starlette(routes=[Route("/", echo)])
    kept = "odd={a[b]=1; other"  # of a program that is not ours
    for port, session in ((8001, "one"), (8002, "two")):
        secret = SessionSecrets(session, "write")
        with TestClient(Guard(app, secret), base_url=f"http://127.0.0.1:{port}") as one:
            begun = one.get(f"/?token={session}", follow_redirects=False)
            kept = f"{kept}; {begun.headers['set-cookie'].split(';')[0]}"
    assert len({part.split("=")[0] for part in kept.split("; ")}) == 4
    for port, session in ((8001, "one"), (8002, "two")):
        secret = SessionSecrets(session, "write")
        with TestClient(Guard(app, secret), base_url=f"http://127.0.0.1:{port}") as one:
            assert one.get("/", headers={"cookie": kept}).status_code == 200
            wrong = kept.replace(f"={session}", "=wrong")
            assert one.get("/", headers={"cookie": wrong}).status_code == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:81"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_other_pages_may_not_ask(client: TestClient, origin: str, method: str) -> None:
    answer = client.request(method, "/", headers={**WRITE, "origin": origin})
    assert answer.status_code == 403


def test_the_own_origin_may(client: TestClient) -> None:
    own = {**WRITE, "origin": "http://127.0.0.1", "host": "127.0.0.1"}
    assert client.post("/", headers=own).status_code == 200


@pytest.mark.parametrize("cookie", ["", "worldgym-session=write", "worldgym-session", 'a="'])
def test_without_a_session_there_is_nothing(client: TestClient, cookie: str) -> None:
    client.cookies.clear()
    for headers in ({"cookie": cookie}, {**WRITE, "cookie": cookie}):
        assert client.get("/?token=wrong", headers=headers).status_code == 403
        assert client.post("/", headers=headers).status_code == 403


def test_a_session_alone_may_not_write(client: TestClient) -> None:
    for headers in ({}, {"x-worldgym-token": "session"}, {"x-worldgym-token": "no"}):
        assert client.post("/", headers=headers).status_code == 403


def test_bodies_are_bounded_whatever_they_claim(client: TestClient) -> None:
    claimed = {**WRITE, "content-length": str(MAX_BODY + 1)}
    assert client.post("/", headers=claimed).status_code == 413
    parts = (b"x" * 2**20 for _ in range(MAX_BODY // 2**20 + 1))
    assert client.post("/", content=parts, headers=WRITE).status_code == 413


def test_a_token_in_an_address_leads_to_no_other_server(client: TestClient) -> None:
    client.cookies.clear()
    begun = client.get("http://127.0.0.1//evil.example/?token=session", follow_redirects=False)
    assert begun.status_code == 303 and begun.headers["location"] == "/evil.example/"
    assert "HttpOnly" in begun.headers["set-cookie"]
    assert "SameSite=strict" in begun.headers["set-cookie"]


def test_every_answer_forbids_what_it_does_not_need(client: TestClient) -> None:
    for answer in (client.get("/"), client.get("/", headers={"host": "evil.example"})):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "script-src 'self';" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
