"""The page for labels: what it may know, and what it writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from app_runs import fill, header, trial
from starlette.testclient import TestClient

from worldgym.judges.label_session import LabelConfig, LabelSession
from worldgym.judges.labels import Clip
from worldgym.tasks.write_tasks import write_task
from worldgym.types import Task
from worldgym.web.label_app import label_app
from worldgym.web.view_app import ViewConfig


@pytest.fixture
def run(tmp_path: Path) -> Path:
    frame = np.zeros((16, 16, 3), np.uint8)
    for start in range(3):
        write_task(tmp_path / "tasks", Task(f"door/{start}", "door", frame, "open the door", 6))
    records = [trial("good", "door", start) for start in range(3)]
    return fill(tmp_path / "runs" / "a", header(tasks=str(tmp_path / "tasks")), records)


@pytest.fixture
def labelling(run: Path, tmp_path: Path) -> Iterator[tuple[TestClient, list[str]]]:
    clips = [Clip(video, "open the door") for video in sorted(run.glob("videos/**/*.mp4"))]
    session = LabelSession(clips, LabelConfig(tmp_path / "labels.jsonl", "anna"))
    app, secret, finished = label_app(session)
    ended = list[str]()
    finished.append(lambda: ended.append("ended"))
    headers = {"x-worldgym-token": secret.write}
    with TestClient(app, base_url="http://127.0.0.1", headers=headers) as client:
        client.get(f"/label?token={secret.session}")
        yield client, ended


def test_the_page_is_blind_and_saves(
    labelling: tuple[TestClient, list[str]], tmp_path: Path
) -> None:
    client, ended = labelling
    for path in ("/label", "/label/state"):
        told = client.get(path).text
        assert not any(secret in told for secret in ("good", ".mp4", "door/"))
    assert len(client.get("/label/state").json()["items"]) == 3
    assert client.get("/label/video?item=0").headers["content-type"] == "video/mp4"
    assert client.post("/label/say", json={"item": 0, "score": 1}).status_code == 200
    said = [json.loads(line) for line in (tmp_path / "labels.jsonl").read_text().splitlines()]
    assert [(row["score"], row["labeller"]) for row in said] == [(1.0, "anna")]
    client.post("/label/finish", json={})
    assert ended == ["ended"]


@pytest.mark.parametrize(
    "said", [{}, {"item": 9, "score": 1}, {"item": 0, "score": 0.7}, [1], "text"]
)
def test_a_wrong_label_is_refused(
    labelling: tuple[TestClient, list[str]], tmp_path: Path, said: object
) -> None:
    client, _ = labelling
    assert client.post("/label/say", json=said).status_code == 400
    for item in ("3", "-1", "x"):
        assert client.get("/label/video", params={"item": item}).status_code == 404
    assert not (tmp_path / "labels.jsonl").exists()


def test_without_a_token_nothing_is_labelled(
    labelling: tuple[TestClient, list[str]], tmp_path: Path
) -> None:
    client, _ = labelling
    for headers in ({"x-worldgym-token": ""}, {"origin": "http://evil.example"}):
        answer = client.post("/label/say", json={"item": 0, "score": 1}, headers=headers)
        assert answer.status_code == 403
    assert not (tmp_path / "labels.jsonl").exists()


def test_a_run_is_labelled_in_the_view(run: Path, client: TestClient, config: ViewConfig) -> None:
    who = {"run": "a", "labeller": "ben"}
    assert len(client.get("/label/state", params=who).json()["items"]) == 3
    headers = {"x-worldgym-token": config.secret.write}
    answer = client.post("/label/say", params=who, json={"item": 0, "score": None}, headers=headers)
    assert answer.status_code == 200 and (run / "labels.jsonl").exists()
    assert client.get("/label/state", params={"run": "a", "labeller": " "}).status_code == 400
    assert client.get("/label/state", params={"run": "../a", "labeller": "b"}).status_code == 404
    assert client.post("/label/finish", json={}, headers=headers).status_code == 404
