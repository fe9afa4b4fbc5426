"""What the app answers, without a browser: content, paths, markup from logs."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import pytest
from app_runs import EVIL, fill, header, trial
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from worldgym.io.run_log import RunLog
from worldgym.report.page import write_report
from worldgym.types import Vote
from worldgym.web.app_pages import file_inside
from worldgym.web.guard import SessionSecrets
from worldgym.web.run_library import RunLibrary
from worldgym.web.run_pages import live_event
from worldgym.web.view_app import ViewConfig, view_app


class Tags(HTMLParser):
    """Tags and event handlers as a browser would see them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags = list[str]()
        self.handlers = list[str]()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on")]


def evil(text: str) -> dict[str, object]:
    return {
        "instruction": text,
        "reason": text,
        "flags": (text,),
        "votes": (Vote(1.0, text),),
        "provenance": {text: text},
        "judge": text,
        "video": None,
        "truth_video": None,
    }


def finished_figures(client: TestClient, run: str) -> str:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        answer = client.get("/figures", params={"run": run})
        if answer.headers["x-worldgym-fresh"] == "1":
            return answer.text
        time.sleep(0.1)
    raise AssertionError("no figures")


@pytest.fixture
def config(make_run, tmp_path: Path, config: ViewConfig) -> ViewConfig:  # type: ignore[no-untyped-def]
    make_run()
    secret = tmp_path / "secret.mp4"
    secret.write_bytes(b"secret")
    away = [
        trial("good", "door", 0, video="videos/link.mp4", truth_video=None),
        trial("good", "door", 1, video="videos/folder/secret.mp4", truth_video=None),
        trial("good", "door", 2, video="videos", truth_video=None),
    ]
    run = fill(tmp_path / "runs" / "away", header(), [])
    with RunLog.open(run, header()) as log:
        for record in away:
            log.append(record)
    (run / "videos").mkdir()
    (run / "videos" / "link.mp4").symlink_to(secret)
    (run / "videos" / "folder").symlink_to(tmp_path)
    fill(
        tmp_path / "runs" / "evil",
        header((EVIL,)),
        [trial(EVIL, EVIL, 0, **evil(EVIL)), trial(EVIL, "door", 1, **evil(EVIL))],
    )
    return config


def test_pages_of_a_run(client: TestClient, tmp_path: Path) -> None:
    listed = client.get("/").text
    assert "3 of 3 runs" in listed and "/run?run=a" in listed
    page = client.get("/run?run=a")
    assert page.status_code == 200 and "finished" in page.text
    gallery = client.get("/gallery?run=a&policy=good").text
    assert gallery.count("<article") == 6 and "1 to 6 of 6" in gallery
    one = client.get("/trial?run=a&policy=good&task=door/0&repeat=0").text
    assert "2 votes" not in one and "hidden" in one and "worldgym play bundled --replay" in one
    video = client.get("/video?run=a&row=0&kind=world", headers={"range": "bytes=0-9"})
    assert video.status_code == 206 and len(video.content) == 10
    actions = client.get("/actions?run=a&row=0").json()
    assert actions["names"] == ["x", "y", "gripper"] and len(actions["actions"]) == 6


def test_the_figures_are_those_of_the_static_report(client: TestClient, tmp_path: Path) -> None:
    figures = finished_figures(client, "a")
    report = write_report(tmp_path / "runs" / "a").read_text()
    sections = re.findall(r'<section id="(\w+)".*?</section>', report, re.DOTALL)
    assert {"policies", "order", "tasks", "made"} <= set(sections)
    for found in re.finditer(r'<section id="(\w+)".*?</section>', report, re.DOTALL):
        if found[1] not in ("gallery", "costs"):
            assert found[0] in figures
    assert client.get("/run?run=a").text.count('id="policies"') == 1


@pytest.mark.parametrize(
    "address",
    [
        "/run?run=nothing",
        "/run",
        "/run?run=../a",
        "/run?run=/etc",
        "/gallery?run=a/../a",
        "/video?run=a&row=999",
        "/video?run=a&row=-1",
        "/video?run=a&row=²",
        "/video?run=away&row=0",
        "/video?run=away&row=1",
        "/video?run=away&row=2",
        "/actions?run=away&row=0",
        "/trial?run=a&policy=good&task=door/99&repeat=0",
        "/trial?run=a&policy=good&task=door/0&repeat=x",
        "/static/../guard.py",
        "/static/..%2fguard.py",
        "/static/%2e%2e/guard.py",
        "/static/guard.py",
        "/etc/passwd",
        "/events?run=nothing",
    ],
)
def test_what_is_not_there_is_not_read(client: TestClient, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 404 and "secret" not in answer.text


@given(st.text())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_no_name_leads_out_of_a_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir(exist_ok=True)
    found = file_inside(tmp_path / "in", f"../{name}") or file_inside(tmp_path / "in", f"/{name}")
    assert found is None


def test_folders_whose_names_are_no_utf8_have_their_pages(
    tmp_path: Path, client: TestClient
) -> None:
    damaged = tmp_path / "runs" / os.fsdecode(b"\xff")
    for odd in (tmp_path / "runs" / os.fsdecode(b"caf\xe9"), damaged):
        shutil.copytree(tmp_path / "runs" / "a", odd)
    with (damaged / "log.jsonl").open("ab") as log:
        log.write(b"{}\n")
    app = view_app(ViewConfig((tmp_path / "runs",), secret=SessionSecrets("session", "write")))
    with TestClient(app, base_url="http://127.0.0.1") as other:
        other.get("/?token=session")
        while "being read" in (listed := other.get("/list")).text:
            assert listed.status_code == 200
        assert "caf\ufffd" in listed.text and "line 14" in listed.text
        for address in ("/", "/compare", "/leaderboard"):
            assert other.get(address).status_code == 200
        who = {"run": "caf\ufffd", "policy": "good", "task": "door/0", "repeat": "0"}
        for address in ("/run", "/gallery", "/trial", "/video"):
            assert other.get(address, params={**who, "row": "0"}).status_code == 200
        assert other.get("/actions", params={**who, "row": "0"}).status_code == 200
        assert 'id="policies"' in finished_figures(other, who["run"])
        compared = other.get("/compare/drawn", params={"run": ["a", who["run"]]})
        assert compared.status_code == 200
        said = other.get("/gallery", params={"run": "\ufffd"})
        assert said.status_code == 400 and "line 14" in said.text


ALLOWED = {"img": 0, "iframe": 0, "object": 0, "script": 1}


def check_markup(text: str) -> None:
    tags = Tags(text)
    for tag, most in ALLOWED.items():
        assert tags.tags.count(tag) <= most, tag
    assert tags.handlers == [] and "49" not in re.findall(r"\{\{(\d+)\}\}", text)


def test_a_log_cannot_inject_markup(client: TestClient) -> None:
    who = {"run": "evil", "policy": EVIL, "task": f"{EVIL}/0", "repeat": "0"}
    pages = [
        client.get("/", params={"words": EVIL}),
        client.get("/list"),
        client.get("/run", params=who),
        client.get("/gallery", params={**who, "flag": EVIL, "task": EVIL}),
        client.get("/gallery?run=evil"),
        client.get("/trial", params=who),
        client.get("/run", params={"run": EVIL}, headers={"accept": "text/html"}),
        client.get(f"/{quote(EVIL)}", headers={"accept": "text/html"}),
    ]
    for page in pages:
        check_markup(page.text)
    check_markup(finished_figures(client, "evil"))
    assert "onerror" in pages[4].text  # it is there, as text


@given(st.text(min_size=1).filter(lambda text: text.strip() != ""))
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None
)
def test_no_text_of_a_log_becomes_markup(tmp_path_factory, text: str) -> None:  # type: ignore[no-untyped-def]
    runs = tmp_path_factory.mktemp("fuzzed")
    spiced = f"<b onclick=x>{text}</b>\"'><script>"
    fill(runs / "r", header(), [trial("good", "door", 0, **evil(spiced))])
    config = ViewConfig((runs,))
    app = view_app(config)
    client = TestClient(app, base_url="http://127.0.0.1")
    client.get("/", params={"token": config.secret.session})
    for address in ("/gallery?run=r", "/trial?run=r&policy=good&task=door/0&repeat=0"):
        answer = client.get(address)
        assert answer.status_code == 200
        check_markup(answer.text)


def test_progress_is_told_as_it_comes(config: ViewConfig) -> None:
    library = RunLibrary(config.runs)
    library.find()
    runs = {run.name: run for run in library.runs()}
    told = json.loads(live_event(library, runs["a"]))
    assert told["state"] == "finished" and told["done"] == told["planned"] == 12
    assert told["newest"][0]["video"].startswith("/video?run=a&row=")
    with RunLog.open(runs["away"].folder, header()) as log:
        before = json.loads(live_event(library, runs["away"]))
        log.append(trial("poor", "door", 0, video=None, truth_video=None))
    after = json.loads(live_event(library, runs["away"]))
    assert after["done"] == before["done"] + 1 and after["state"] == "running"
