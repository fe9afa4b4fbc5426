"""Signals of a wrong verdict on the page of a trial."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from app_runs import header, trial

from worldgym.io.jsonl import signed_line
from worldgym.io.run_records import TrialRecord
from worldgym.trust.error_predictor import ErrorPredictor
from worldgym.trust.error_signals import other_trial_signals, verdict_signals
from worldgym.trust.fit_error_predictor import PREDICTOR_NAME
from worldgym.trust.measured_signals import SIGNALS_NAME
from worldgym.web.trial_signals import P_WRONG, signals_of, world_named, world_of


@pytest.fixture
def own() -> list[TrialRecord]:
    return [trial("poor", "door", start) for start in range(3)]


def predictor(world: str = "world-1", signal: str = "residual") -> ErrorPredictor:
    return ErrorPredictor((signal,), (0.0,), (1.0,), (2.0,), -1.0, 0.5, world, "judge-1", {})


def test_without_a_measurement_they_are_those_of_the_log(
    tmp_path: Path, own: list[TrialRecord]
) -> None:
    found = signals_of(tmp_path, header(), own[1], own)
    assert found == verdict_signals(own[1]) | other_trial_signals(own)[1]
    assert signals_of(tmp_path, header(), replace(own[1], score=None, reason="hidden"), own) == {}


def test_what_was_measured_is_read_and_gives_the_probability_of_a_wrong_verdict(
    tmp_path: Path, own: list[TrialRecord]
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    rows = [
        {"measured_with": {"run": header().started}},
        {"trial": "poor door/1 0", "signals": {"residual": 0.5}},
    ]
    (tmp_path / SIGNALS_NAME).write_bytes(b"".join(map(signed_line, rows)))
    assert signals_of(run, header(), own[1], own)["residual"] == 0.5
    for stranger in (predictor("world-2"), predictor(signal="codec_error")):
        stranger.save(tmp_path / PREDICTOR_NAME)
        assert P_WRONG not in signals_of(run, header(), own[1], own)
    predictor().save(tmp_path / PREDICTOR_NAME)
    assert signals_of(run, header(), own[1], own)[P_WRONG] == pytest.approx(0.5)
    assert P_WRONG not in signals_of(run, header(), own[0], own)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("worldgym evaluate --world runs/w --tasks t", "runs/w"),
        ("worldgym demo", "bundled"),
        ("worldgym evaluate --world", ""),
        ("python mine.py 'torn", ""),
    ],
)
def test_the_world_is_that_of_the_command(command: str, name: str) -> None:
    told = replace(header(), command=command)
    assert world_named(told) == name
    assert (world_of(told) is not None) == (name == "bundled")
