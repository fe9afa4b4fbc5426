"""The app of `worldgym play` without a browser."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from app_runs import EVIL, POLICIES, fill, header, lerobot_episode, trial
from PIL import Image
from starlette.testclient import TestClient

from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.io.files import read_array
from worldgym.tasks.task_folder import load_tasks
from worldgym.testing import FakeJudge, FakePolicy, FakeWorld
from worldgym.types import Task
from worldgym.web.guard import SessionSecrets
from worldgym.web.play_app import PlayConfig, chosen_tasks, play_app, resting_action
from worldgym.web.play_setup import recorded_trial

WRITE = {"x-worldgym-token": "write"}
FRAME = np.zeros((16, 24, 3), np.uint8)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    tasks = (Task("door/1", "door", FRAME, "open the door", 7),)
    config = PlayConfig(
        FakeWorld(),
        tasks,
        (FakePolicy(chunk=2),),
        FakeJudge(),
        tmp_path / "out",
        secret=SessionSecrets("session", "write"),
    )
    client = TestClient(play_app(config), base_url="http://127.0.0.1", headers=WRITE)
    client.get("/?token=session")
    yield client


def test_steer_judge_and_save(client: TestClient, tmp_path: Path) -> None:
    assert "door/1: open the door" in client.get("/").text
    first = client.post("/play/start", json={"task": "door/1"})
    assert first.content == FRAME.tobytes() and first.headers["x-size"] == "24 16"
    assert unquote(first.headers["x-instruction"]) == "open the door"
    hand = client.post("/play/step", json={"node": 0, "action": [1, 0, 0]})
    assert (hand.headers["x-node"], hand.headers["x-by"]) == ("1", "hand")
    policy = client.post("/play/step", json={"node": 1, "by": "fake-policy"})
    assert policy.headers["x-step"] == "2" and len(policy.content) == FRAME.size
    assert client.get("/play/frame?node=1").content == hand.content
    assert client.get("/play/judge?node=1").json()["score"] == 1.0
    saved = client.post("/play/save", json={"node": 2, "kind": "episode", "success": True}).json()
    store = EpisodeStore(Path(saved["saved"]))
    assert len(store[saved["name"]]) == 2 and store[saved["name"]].success
    for name in ("mine", "mine-2"):
        wish = {"node": 2, "kind": "lerobot", "name": "mine", "success": False}
        saved = client.post("/play/save", json=wish).json()
        assert saved["name"] == name
        episode = lerobot_episode(Path(saved["saved"]) / name)
        assert len(episode) == 2 and episode.success is False
    wish = {"node": 1, "kind": "task", "name": "half-open", "instruction": "close the door"}
    for name in ("half-open", "half-open-2"):
        assert client.post("/play/save", json=wish).json()["name"] == name
    task = load_tasks(tmp_path / "out" / "tasks")[0]
    assert task.instruction == "close the door" and task.frame.tobytes() == hand.content


def test_from_an_uploaded_picture(client: TestClient) -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.full((50, 40, 3), 200, np.uint8)).save(buffer, "png")
    answer = client.post(
        "/play/upload", params={"instruction": "push it"}, content=buffer.getvalue()
    )
    assert answer.status_code == 200 and len(answer.content) == FRAME.size
    for instruction, data in (("", buffer.getvalue()), ("push it", b"GIF89a"), ("x" * 501, b"")):
        refused = client.post("/play/upload", params={"instruction": instruction}, content=data)
        assert refused.status_code == 400


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("start", {"task": "nothing"}),
        ("start", {}),
        ("step", {"node": "0", "action": [0, 0, 0]}),
        ("step", {"node": 0, "action": ["a", 0, 0]}),
        ("step", {"node": 0, "action": "none"}),
        ("step", {"node": 7, "action": [0, 0, 0]}),
        ("step", {"node": 0, "by": EVIL}),
        ("step", [1]),
        ("save", {"node": 1, "kind": "episode", "name": "../../etc/passwd"}),
        ("save", {"node": 1, "kind": "task", "name": "/etc/x", "instruction": "i"}),
        ("save", {"node": 1, "kind": "task", "name": "x", "instruction": ""}),
        ("save", {"node": 0, "kind": "episode", "name": "a"}),
    ],
)
def test_what_makes_no_sense_is_refused(
    client: TestClient, tmp_path: Path, path: str, body: Any
) -> None:
    client.post("/play/start", json={"task": "door/1"})
    client.post("/play/step", json={"node": 0, "action": [1, 0, 0]})
    assert client.post(f"/play/{path}", json=body).status_code in (400, 404)
    assert not list((tmp_path / "out").rglob("*.json")) or path == "save"


def test_nothing_is_written_without_the_token(client: TestClient, tmp_path: Path) -> None:
    client.post("/play/start", json={"task": "door/1"})
    for headers in ({"x-worldgym-token": "no"}, {"origin": "http://evil.example"}):
        refused = client.post("/play/save", json={"node": 0, "kind": "task"}, headers=headers)
        assert refused.status_code == 403
    assert not (tmp_path / "out").exists()


def test_a_trial_of_a_run_is_played_again(tmp_path: Path) -> None:
    run = fill(tmp_path / "run", header(POLICIES), [trial("good", "door", 0)])
    played, actions = recorded_trial(run / "videos/good/door/0-0.mp4")
    assert played.task.name == "door/0" and played.task.instruction == "open the door"
    assert np.array_equal(actions, read_array(run / "videos/good/door/0-0.npy"))
    with pytest.raises(InputError, match="names no such video"):
        recorded_trial(run / "truth/door.mp4")
    with pytest.raises(InputError, match="is not in a run"):
        recorded_trial(tmp_path / "a.mp4")


def test_numbers_begin_at_rest() -> None:
    spec = FakeWorld().spec
    assert resting_action(spec) == [0.0, 0.0, 0.0]
    with pytest.raises(InputError, match="24x16"):
        chosen_tasks([Task("a", "a", FRAME[:8], "i", 3)], FakeWorld().frame_shape)
