"""Edits by a model, against a local server that speaks both protocols: what is sent, kept, refused
and paid."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Callable, Iterator
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from worldgym.errors import BudgetSpent, EditRefused, InputError, JudgeOutage, JudgeStopped
from worldgym.tasks.edited_tasks import PerturbConfig, perturb
from worldgym.tasks.edits.edit_file import Edit, read_edits
from worldgym.tasks.task_folder import load_tasks
from worldgym.tasks.write_tasks import write_task
from worldgym.types import Frames, Task

pytest.importorskip("openai", reason="the extra [openai] is not installed")

FRAME: Frames = np.full((32, 48, 3), 90, np.uint8)
FRAME[:, :16] = (200, 20, 20)  # the robot
TASK = Task("a", "a", FRAME, "open the drawer", 4)
EDITS = """
cache = "cache"
[server]
model = "painter-1"
provider = "{provider}"
base_url = "{url}"
api_key_env = "OPENAI_API_KEY"
attempts = 2
extra = {{ quality = "low" }}
[price]
usd_per_million_input = 10.0
usd_per_million_output = 40.0
[masks]
robot = {{ hue = [350, 10], saturation = [0.6, 1] }}
[[edit]]
name = "clown"
axis = "generated"
steps = [{step}]
"""
MASKED = (
    '{ kind = "generate", prompt = "add a clown", mask = { box = [0.5, 0, 1, 1] }, protect = '
    '"robot", size = 96 }'
)
PROTECTED = '{ kind = "generate", prompt = "add a clown", protect = "robot", size = 96 }'


def painted(robot: bool = True, size: tuple[int, int] = (96, 64)) -> bytes:
    """A model's picture: green everywhere, the robot kept or not."""
    frame = np.full_like(FRAME, 0)
    frame[..., 1] = 160
    if robot:
        frame[:, :16] = FRAME[:, :16]
    buffer = io.BytesIO()
    Image.fromarray(frame).resize(size, Image.Resampling.NEAREST).save(buffer, "PNG")
    return buffer.getvalue()


class Painter:
    """`answer(number)` gives (status, picture or text of the reply, refused) for each request."""

    def __init__(self) -> None:
        self.answer: Callable[[int], tuple[int, bytes, bool]] = lambda number: (
            200,
            painted(),
            False,
        )
        self.requests: list[dict[str, Any]] = []
        painter = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                painter.requests.append(
                    {"path": self.path, **read(self.headers["content-type"], body)}
                )
                status, data, refused = painter.answer(len(painter.requests) - 1)
                reply = data if status != 200 else wrapped(self.path, data, refused)
                self.send_response(status)
                for name, value in (
                    ("content-type", "application/json"),
                    ("content-length", str(len(reply))),
                ):
                    self.send_header(name, value)
                self.send_header("retry-after", "0")
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, *args: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.05}
        )
        self._thread.start()
        self.root = f"http://127.0.0.1:{self._http.server_address[1]}"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


def read(kind: str, body: bytes) -> dict[str, Any]:
    if kind.startswith("application/json"):
        return dict(json.loads(body))
    parts = message_from_bytes(f"content-type: {kind}\r\n\r\n".encode() + body).get_payload()
    return {
        str(part.get_param("name", header="content-disposition")): part.get_payload(decode=True)
        for part in parts
    }  # type: ignore[union-attr]


def wrapped(path: str, data: bytes, refused: bool) -> bytes:
    usage: dict[str, Any]
    if path.endswith("chat/completions"):
        message = {
            "role": "assistant",
            "content": data.decode(),
            "refusal": "no" if refused else None,
        }
        usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
        return json.dumps(
            {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}
        ).encode()
    if "generateContent" in path:
        inline = {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(data).decode()}}
        candidate: dict[str, Any] = {
            "content": {"role": "model", "parts": [{"text": "here"}, inline]},
            "finishReason": "STOP",
        }
        if refused:
            candidate = {"finishReason": "IMAGE_SAFETY"}
        usage = {"promptTokenCount": 100, "candidatesTokenCount": 1000, "totalTokenCount": 1100}
        return json.dumps(
            {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "painter-1b"}
        ).encode()
    usage = {"input_tokens": 100, "output_tokens": 1000, "total_tokens": 1100}
    return json.dumps(
        {"created": 1, "data": [{"b64_json": base64.b64encode(data).decode()}], "usage": usage}
    ).encode()


@pytest.fixture
def painter() -> Iterator[Painter]:
    server = Painter()
    yield server
    server.close()


@pytest.fixture
def edit(painter: Painter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Edit]:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-123")
    monkeypatch.setenv("GEMINI_API_KEY", "sk-secret-123")

    def make(
        step: str = MASKED, provider: str = "openai-images", budget: float | None = None
    ) -> Edit:
        url = painter.root + ("" if provider.startswith("gemini") else "/v1")
        (tmp_path / "edits.toml").write_text(EDITS.format(provider=provider, url=url, step=step))
        return read_edits(tmp_path / "edits.toml", budget)[0]

    return make


@pytest.mark.parametrize("provider", ["openai-images", "gemini-images"])
def test_only_the_mask_changes_and_the_origin_is_stored(
    painter: Painter, edit: Callable[..., Edit], provider: str
) -> None:
    if provider.startswith("gemini"):
        pytest.importorskip("google.genai", reason="the extra [gemini] is not installed")
    task = edit(provider=provider).of(TASK)
    np.testing.assert_array_equal(task.frame[:, :24], FRAME[:, :24])
    assert (task.frame[:, 24:] == (0, 160, 0)).all()
    (note,) = task.extras["edit"]["notes"]
    assert (note["prompt"], note["model"], note["provider"]) == (
        "add a clown",
        "painter-1",
        provider,
    )
    assert (
        note["price_usd"] == pytest.approx(0.041)
        and note["changed_outside"] == 0.0
        and len(note["answer_sha256"]) == 64
    )
    assert "secret" not in json.dumps(task.extras)
    (request,) = painter.requests
    if provider == "openai-images":
        assert (
            request["path"] == "/v1/images/edits"
            and request["model"] == b"painter-1"
            and request["quality"] == b"low"
        )
        alpha = np.array(Image.open(io.BytesIO(request["mask"])))[..., 3]
        assert alpha.shape == (64, 96) and alpha[:, :40].min() == 255 and alpha[:, 60:].max() == 0
        assert Image.open(io.BytesIO(request["image"])).size == (96, 64)
    else:
        assert [sorted(part) for part in request["contents"][0]["parts"]] == [
            ["text"],
            *[["text"], ["inlineData"]] * 2,
        ]
        assert (
            request["generationConfig"]["responseModalities"] == ["TEXT", "IMAGE"]
            and request["quality"] == "low"
        )
    # cached
    assert edit(provider=provider).of(TASK).extras == task.extras and len(painter.requests) == 1


def test_without_a_mask_all_but_the_robot_may_change(edit: Callable[..., Edit]) -> None:
    task = edit(PROTECTED).of(TASK)
    np.testing.assert_array_equal(task.frame[:, :16], FRAME[:, :16])
    # beside the robot the answer's resampling rings
    assert (task.frame[:, 22:] == (0, 160, 0)).all()


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (
            (200, painted(robot=False), False),
            r"changed 100 % of what it should not change, more than 5 %",
        ),
        ((200, b"no picture", False), "cannot be read as a PNG, JPEG or WebP picture"),
        ((200, painted(size=(64, 64)), False), "64x64, of another form than the frame, 48x32"),
        ((200, b"", False), "gave no picture"),
        (
            (400, b'{"error": {"message": "rejected by the safety system"}}', False),
            "gave no picture .*safety system",
        ),
    ],
)
def test_a_refused_edit_says_why(
    painter: Painter, edit: Callable[..., Edit], answer: tuple[int, bytes, bool], fault: str
) -> None:
    painter.answer = lambda number: answer
    with pytest.raises(EditRefused, match=f"edit clown of task a: .*{fault}"):
        edit(PROTECTED).of(TASK)


def test_a_refusal_of_gemini(painter: Painter, edit: Callable[..., Edit]) -> None:
    pytest.importorskip("google.genai", reason="the extra [gemini] is not installed")
    painter.answer = lambda number: (200, painted(), True)
    with pytest.raises(EditRefused, match="IMAGE_SAFETY"):
        edit(provider="gemini-images").of(TASK)


def test_an_outage_keeps_what_is_done_and_the_same_command_goes_on(
    painter: Painter, edit: Callable[..., Edit], tmp_path: Path
) -> None:
    edit()
    for i in range(3):
        frame = FRAME.copy()
        frame[0, -1] = i
        write_task(tmp_path / "tasks", Task(f"{i}", f"{i}", frame, "open it", 4))
    config = PerturbConfig(tmp_path / "tasks", tmp_path / "edits.toml", tmp_path / "out")
    painter.answer = lambda number: (
        (200, painted(), False) if number == 0 else (500, b"down", False)
    )
    with pytest.raises(JudgeOutage, match="no answer from painter-1 after 2 attempts"):
        perturb(config)
    assert [task.name for task in load_tasks(tmp_path / "out")] == ["0", "1", "2", "clown/0"]
    painter.answer = lambda number: (
        (400, b"content_policy", False) if number == 3 else (200, painted(), False)
    )
    nominal, counts, refused = perturb(config)
    assert (nominal, counts, list(refused)) == (3, {"clown": 2}, ["clown/1"]) and len(
        painter.requests
    ) == 5
    painter.answer = lambda number: (401, b"bad key sk-secret-123", False)
    (tmp_path / "cache").rename(tmp_path / "old")
    with pytest.raises(JudgeStopped, match="check key") as stopped:
        perturb(config)
    assert "secret" not in str(stopped.value)


def test_a_budget_stops_before_it_is_overrun(painter: Painter, edit: Callable[..., Edit]) -> None:
    made = edit(budget=0.05)
    made.of(TASK)
    other = Task("b", "b", FRAME[::-1].copy(), "open it", 4)
    other.frame[0, -1] = 1
    with pytest.raises(BudgetSpent, match=r"budget of 0\.05 USD is spent"):
        made.of(other)
    assert len(painter.requests) == 1


def test_a_wording_by_a_model(painter: Painter, edit: Callable[..., Edit]) -> None:
    ask = '{ kind = "ask", prompt = "name the object by its use" }'
    painter.answer = lambda number: (
        200,
        b"Sure! " * (number == 0) + b'{"instruction": "open the  thing for cutlery"}',
        False,
    )
    task = edit(ask, provider="openai").of(TASK)
    assert task.instruction == "open the thing for cutlery" and (task.frame == FRAME).all()
    said = painter.requests[0]["messages"][0]["content"][0]["text"]
    assert '"open the drawer"' in said and "by its use" in said
    painter.answer = lambda number: (200, b"I would rather not", False)
    with pytest.raises(EditRefused, match="holds no instruction"):
        edit(ask, provider="openai").of(Task("b", "b", FRAME, "close the drawer", 4))


@pytest.mark.parametrize(
    ("step", "provider", "budget", "fault"),
    [
        (MASKED, "openai", None, "needs provider"),
        ('{ kind = "ask", prompt = "x" }', "openai-images", None, "needs provider"),
        ('{ kind = "generate", prompt = "x" }', "openai-images", None, "needs a mask"),
        (
            '{ kind = "generate", prompt = " ", protect = "robot" }',
            "openai-images",
            None,
            "needs a prompt",
        ),
        (MASKED, "acme", None, "acme"),
        (MASKED, "openai-images", -1.0, "give 0 or more"),
    ],
)
def test_a_wrong_description_is_named(
    edit: Callable[..., Edit], step: str, provider: str, budget: float | None, fault: str
) -> None:
    with pytest.raises(InputError, match=fault):
        edit(step, provider, budget).of(TASK)


def test_no_server_no_model(tmp_path: Path) -> None:
    masks, described = (
        "[masks]\nrobot = { box = [0, 0, 0.5, 1] }\n",
        f'[[edit]]\nname = "x"\nsteps = [{MASKED}]\n',
    )
    (tmp_path / "edits.toml").write_text(masks + described)
    with pytest.raises(InputError, match=r"needs a table \[server\]"):
        read_edits(tmp_path / "edits.toml")[0].of(TASK)
    with pytest.raises(InputError, match="leave out --budget"):
        read_edits(tmp_path / "edits.toml", 1.0)
