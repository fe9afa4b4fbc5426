"""A model server on loopback that answers as a test tells it, faults included."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SUCCESS = '{"reasoning": "the drawer is open", "verdict": "success"}'


@dataclass(frozen=True)
class Said:
    """What the server does with one request. kind: "reply", "drop", "cut", "slow", "trickle" or
    "raw".

    body: sent for "raw" and where the status is not 200.   seconds: before a slow answer, or for
    which headers trickle."""

    text: str = SUCCESS
    kind: str = "reply"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    refusal: str | None = None
    finish: str = "stop"
    usage: bool = True
    seconds: float = 0.0


class ModelServer:
    """Speaks chat completions and Gemini's generateContent. `script(request, number)` says what
    each request gets."""

    said = Said

    def __init__(self) -> None:
        self.script: Callable[[dict[str, Any], int], Said] = lambda request, number: Said()
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.answered = 0
        self._guard = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with server._guard:
                    number = len(server.requests)
                    server.requests.append(request)
                    server.headers.append(dict(self.headers))
                    server.paths.append(self.path)
                server.answer(self, server.script(request, number))

            def log_message(self, *args: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.05}
        )
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def answer(self, handler: BaseHTTPRequestHandler, said: Said) -> None:
        if said.kind == "drop":
            return
        if said.kind == "trickle":
            return self.trickle(handler, said.seconds)
        if said.kind == "slow":
            threading.Event().wait(said.seconds)
        body = (
            said.body
            if said.kind == "raw" or said.status != 200
            else self.reply(handler.path, said)
        )
        try:
            handler.send_response(said.status)
            for name, value in {
                "content-type": "application/json",
                "content-length": str(len(body)),
                **said.headers,
            }.items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(body[: len(body) // 2] if said.kind == "cut" else body)
        except OSError:
            return  # the client did not wait
        with self._guard:
            self.answered += said.kind == "reply" and said.status == 200

    @staticmethod
    def trickle(handler: BaseHTTPRequestHandler, seconds: float) -> None:
        """A header that grows, a letter now and then."""
        try:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nx-waits: ")
            for _ in range(int(seconds / 0.05)):
                handler.wfile.write(b".")
                threading.Event().wait(0.05)
        except OSError:
            return  # the client did not wait

    @staticmethod
    def reply(path: str, said: Said) -> bytes:
        if "generateContent" in path:
            parts = {
                "content": {"role": "model", "parts": [{"text": said.text}]},
                "finishReason": said.finish.upper(),
            }
            usage = {"promptTokenCount": 1000, "candidatesTokenCount": 50, "totalTokenCount": 1050}
            return json.dumps(
                {"candidates": [parts], "usageMetadata": usage, "modelVersion": "tiny-7"}
            ).encode()
        message = {
            "role": "assistant",
            "content": None if said.refusal else said.text,
            "refusal": said.refusal,
        }
        data: dict[str, Any] = {
            "id": "1",
            "object": "chat.completion",
            "created": 1,
            "model": "tiny-vlm-7",
        }
        data["choices"] = [{"index": 0, "message": message, "finish_reason": said.finish}]
        if said.usage:
            data["usage"] = {"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050}
        return json.dumps(data).encode()
