"""Runs and clients for the tests of the app."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from app_runs import POLICIES, fill, header, trial

pytest.importorskip("starlette", reason="the extra [web] is not installed")

from starlette.testclient import TestClient

from worldgym.types import Vote
from worldgym.web.guard import SessionSecrets
from worldgym.web.view_app import ViewConfig, view_app

ORIGIN = "http://127.0.0.1"
MakeRun = Callable[..., Path]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """make_run("a", frames=3): a finished run below tmp_path/runs, two policies on two tasks."""

    def make(name: str = "a", frames: int = 3, policies: tuple[str, ...] = POLICIES) -> Path:
        records = [
            trial(policy, group, start)
            for group in ("door", "drawer")
            for start in range(frames)
            for policy in policies
        ]
        records[0] = trial(
            policies[0],
            "door",
            0,
            votes=(Vote(1.0, "seen"), Vote(0.0, "hidden")),
            flags=("no motion",),
        )
        return fill(tmp_path / "runs" / name, header(policies, frames), records)

    return make


@pytest.fixture
def config(tmp_path: Path) -> ViewConfig:
    (tmp_path / "runs").mkdir(exist_ok=True)
    return ViewConfig((tmp_path / "runs",), tmp_path / "cache", SessionSecrets("session", "write"))


@pytest.fixture
def client(config: ViewConfig) -> Iterator[TestClient]:
    """Of a session, with everything below tmp_path/runs read. Make the runs first."""
    with TestClient(view_app(config), base_url=ORIGIN) as client:
        client.get("/?token=session")
        while "being read" in client.get("/list").text:
            pass
        yield client
