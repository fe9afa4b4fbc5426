"""One command started three times against a server that does everything wrong: nothing is lost,
misread, overpaid or told."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_server import SUCCESS, ModelServer, Said
from PIL import Image

from worldgym.errors import SameFailure
from worldgym.evaluation.plan import EvaluateConfig
from worldgym.evaluation.provenance import Origin
from worldgym.evaluation.run import evaluate_parts
from worldgym.io.run_log import read_log
from worldgym.io.run_records import results
from worldgym.judges.vlm import VlmConfig, VlmJudge
from worldgym.servers.provider import Server
from worldgym.servers.votes import PAYMENTS_NAME, Price, read_payments
from worldgym.tasks.task_folder import load_tasks
from worldgym.testing import FakePolicy, FakeWorld

KEY = "sk-storm-0123456789abcdef"
PRICE = 0.002  # of one answer
POLICIES = [FakePolicy(level=0.1, name="low"), FakePolicy(level=0.9, name="high")]
UPSTREAM = {
    "choices": [{"message": {"content": ""}, "finish_reason": "stop", "error": {"code": 502}}]
}
BOTH = '{"verdict": "failure"}\n{"verdict": "success"}'
FAULTS: list[tuple[float, Said]] = [
    (0.10, Said(status=429, headers={"retry-after": "0"})),
    (0.18, Said(status=500)),
    (0.24, Said(kind="drop")),
    (0.30, Said(kind="cut")),
    (0.34, Said(kind="raw", body=b"\x00garbage")),
    (0.38, Said(kind="raw", body=json.dumps(UPSTREAM).encode())),
    (0.385, Said(kind="trickle", seconds=3.0)),
    (0.41, Said(refusal="no")),
    (0.43, Said(finish="length", text='{"reasoning": "the')),
    (0.46, Said("Verdict: failure is not what I see")),
    (0.49, Said(BOTH)),
    (0.51, Said("<think>a failure")),
    (0.53, Said('{"verdict": "failure", "verdict": "success"}')),
    (0.55, Said("failure", finish="abort")),
]


@pytest.fixture
def tasks(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """As many tasks as the test's parameter says."""
    folder = tmp_path / "tasks"
    folder.mkdir()
    for i in range(request.param):
        Image.fromarray(
            np.random.default_rng(i).integers(0, 256, (16, 24, 3)).astype(np.uint8)
        ).save(folder / f"{i}.png")
        (folder / f"{i}.json").write_text(
            json.dumps({"instruction": "open it", "steps": 3, "group": "g"})
        )
    return folder


def stormy(server: ModelServer, request: dict[str, Any], number: int) -> Said:
    """About half of the answers are whole, and all of these say success. Some quote the head of the
    request."""
    draw = float(np.random.default_rng([5, number]).random())
    if 0.55 <= draw < 0.60:
        return Said(
            json.dumps({"reasoning": json.dumps(server.headers[number]), "verdict": "success"})
        )
    if 0.60 <= draw < 0.62:
        return Said(status=503, body=json.dumps(server.headers[number]).encode())
    return next((said for limit, said in FAULTS if draw < limit), Said(SUCCESS))


@pytest.mark.parametrize("tasks", [6, pytest.param(100, marks=pytest.mark.slow)], indirect=True)
def test_three_starts_in_a_storm(
    tasks: Path, model_server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORM_KEY", f"{KEY}\r\n")
    model_server.script = lambda request, number: stormy(model_server, request, number)
    server = Server(
        "tiny",
        base_url=model_server.url,
        api_key_env="STORM_KEY",
        attempts=40,
        timeout_seconds=0.5,
        concurrency=8,
    )
    described = VlmConfig(
        server,
        Price(1.0, 20.0),
        votes=3,
        frames="first+last",
        frame_size=None,
        cache=tmp_path / "votes",
    )
    loaded, run = load_tasks(tasks), tmp_path / "run"
    count = 2 * len(loaded)
    slack = 2 * server.concurrency * PRICE  # what is on its way when the first price is learnt

    def start(budget_usd: float) -> dict[str, Any]:
        judge = VlmJudge(described, budget_usd, wait=lambda seconds: None)
        with contextlib.suppress(SameFailure):
            evaluate_parts(
                EvaluateConfig(run, len(loaded), batch=8),
                FakeWorld(),
                POLICIES,
                loaded,
                judge,
                Origin({"tasks": str(tasks)}),
            )
        return json.loads((run / "summary.json").read_text())

    few, enough = 0.3 * count * 3 * PRICE, 100.0
    for budget in (few, few, enough):
        summary = start(budget)
        paid = sum(read_payments(run / PAYMENTS_NAME))
        assert paid <= budget + slack
        assert summary["expenses"]["paid_usd"] == pytest.approx(paid)
    outcome = results(read_log(run / "log.jsonl")[1])
    assert len(outcome.finished) == count and not outcome.failed
    assert {record.score for record in outcome.finished} <= {1.0, None}
    assert sum(record.score == 1.0 for record in outcome.finished) > count / 2
    assert all(len(record.votes) == 3 for record in outcome.finished)
    assert all(
        vote.score == 1.0 or vote.reason for record in outcome.finished for vote in record.votes
    )
    kept = len(list((tmp_path / "votes").rglob("*.json")))
    assert paid == pytest.approx(kept * PRICE) and sum(
        r.cost_usd for r in outcome.finished
    ) == pytest.approx(paid)
    assert any(f"Bearer {KEY}" in head.values() for head in model_server.headers)
    for folder in (run, tmp_path / "votes"):
        assert not [
            path
            for path in folder.rglob("*")
            if path.is_file() and b"storm-0123" in path.read_bytes()
        ]
    before = len(model_server.requests)
    assert before > 5 * count  # 1,000 and more in the slow test
    start(enough)
    assert len(model_server.requests) == before


@pytest.mark.parametrize("tasks", [12], indirect=True)
def test_answers_under_way_at_a_stop_count_in_the_budget_of_the_next_start(
    tasks: Path, model_server: ModelServer, tmp_path: Path
) -> None:
    """One failure again and again stops the run while two answers are awaited: these are paid for
    and noted, but stand in no trial of the log."""
    for i in range(12):
        described = {"instruction": f"open drawer {i:02d}", "steps": 3, "group": "g"}
        (tasks / f"{i}.json").write_text(json.dumps(described))
    late = ("drawer 08", "drawer 09")  # the last by the names of their files
    server = Server("tiny", base_url=model_server.url, timeout_seconds=20.0, concurrency=12)
    prices = Price(1.0, 20.0)
    config = VlmConfig(server, prices, votes=1, frame_size=None, cache=tmp_path / "votes")
    loaded, run = load_tasks(tasks), tmp_path / "run"

    def start(budget_usd: float) -> None:
        judge = VlmJudge(config, budget_usd, wait=lambda seconds: None)
        setting = EvaluateConfig(run, len(loaded), batch=len(loaded))
        evaluate_parts(
            setting, FakeWorld(), POLICIES[:1], loaded, judge, Origin({"tasks": str(tasks)})
        )

    under_way = threading.Barrier(3)

    def script(request: dict[str, Any], number: int) -> Said:
        said = json.dumps(request)
        if any(name in said for name in late):
            under_way.wait(10.0)
            return Said(kind="slow", seconds=2.0)
        if "drawer 00" in said and not under_way.broken and number < 12:
            under_way.wait(10.0)  # until both are on their way
        return Said(status=400, body=b"no")

    model_server.script = script
    with pytest.raises(SameFailure):
        start(1.0)
    log = read_log(run / "log.jsonl")[1]
    assert sum(record.paid_usd for record in log) == 0.0
    for _ in range(200):
        if len(read_payments(run / PAYMENTS_NAME)) == len(late):
            break
        time.sleep(0.05)
    noted = sum(read_payments(run / PAYMENTS_NAME))
    assert noted == pytest.approx(len(late) * PRICE)
    model_server.script = lambda request, number: Said()
    asked = len(model_server.requests)
    start(noted)  # the log alone would allow two answers
    assert len(model_server.requests) == asked
    start(1.0)
    assert len(model_server.requests) == asked + 10
    assert sum(read_payments(run / PAYMENTS_NAME)) == pytest.approx(12 * PRICE)
