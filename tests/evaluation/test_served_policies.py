"""Evaluations against servers in another process: the same log as in process, also when the server
dies in the middle."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from policy_server import POLICIES, Server

from worldgym.errors import SameFailure, ServerOutage
from worldgym.evaluation.plan import EvaluateConfig
from worldgym.evaluation.rollout import roll_out
from worldgym.evaluation.run import evaluate_parts
from worldgym.io.run_log import ATTEMPTS, read_log
from worldgym.io.run_records import TrialRecord
from worldgym.policies.load_policy import load_policy
from worldgym.policies.policy_protocol import Observation, Policy
from worldgym.stats.summary import Summary
from worldgym.testing import FAKE_SPEC, FakeJudge, FakeState, FakeWorld, check_policy
from worldgym.types import Actions, Frames, Task, Trial

pytest.importorskip("websockets", reason="the extra [remote] is not installed")
pytest.importorskip("msgpack", reason="the extra [remote] is not installed")

PROTOCOLS = ("openpi", "openvla")


def tasks() -> list[Task]:
    frames = np.random.default_rng(0).integers(0, 256, (4, 16, 24, 3)).astype(np.uint8)
    plain = [
        Task(f"{'ab'[i % 2]}/{i}", "ab"[i % 2], frame, f"do {i}", 6)
        for i, frame in enumerate(frames)
    ]
    stated = replace(plain[1], state={"x": 0.1, "y": 0.2, "gripper_open": 0.0})
    return [plain[0], stated, *plain[2:]]


def run(out: Path, policy: Policy[Any], world: FakeWorld | None = None) -> dict[str, Any]:
    return evaluate_parts(
        EvaluateConfig(out, trials=3, batch=3), world or FakeWorld(), [policy], tasks(), FakeJudge()
    )


def records(out: Path) -> list[TrialRecord]:
    return read_log(out / "log.jsonl")[1]


def scored(out: Path) -> list[TrialRecord]:
    """What ran, as if at the first attempt."""
    return sorted((replace(r, attempt=1) for r in records(out) if r.finished), key=lambda r: r.key)


@pytest.fixture
def serve() -> Iterator[Callable[[str, str], Server]]:
    servers: list[Server] = []

    def start(protocol: str, policy: str) -> Server:
        servers.append(Server(protocol, policy))
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


class Interrupted(FakeWorld):
    """Does something before its step number `at`: kills a server, say."""

    def __init__(self, at: int, do: Callable[[], None]) -> None:
        super().__init__()
        object.__setattr__(self, "interrupt", {at: do})
        object.__setattr__(self, "steps", count(1))

    def step(self, state: FakeState, actions: Actions) -> tuple[FakeState, Frames]:
        self.interrupt.get(next(self.steps), lambda: None)()  # type: ignore[attr-defined]
        return super().step(state, actions)


def untimed(summary: Summary) -> dict[str, Any]:
    return {key: value for key, value in summary.to_json().items() if key != "expenses"}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", ["remembering", "seeing", "recalling"])
def test_the_log_is_that_of_an_evaluation_in_process(
    protocol: str, name: str, tmp_path: Path, serve: Callable[[str, str], Server]
) -> None:
    server = serve(protocol, name)
    summary = run(tmp_path / "here", POLICIES[name])
    for connections in (1, 3):
        remote = load_policy(f"{server.address}?connections={connections}", FAKE_SPEC)
        out = tmp_path / f"there-{connections}"
        assert untimed(run(out, remote)) == untimed(summary)
        (here, expected), (there, found) = (
            read_log(folder / "log.jsonl") for folder in (tmp_path / "here", out)
        )
        assert found == expected and here.difference(there) is None
        # meets the noise of the unedited one
        twin = replace(tasks()[0], name="a/0-dim", nominal="a/0", axis="lighting")
        trials = [Trial(task, repeat, 7) for task in (*tasks(), twin) for repeat in (0, 1)]
        for mine, theirs in zip(
            *(roll_out(FakeWorld(), p, trials) for p in (POLICIES[name], remote)), strict=True
        ):
            assert np.array_equal(mine.frames, theirs.frames) and np.array_equal(
                mine.actions, theirs.actions
            )
    check_policy(remote, (16, 24, 3), atol=0.0)


@pytest.mark.parametrize("protocol", PROTOCOLS)
# in the middle of the second batch
@pytest.mark.parametrize(("name", "at"), [("remembering", 6), ("seeing", 8)])
def test_a_server_killed_and_restarted_costs_no_result(
    protocol: str, name: str, at: int, tmp_path: Path, serve: Callable[[str, str], Server]
) -> None:
    server = serve(protocol, name)

    def restart() -> None:
        server.kill()
        threading.Timer(0.5, server.start).start()

    run(tmp_path / "here", POLICIES[name])
    run(
        tmp_path / "there",
        load_policy(f"{server.address}?patience=900", FAKE_SPEC),
        Interrupted(at, restart),
    )
    assert scored(tmp_path / "there") == scored(tmp_path / "here")
    failed = [record for record in records(tmp_path / "there") if not record.finished]
    # "seeing" is asked the same again; trials whose state is lost are run again from their start
    assert not failed


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_state_lost_with_the_server_is_said(
    protocol: str, serve: Callable[[str, str], Server]
) -> None:
    server, trial = serve(protocol, "remembering"), Trial(tasks()[0], 0, 2**70)
    remote = load_policy(f"{server.address}?patience=900", FAKE_SPEC)
    states, seen = remote.reset([trial]), [Observation(trial.task.frame, "go", 0)]
    remote.act(states, seen)
    server.kill()
    server.start()
    with pytest.raises(ServerOutage, match="the state of this trial is not known here"):
        remote.act(states, seen)
    _, actions = remote.act(remote.reset([trial]), seen)
    assert np.array_equal(
        actions, POLICIES["remembering"].act(POLICIES["remembering"].reset([trial]), seen)[1]
    )


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_server_that_stays_away_fails_trials_apart_and_a_later_start_completes_the_run(
    protocol: str, tmp_path: Path, serve: Callable[[str, str], Server]
) -> None:
    server = serve(protocol, "seeing")
    remote = load_policy(f"{server.address}?patience=0.3", FAKE_SPEC)
    with pytest.raises(SameFailure, match="10 times in a row"):
        run(tmp_path / "there", remote, Interrupted(8, server.kill))
    summary = Summary.read(tmp_path / "there")
    failed = [record for record in records(tmp_path / "there") if not record.finished]
    assert failed and all(
        record.score is None and server.address in str(record.failure_reason) for record in failed
    )
    assert max(record.attempt for record in failed) == ATTEMPTS
    assert sum(cell.failed for cell in summary.cells) == len({record.key for record in failed})
    server.start()
    run(tmp_path / "there", load_policy(server.address, FAKE_SPEC))
    run(tmp_path / "here", POLICIES["seeing"])
    assert scored(tmp_path / "there") == scored(tmp_path / "here")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_another_policy_at_the_same_address_is_not_scored(
    protocol: str, tmp_path: Path, serve: Callable[[str, str], Server]
) -> None:
    server = serve(protocol, "seeing")

    def swap() -> None:
        server.kill()
        server.words = (server.words[0], "another")
        server.start()

    with pytest.raises(SameFailure, match="offers something else"):
        run(tmp_path / "there", load_policy(server.address, FAKE_SPEC), Interrupted(8, swap))
    run(tmp_path / "here", POLICIES["seeing"])
    expected = {record.key: record for record in scored(tmp_path / "here")}
    assert all(record == expected[record.key] for record in scored(tmp_path / "there"))
    failed = [record for record in records(tmp_path / "there") if not record.finished]
    assert failed and all(
        "offers something else" in str(record.failure_reason) for record in failed
    )
