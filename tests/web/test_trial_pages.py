"""The page of one trial, without a browser. What it may not read: test_run_pages.py."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

from app_runs import fill, header, trial
from starlette.testclient import TestClient

from worldgym.web.guard import SessionSecrets
from worldgym.web.trial_pages import replay_command
from worldgym.web.view_app import ViewConfig, view_app

CURVE = ((2, 0.25, 0.125), (4, 0.5, None), (6, 1.0, 0.875))


def test_a_page_holds_the_judge_along_the_frames_and_the_signals(tmp_path: Path) -> None:
    records = [trial("good", "door", 0, curve=CURVE), trial("good", "door", 1)]
    fill(tmp_path / "runs" / "a", header(), records)
    config = ViewConfig((tmp_path / "runs",), None, SessionSecrets("session", "write"))
    with TestClient(view_app(config), base_url="http://127.0.0.1") as client:
        client.get("/?token=session")
        pages = [
            client.get(f"/trial?run=a&policy=good&task=door/{start}&repeat=0").text
            for start in (0, 1)
        ]
        found = client.get("/signals?run=a&row=1").json()
    told = [re.search(r'data-curve="([^"]*)"', page) for page in pages]
    assert [json.loads(unescape(one[1])) for one in told if one] == [list(map(list, CURVE)), []]
    assert ['id="along"' in page for page in pages] == [True, False]
    assert set(found) == {"success", "log_odds_against", "progress_mismatch", "disagreeing_trials"}


def test_the_command_that_replays_a_trial(tmp_path: Path) -> None:
    record = trial("good", "door", 0)
    said = replay_command(tmp_path, header(), record)
    assert said == f"worldgym play bundled --replay {tmp_path}/videos/good/door/0-0.mp4"
    assert replay_command(tmp_path, header(), trial("good", "door", 0, video=None)) == ""
