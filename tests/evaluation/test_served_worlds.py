"""Evaluations in worlds behind a server: the same log as in process, also when the server dies in
the middle."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stand_in_worlds import WORLDS, WorldServer

from worldgym.errors import SameFailure
from worldgym.evaluation.load_parts import Sources
from worldgym.evaluation.plan import EvaluateConfig
from worldgym.evaluation.run import run_sources
from worldgym.io.run_log import read_log
from worldgym.io.run_records import TrialRecord
from worldgym.policies.policy_protocol import Observation
from worldgym.testing import FakeJudge, FakePolicy
from worldgym.types import Actions, Task
from worldgym.world.wire.served_world import connect_world

pytest.importorskip("websockets", reason="the extra [remote] is not installed")
pytest.importorskip("msgpack", reason="the extra [remote] is not installed")

STATE = {"x": 0.0, "y": 0.0}


def tasks(views: Sequence[str], shape: tuple[int, int, int], steps: int = 6) -> list[Task]:
    frames = np.random.default_rng(0).integers(0, 256, (4, len(views), *shape)).astype(np.uint8)
    return [
        Task(
            f"{'ab'[i % 2]}/{i}",
            "ab"[i % 2],
            frame[0],
            f"do {i}",
            steps + i,
            others=dict(zip(views[1:], frame[1:], strict=True)),
        )
        for i, frame in enumerate(frames)
    ]


class Watching(FakePolicy):
    """Acts on what it sees: one changed pixel in a frame would show in every later action."""

    def act(
        self, states: Sequence[Any], observations: Sequence[Observation]
    ) -> tuple[list[Any], Actions]:
        after, actions = super().act(states, observations)
        seen = [float(o.frame.astype(int).sum() % 97) / 97.0 for o in observations]
        return after, (actions * np.array(seen, np.float32)[:, None, None]).astype(np.float32)


def run(out: Path, world: Any, batch: int, policy: Any = None, **options: Any) -> Path:
    """A run in a world that is an object, or an address."""
    here = connect_world(world) if isinstance(world, str) else world
    made = tasks(here.views, here.frame_shape, options.pop("steps", 6))
    policies = (policy or Watching(chunk=3, name="watching"),)
    sources = Sources(here, policies, made, FakeJudge())
    run_sources(sources, EvaluateConfig(out, trials=8, batch=batch, **options))
    return out


def records(out: Path) -> list[TrialRecord]:
    return read_log(out / "log.jsonl")[1]


def scored(out: Path) -> list[TrialRecord]:
    """What ran, as if at the first attempt."""
    return sorted((replace(r, attempt=1) for r in records(out) if r.finished), key=lambda r: r.key)


@pytest.fixture
def serve() -> Iterator[Callable[[str], WorldServer]]:
    servers: list[WorldServer] = []

    def start(world: str) -> WorldServer:
        servers.append(WorldServer(world))
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


@pytest.mark.parametrize("batch", [1, 16])
def test_the_log_is_that_of_an_evaluation_in_process(
    batch: int, tmp_path: Path, serve: Callable[[str], WorldServer]
) -> None:
    here = run(tmp_path / "here", WORLDS["two views"], batch)
    there = run(tmp_path / "there", serve("two views").address, batch)
    (mine, expected), (theirs, found) = (read_log(out / "log.jsonl") for out in (here, there))
    assert found == expected and len(found) == 16
    assert mine.difference(theirs) is None and theirs.difference(mine) is None
    for record in expected:
        for name in (record.video, record.actions_file):
            assert (here / str(name)).read_bytes() == (there / str(name)).read_bytes()


def test_one_that_is_not_like_ours_gives_the_same_log_too(
    tmp_path: Path, serve: Callable[[str], WorldServer]
) -> None:
    policy = Watching(chunk=8, name="watching")
    options: dict[str, Any] = {"policy": policy, "align": "hold", "steps": 20}
    here = run(tmp_path / "here", WORLDS["stand-in"], 16, **options)
    there = run(tmp_path / "there", serve("stand-in").address, 16, **options)
    assert read_log(here / "log.jsonl")[1] == read_log(there / "log.jsonl")[1]


class Killing(Watching):
    """Does something before its question number `at`."""

    def __init__(self, at: int, do: Callable[[], None]) -> None:
        super().__init__(chunk=3, name="watching")
        object.__setattr__(self, "questions", iter(range(1, 10**6)))
        object.__setattr__(self, "at", at)
        object.__setattr__(self, "do", do)

    def act(
        self, states: Sequence[Any], observations: Sequence[Observation]
    ) -> tuple[list[Any], Actions]:
        if next(self.questions) == self.at:  # type: ignore[attr-defined]
            self.do()  # type: ignore[attr-defined]
        return super().act(states, observations)


@pytest.mark.parametrize("at", [1, 5])  # before the first step, and in the middle of a batch
def test_a_server_killed_and_restarted_costs_no_result(
    at: int, tmp_path: Path, serve: Callable[[str], WorldServer]
) -> None:
    here = run(tmp_path / "here", WORLDS["fake"], 4)
    server = serve("fake")

    def restart() -> None:
        server.kill()
        threading.Timer(0.3, server.start).start()

    there = run(
        tmp_path / "there", f"{server.address}?patience=900", 4, policy=Killing(at, restart)
    )
    assert scored(there) == scored(here)
    # what was lost was the state of a whole batch, which ran again from its start, as a whole
    assert [record for record in records(there) if not record.finished] == []


def test_a_server_that_stays_away_fails_trials_and_the_same_command_ends_them(
    tmp_path: Path, serve: Callable[[str], WorldServer]
) -> None:
    here = run(tmp_path / "here", WORLDS["fake"], 4)
    server = serve("fake")
    out = tmp_path / "there"
    with pytest.raises(SameFailure, match="no answer for"):
        run(out, f"{server.address}?patience=0.2", 4, policy=Killing(3, server.kill))
    assert all(record.score is None for record in records(out) if not record.finished)
    server.start()
    run(out, server.address, 4)
    assert scored(out) == scored(here)


def test_another_world_at_the_same_address_is_not_gone_on_with(
    tmp_path: Path, serve: Callable[[str], WorldServer]
) -> None:
    server = serve("fake")

    def exchange() -> None:
        server.kill()
        server.words = ("another",)
        server.start()

    with pytest.raises(SameFailure, match="something else than when the run began"):
        run(tmp_path, server.address, 4, policy=Killing(3, exchange))
