"""What a server does wrong is said in one sentence that names it, and is never taken for
actions."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from worldgym.errors import InputError, ServerOutage
from worldgym.io.files import sha256_file
from worldgym.policies.load_policy import load, load_policy
from worldgym.policies.policy_protocol import Observation
from worldgym.policies.wire.family import FAMILIES, OWN
from worldgym.policies.wire.json_numpy import encode
from worldgym.policies.wire.responder import Responder
from worldgym.testing import FAKE_SPEC, FakePolicy
from worldgym.types import Task, Trial
from worldgym.wire import msgpack_numpy
from worldgym.wire.connection import Connection, Dropped
from worldgym.wire.websocket_server import WebsocketServer
from worldgym.wire.wire_arrays import MAX_ANSWER

sync_server = pytest.importorskip(
    "websockets.sync.server", reason="the extra [remote] is not installed"
)
pytest.importorskip("msgpack", reason="the extra [remote] is not installed")

SEEN = Observation(np.zeros((16, 24, 3), np.uint8), "push", 0)
GOOD = np.zeros((2, 3), np.float32)


@pytest.fixture
def family(tmp_path: Path) -> str:
    """A family of one's own, whose actions are those of the fakes."""
    (tmp_path / "fake.json").write_text(json.dumps(FAKE_SPEC.to_json()))
    lines = ['frame = "image"', 'instruction = "text"', 'actions = "actions"', "chunk = 2"]
    (tmp_path / "mine.toml").write_text(
        "\n".join([*lines, f'convention = "{tmp_path / "fake.json"}"'])
    )
    return str(tmp_path / "mine.toml")


@contextmanager
def openpi(talk: Callable[[Any], None]) -> Iterator[str]:
    """A websocket server that says {} and then does `talk`."""

    def handler(connection: Any) -> None:
        connection.send(msgpack_numpy.pack({}))
        talk(connection)

    with sync_server.serve(handler, "127.0.0.1", 0, compression=None, close_timeout=0.2) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def raw(parts: Sequence[bytes], pause: float = 0.0) -> Iterator[str]:
    """A TCP server that answers anything with these bytes, slowly if so asked."""
    listener = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def serve() -> None:
        while not done.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                if _whole_request(connection):
                    for part in parts:
                        if done.wait(pause):
                            break
                        try:
                            connection.sendall(part)
                        except OSError:
                            break

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        done.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def _whole_request(connection: socket.socket) -> bytes:
    """Head and body: a connection closed with bytes unread is reset, and takes the answer with
    it."""
    request = connection.recv(2**16)
    head, _, body = request.partition(b"\r\n\r\n")
    announced = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    while announced and len(body) < int(announced[1]) and (more := connection.recv(2**16)):
        body += more
    return request


def http(body: bytes, status: str = "200 OK") -> list[bytes]:
    return [
        f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n".encode()
        + body
    ]


def ask(address: str, family: str, **options: object) -> np.ndarray:
    query = "&".join(
        f"{name}={value}" for name, value in {"family": family, "patience": 0.2, **options}.items()
    )
    policy = load_policy(f"{address}?{query}")
    return policy.act([None], [SEEN])[1]


def answers(message: Any) -> Callable[[Any], None]:
    """Talks like a server that gives the same answer to everything."""

    def talk(connection: Any) -> None:
        for _ in connection:
            connection.send(
                message if isinstance(message, str | bytes) else msgpack_numpy.pack(message)
            )

    return talk


def test_repeats_of_a_trial_get_draws_of_their_own_and_copies_of_a_row_one(family: str) -> None:
    rng, task = np.random.default_rng(0), Task("t", "g", SEEN.frame, "push", 2)

    def draws(connection: Any) -> None:
        for _ in connection:
            connection.send(msgpack_numpy.pack({"actions": rng.random((2, 3), np.float32)}))

    with openpi(draws) as address:
        policy = load_policy(f"{address}?family={family}")
        states = policy.reset([Trial(task, repeat, 0) for repeat in (0, 1, 1)])
        for _ in range(2):
            states, actions = policy.act(states, [SEEN] * 3)
            assert not np.array_equal(actions[0], actions[1]) and np.array_equal(
                actions[1], actions[2]
            )


@pytest.mark.parametrize("fingerprint", ["0123456789ab", ""])
def test_a_run_knows_which_checkpoint_a_server_serves(fingerprint: str, family: str) -> None:
    server = WebsocketServer(
        Responder(FakePolicy(), FAMILIES["openpi"][OWN], fingerprint), "127.0.0.1", 0
    )
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        assert load(f"ws://127.0.0.1:{server.port}").identity == (fingerprint or None)
    finally:
        server.stop()
        thread.join()
    with openpi(answers({"actions": GOOD})) as address:
        assert (
            load(f"x={address}?family={family}").identity
            == f"family {sha256_file(Path(family))[:12]}"
        )


WRONG_ANSWERS: list[tuple[Any, str]] = [
    ({"actions": GOOD * np.nan}, "not finite"),
    ({"actions": np.full((2, 3), 1e300)}, "not finite"),
    ({"actions": GOOD[:1]}, r"shape \(1, 3\) where 2 rows are due"),
    ({"actions": np.zeros((2, 4))}, "4 numbers where 3 are due"),
    ({"actions": np.zeros((1, 2, 3))}, "where 2 rows are due"),
    ({"actions": "left"}, "no numbers"),
    ({"actions": [[1.0, 2.0, 3.0], [1.0]]}, "no table of numbers"),
    ({"actions": None}, "no numbers"),
    ({"action": GOOD}, 'the answer has no "actions"'),
    ([1, 2], 'the answer has no "actions"'),
]


@pytest.mark.parametrize(("answer", "complaint"), WRONG_ANSWERS)
def test_wrong_actions(answer: Any, complaint: str, family: str) -> None:
    with openpi(answers(answer)) as address, pytest.raises(ServerOutage, match=complaint) as outage:
        ask(address, family)
    assert address in str(outage.value)
    with raw(http(encode(answer))) as address, pytest.raises(ServerOutage, match=complaint):
        ask(address, family)


def test_good_actions_come_through_whatever_their_type(family: str) -> None:
    rows = [[0.5, -0.25, 1.0], [0.0, 0.0, 0.0], [9.0, 9.0, 9.0]]
    for value in (rows, np.array(rows), np.array(rows, np.float16), np.array(rows, ">f4")):
        with openpi(answers({"actions": value, "server_timing": {"infer_ms": 1.5}})) as address:
            assert ask(address, family)[0].tolist() == rows[:2]
        with raw(http(encode({"actions": value}))) as address:
            assert ask(address, family)[0].tolist() == rows[:2]


def test_actions_out_of_bounds_are_held_within_them(family: str) -> None:
    with openpi(answers({"actions": 5 * np.ones((2, 3))})) as address:
        assert ask(address, family).max() == 1.0


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        (
            "Traceback (most recent call last):\n  File ...\nKeyError: 'observation/state'",
            "server failed: .*KeyError",
        ),
        (b"\xc1garbage", "not msgpack"),
        (b"", "not msgpack"),
        (bytes(MAX_ANSWER + 1), "more than 4 MiB"),
    ],
)
def test_messages_that_are_no_answer(message: str | bytes, complaint: str, family: str) -> None:
    with openpi(answers(message)) as address, pytest.raises(ServerOutage, match=complaint):
        ask(address, family)


def test_a_server_that_closes_on_a_message_is_not_asked_again(family: str) -> None:
    asked = []

    def talk(connection: Any) -> None:
        asked.append(connection.recv())
        connection.close(1011, "out of memory")

    with (
        openpi(talk) as address,
        pytest.raises(ServerOutage, match=r"server failed on this question .*out of memory"),
    ):
        ask(address, family, patience=60)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("parts", "complaint"),
    [
        (http(b'"error"'), 'the server answered "error"'),
        (http(b"{}", "500 Internal Server Error"), "HTTP 500 from /act"),
        (http(b'{"detail": "no such field"}', "422 Unprocessable"), "HTTP 422 .*no such field"),
        (http(b"[NaN, 0, 0]"), "NaN is not JSON"),
        (http(b"<html>"), "not JSON"),
        (http(b" " * (MAX_ANSWER + 1)), "more than 4 MiB"),
        ([b"SSH-2.0-OpenSSH_9.2\r\n"], "not HTTP"),
        (http(b"", "503 Service Unavailable"), "HTTP 503; no answer"),
        ([], "the connection to the server was lost"),
        (
            [b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n[1"],
            "the connection to the server was lost",
        ),
    ],
)
def test_http_that_is_no_answer(parts: list[bytes], complaint: str, family: str) -> None:
    with raw(parts) as address, pytest.raises(ServerOutage, match=complaint) as outage:
        ask(address, family)
    assert address in str(outage.value)


def test_a_slow_server_is_given_up_and_its_late_answer_is_nobodys(family: str) -> None:
    """The second question must not get the answer to the first."""
    delays = iter([1.0, 0.0])

    def talk(connection: Any) -> None:
        for message in connection:
            seen = msgpack_numpy.unpack(message)
            time.sleep(next(delays))
            connection.send(
                msgpack_numpy.pack({"actions": np.full((2, 3), seen["image"].mean() / 255)})
            )

    with openpi(talk) as address:
        policy = load_policy(f"{address}?family={family}&timeout=0.3")
        with pytest.raises(
            ServerOutage, match=r"no answer within 0.3 s; allow more time with timeout="
        ):
            policy.act([None], [SEEN])
        white = Observation(np.full((16, 24, 3), 255, np.uint8), "push", 0)
        patient = load_policy(f"{address}?family={family}")
        assert patient.act([None], [white])[1].max() == 1.0
        delays = iter([0.0])
        assert policy.act([None], [white])[1].max() == 1.0


def test_an_answer_that_drips_is_cut_off(family: str) -> None:
    drip = [b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n", *[b" "] * 500]
    started = time.monotonic()
    with raw(drip, 0.05) as address, pytest.raises(ServerOutage, match=r"no answer within 0\.5 s"):
        ask(address, family, timeout=0.5)
    assert time.monotonic() - started < 20.0


def test_equal_rows_are_asked_once_and_answers_go_to_their_rows(family: str) -> None:
    asked: list[float] = []

    def talk(connection: Any) -> None:
        for message in connection:
            asked.append(float(msgpack_numpy.unpack(message)["image"].mean() / 255))
            connection.send(msgpack_numpy.pack({"actions": np.full((2, 3), asked[-1])}))

    seen = [
        Observation(np.full((16, 24, 3), level, np.uint8), "push", 0)
        for level in (0, 255, 0, 51, 255)
    ]
    with openpi(talk) as address:
        policy = load_policy(f"{address}?family={family}")
        _, actions = policy.act([None] * 5, seen)
    np.testing.assert_allclose(actions[:, 0, 0], [0, 1, 0, 0.2, 1], atol=1e-6)
    assert sorted(asked) == [0.0, 0.2, 1.0]


def test_nobody_there_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for scheme in ("ws", "http"):
        with pytest.raises(
            InputError,
            match=rf"no policy server to use: {scheme}://127.0.0.1:{port}.*cannot connect",
        ):
            load_policy(f"{scheme}://127.0.0.1:{port}")


def test_a_server_of_others_must_be_given_a_family() -> None:
    with (
        openpi(answers({"actions": GOOD})) as address,
        pytest.raises(InputError, match="does not say what it serves; name its family"),
    ):
        load_policy(address)


@pytest.mark.parametrize(
    ("facts", "complaint"),
    [
        ({"spec": FAKE_SPEC.to_json() | {"rate_hz": 0}}, "its spec's rate is 0 Hz"),
        ({"spec": FAKE_SPEC.to_json() | {"low": [2, -1, -1]}}, "low < high"),
        ({"fingerprint": "x" * 300}, "its fingerprint needs up to 200 printable characters"),
        ({"fingerprint": "\x1b[2J"}, "its fingerprint needs up to 200 printable characters"),
        ({"chunk": 0}, "its chunk is 0"),
        ({"name": "../x"}, "its name is '../x'"),
    ],
)
def test_an_offer_that_is_unsound_is_refused(facts: dict[str, Any], complaint: str) -> None:
    offer = {"name": "p", "spec": FAKE_SPEC.to_json(), "chunk": 1} | facts

    def handler(connection: Any) -> None:
        connection.send(msgpack_numpy.pack({OWN: offer}))

    with sync_server.serve(handler, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.socket.getsockname()[1]
        with pytest.raises(InputError, match=f"is not a policy's .*{complaint}"):
            load_policy(f"ws://127.0.0.1:{port}", FAKE_SPEC)
        server.shutdown()


def test_longer_chunks_than_the_server_gives_are_refused_at_once() -> None:
    offer = {"name": "p", "spec": FAKE_SPEC.to_json(), "chunk": 4}

    def handler(connection: Any) -> None:
        connection.send(msgpack_numpy.pack({OWN: offer}))
        connection.recv()

    with sync_server.serve(handler, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        place = f"ws://127.0.0.1:{server.socket.getsockname()[1]}?chunk="
        with pytest.raises(InputError, match="chunks of 8 actions, and the server gives 4"):
            load_policy(f"{place}8", FAKE_SPEC)
        policy = load_policy(f"{place}3", FAKE_SPEC)
        assert policy.chunk == 3
        policy.close()
        server.shutdown()


def test_a_server_that_closes_at_once_is_heard_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its socket is gone before the client has set a time limit on it."""
    connect = pytest.importorskip("websockets.sync.client").connect

    def late(*arguments: Any, **options: Any) -> Any:
        connection = connect(*arguments, **options)
        connection.recv_events_thread.join(5)
        return connection

    monkeypatch.setattr("websockets.sync.client.connect", late)
    with sync_server.serve(lambda c: c.send("full"), "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(
            InputError, match=r"no policy server to use: .* the server failed: full"
        ):
            load_policy(f"ws://127.0.0.1:{server.socket.getsockname()[1]}", FAKE_SPEC)
        server.shutdown()


class Failing:
    """A link that breaks as often as it is told to, then answers."""

    said = b""

    def __init__(self, broken: list[Exception]) -> None:
        self.broken = broken

    def ask(self, request: dict[str, Any]) -> str:
        if self.broken:
            raise self.broken.pop()
        return "answer"

    def close(self) -> None:
        pass


def test_a_line_waits_longer_each_time_and_gives_up_at_its_patience() -> None:
    waits: list[float] = []
    broken: list[Exception] = [Dropped("gone") for _ in range(5)]
    assert Connection(lambda: Failing(broken), 1000.0, wait=waits.append).ask({}) == "answer"
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6]
    line = Connection(lambda: Failing([Dropped("gone")]), 1.0, wait=time.sleep)
    started = time.monotonic()
    with pytest.raises(ServerOutage, match="gone; no answer for"):
        line.ask({})
    assert time.monotonic() - started < 30.0
    with pytest.raises(ServerOutage, match="gone"):  # patience is spent: one attempt
        line.ask({})
