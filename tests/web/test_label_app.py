"""The page for labels: what it may know, and what it writes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from app_runs import fill, header, trial
from starlette.testclient import TestClient

from worldgym.judges.human_preferences import read_answers
from worldgym.judges.label_session import LabelConfig, LabelSession
from worldgym.judges.labels import Clip
from worldgym.tasks.write_tasks import write_task
from worldgym.types import Task
from worldgym.web.label_app import KEPT, label_app
from worldgym.web.view_app import ViewConfig, view_app


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


def test_new_trials_come_and_numbers_stay_those_of_the_page(
    run: Path, client: TestClient, config: ViewConfig
) -> None:
    who = {"run": "a", "labeller": "ben"}
    headers = {"x-worldgym-token": config.secret.write}
    before = client.get("/label/state", params=who).json()
    added = trial("poor", "door", 0)
    fill(run, header(tasks=str(run.parent.parent / "tasks")), [added])
    after = client.get("/label/state", params=who).json()
    assert (len(before["items"]), len(after["items"])) == (3, 4)
    for state in (before, after):
        of = {**who, "session": state["session"]}
        for item in range(len(state["items"])):
            film = client.get("/label/video", params={**of, "item": item})
            assert film.status_code == 200 and film.headers["x-worldgym-fps"] == "5.0"
        assert client.get("/label/video", params={**of, "item": 99}).status_code == 404
    of = {**who, "session": before["session"]}
    said = {"item": 2, "score": 0}
    assert client.post("/label/say", params=of, json=said, headers=headers).status_code == 200
    (row,) = map(json.loads, (run / "labels.jsonl").read_text().splitlines())
    assert "poor" not in row["video"]
    items = client.get("/label/state", params=who).json()["items"]
    assert sum(item["labelled"] for item in items) == 1
    unknown = client.get("/label/video", params={**who, "session": "(1, 2, 3)", "item": 0})
    assert unknown.status_code == 400 and "reload the page" in unknown.text


def test_only_some_sessions_are_kept(run: Path, client: TestClient) -> None:
    first = client.get("/label/state", params={"run": "a", "labeller": "0"}).json()["session"]
    for number in range(1, KEPT + 1):
        client.get("/label/state", params={"run": "a", "labeller": str(number)})
    for labeller, status in (("0", 400), (str(KEPT), 200)):
        asked = {"run": "a", "labeller": labeller, "session": first, "item": 0}
        assert client.get("/label/video", params=asked).status_code == status


@pytest.mark.parametrize("kind", ["label", "prefer"])
def test_what_cannot_be_read_does_not_say_whose_it_is(
    tmp_path: Path, config: ViewConfig, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    frame = np.zeros((16, 16, 3), np.uint8)
    write_task(tmp_path / "tasks", Task("door/0", "door", frame, "open the door", 6))
    records = [trial(who, "door", 0) for who in ("good", "poor")]
    folder = fill(tmp_path / "runs" / "a", header(tasks=str(tmp_path / "tasks")), records)
    for video in (folder / "videos").rglob("*.mp4"):
        video.write_bytes(b"torn")
    headers = {"x-worldgym-token": config.secret.write}
    who = {"run": "a", "labeller": "ben"}
    asked = {"item": 0, "score": 1} if kind == "label" else {"pair": 0, "answer": "left"}
    with TestClient(view_app(config), base_url="http://127.0.0.1") as client:
        client.get("/?token=session")
        told = [client.get(f"/{kind}/video", params={**who, "item": i}) for i in range(2)]
        told.append(client.post(f"/{kind}/say", params=who, json=asked, headers=headers))
    assert [answer.text for answer in told] == ["this video cannot be read"] * 3
    said = capsys.readouterr().err
    assert all(name in said for name in ("good", "poor"))


@pytest.mark.parametrize("kind", ["label", "prefer"])
@pytest.mark.parametrize("gone", [False, True])
def test_a_run_whose_tasks_changed_is_labelled_by_a_command(
    run: Path, client: TestClient, kind: str, gone: bool
) -> None:
    tasks = run.parent.parent / "tasks"
    shutil.rmtree(tasks)
    if not gone:
        frame = np.zeros((16, 16, 3), np.uint8)
        write_task(tasks, Task("door/0", "door", frame, "close the door", 6))
    answer = client.get(f"/{kind}/state", params={"run": "a", "labeller": "ben"})
    assert answer.status_code == 400
    assert f"to `worldgym judge label {run} --tasks DIR`" in answer.text


def test_pairs_of_a_run_are_compared_blindly_in_the_view(
    tmp_path: Path, config: ViewConfig
) -> None:
    frame = np.zeros((16, 16, 3), np.uint8)
    records = [trial(who, "door", start) for start in range(3) for who in ("good", "poor")]
    for start in range(3):
        write_task(tmp_path / "tasks", Task(f"door/{start}", "door", frame, "open the door", 6))
    folder = fill(tmp_path / "runs" / "a", header(tasks=str(tmp_path / "tasks")), records)
    headers = {"x-worldgym-token": config.secret.write}
    who = {"run": "a", "labeller": "ben"}
    with TestClient(view_app(config), base_url="http://127.0.0.1") as client:
        client.get("/?token=session")
        told = [client.get("/prefer?run=a"), client.get("/prefer/state", params=who)]
        told += [client.get("/prefer/video", params={**who, "item": i}) for i in range(6)]
        said = {"pair": 0, "answer": "left"}
        assert client.post("/prefer/say", params=who, json=said).status_code == 403
        assert not (folder / "preferences.jsonl").exists()
        told.append(client.post("/prefer/say", params=who, json=said, headers=headers))
        assert {answer.status_code for answer in told} == {200}
        for answer in told:
            seen = answer.content + repr(answer.headers).encode()
            assert not any(secret in seen for secret in (b"good", b"poor", b"door/"))
        for item in ("6", "-1", "x", "²"):
            wrong = client.get("/prefer/video", params={**who, "item": item})
            assert wrong.status_code == 404
        assert client.get("/prefer/state", params=who).json()["done"] == 1
        for out_of_form in ({}, {"pair": 0, "answer": "left"}, {"pair": 1, "answer": "good"}):
            answer = client.post("/prefer/say", params=who, json=out_of_form, headers=headers)
            assert answer.status_code == 400
        client.post("/prefer/say", params=who, json={"undo": 0}, headers=headers)
        assert client.get("/prefer/state", params=who).json()["done"] == 0
    assert read_answers(folder / "preferences.jsonl") == []
