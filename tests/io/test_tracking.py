"""TensorBoard for real; the services against modules of the same signatures."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import worldgym as wg
from worldgym.errors import InputError
from worldgym.io.tracking import KINDS, Trackers, check_trackers
from worldgym.testing import FakeJudge, FakePolicy, FakeWorld

Calls = list[tuple[Any, ...]]
KEY = "wandb-api-key-0123456789abcdef"


class StandIn(ModuleType):
    """Notes what it is called with. `fails`: what raises."""

    def __init__(self, name: str, calls: Calls, fails: str = "") -> None:
        super().__init__(name)
        self.calls = calls
        self.fails = fails

    def _note(self, name: str, *values: Any) -> None:
        if name == self.fails:
            raise ConnectionError(f"no answer from the service\nAuthorization: {KEY}")
        self.calls.append((name, *values))


class Wandb(StandIn):
    """wandb.init(entity=None, project=None, ...) -> Run; Run.log(data, step=None), Run.finish()."""

    def init(self, entity: str | None = None, project: str | None = None) -> Wandb:
        self._note("init", entity, project)
        return self

    def log(self, data: dict[str, Any], step: int | None = None) -> None:
        self._note("log", data, step)

    def finish(self, exit_code: int | None = None) -> None:
        self._note("finish")


class Trackio(StandIn):
    def init(self, project: str, name: str | None = None) -> None:
        self._note("init", project)

    def log(self, metrics: dict[str, Any], step: int | None = None) -> None:
        self._note("log", metrics, step)

    def finish(self) -> None:
        self._note("finish")


class Mlflow(StandIn):
    def set_experiment(self, experiment_name: str | None = None) -> None:
        self._note("set_experiment", experiment_name)

    def start_run(self, run_id: str | None = None) -> None:
        self._note("start_run")

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self._note("log", metrics, step)

    def end_run(self, status: str = "FINISHED") -> None:
        self._note("end_run")


STAND_INS = {"wandb": Wandb, "trackio": Trackio, "mlflow": Mlflow}
BEGIN: Mapping[str, Calls] = {
    "wandb": [("init", "team", "robots")],
    "trackio": [("init", "team/robots")],
    "mlflow": [("set_experiment", "team/robots"), ("start_run",)],
}
END = {"wandb": "finish", "trackio": "finish", "mlflow": "end_run"}


@pytest.mark.parametrize("kind", list(STAND_INS))
def test_a_service_gets_numbers_steps_and_an_end(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: Calls = []
    monkeypatch.setitem(sys.modules, kind, STAND_INS[kind](kind, calls))
    with Trackers.named([f"{kind}:team/robots"]) as trackers:
        trackers.log({"success_rate/grasp@x": 0.5}, 3)
    name = "success_rate/grasp_x" if kind == "mlflow" else "success_rate/grasp@x"
    assert calls == [*BEGIN[kind], ("log", {name: 0.5}, 3), (END[kind],)]


@pytest.mark.parametrize("fails", ["init", "log", "finish"])
def test_a_tracker_that_fails_is_told_about_once_and_stops_nothing(
    fails: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: Calls = []
    other: Calls = []
    monkeypatch.setitem(sys.modules, "wandb", Wandb("wandb", calls, fails))
    monkeypatch.setitem(sys.modules, "trackio", Trackio("trackio", other))
    with Trackers.named(["wandb:robots", "trackio:robots"]) as trackers:
        for step in range(3):
            trackers.log({"loss": 1.0}, step)
    said = capsys.readouterr().err
    assert said.count("wandb:robots gets no more numbers (ConnectionError: no answer") == 1
    assert len(said.splitlines()) == 1 and KEY not in said
    assert len(other) == 5 and len(calls) == {"init": 0, "log": 1, "finish": 4}[fails]


@pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorboard")
def test_tensorboard_gets_the_rates_of_an_evaluation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.setenv("WANDB_API_KEY", KEY)
    calls: Calls = []
    monkeypatch.setitem(sys.modules, "wandb", Wandb("wandb", calls))
    frames = np.random.default_rng(0).integers(0, 256, (2, 16, 24, 3), np.uint8)
    tasks = [wg.Task(f"door/{i}", "door", frames[i], "open", 3) for i in range(2)]
    policies = [FakePolicy(level=0.9, name="g@2k"), FakePolicy(level=0.1, name="g@500")]
    run = wg.evaluate(
        FakeWorld(),
        [*policies, FakePolicy(level=0.9, name="other")],
        tasks,
        FakeJudge(),
        out=tmp_path / "run",
        trials=2,
        track=(f"tensorboard:{tmp_path / 'board'}", "wandb:robots"),
    )
    events = EventAccumulator(str(tmp_path / "board")).Reload()
    points = [(point.step, point.value) for point in events.Scalars("success_rate/g/door")]
    assert points == [(500, 0.0), (2000, 1.0)]
    (low,) = (point for point in events.Scalars("success_rate/other/low"))
    (policy,) = (policy for policy in run.summary.policies if policy.policy == "other")
    assert low.value == pytest.approx(policy.low) and low.step == 0
    assert [p.value for p in events.Scalars("trials/finished")] == [6.0]
    assert [call[-1] for call in calls if call[0] == "log"] == [0, 500, 2000]
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes()


def test_what_is_no_tracker_is_refused_before_the_first_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, said in {
        "wandbb:x": r'no tracker "wandbb:x" \(did you mean wandb\?\): one of tensorboard:DIR',
        "wandb": r'no tracker "wandb".*: one of',
        "wandb:": "one of",
    }.items():
        with pytest.raises(InputError, match=said):
            check_trackers([name])
    monkeypatch.setitem(sys.modules, "trackio", None)
    with pytest.raises(InputError, match=r'"trackio:x" needs the package "trackio": .*pip install'):
        wg.evaluate(
            FakeWorld(), FakePolicy(), [], FakeJudge(), out=tmp_path, trials=1, track=("trackio:x",)
        )
    assert os.listdir(tmp_path) == [] and set(KINDS) == {*STAND_INS, "tensorboard"}
