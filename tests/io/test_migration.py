"""What earlier versions wrote still opens, under the present names."""

from __future__ import annotations

from pathlib import Path

import pytest

from worldgym.io.migration import (
    BESIDE,
    found_beside,
    migrated_config,
    migrated_predictor,
    migrated_signals,
    migrated_summary,
)


def test_keys_of_a_config_are_renamed_at_any_depth() -> None:
    old = {"kind": "world", "network": {"start_frame": True, "width": 8}, "robots": [{"width": 2}]}
    assert migrated_config(old) == {
        "kind": "world",
        "network": {"initial_frame": True, "width": 8},
        "robots": [{"width": 2}],
    }


def test_an_old_kind_is_the_present_one() -> None:
    assert migrated_config({"kind": "gauge"}) == {"kind": "inverse-dynamics"}
    assert migrated_config({"kind": "bc"}) == {"kind": "bc"}


@pytest.mark.parametrize(("new", "old"), BESIDE.items())
def test_what_lies_beside_a_world_is_found_under_either_name(
    tmp_path: Path, new: str, old: str
) -> None:
    assert found_beside(new, tmp_path) is None
    (tmp_path / old).mkdir()
    assert found_beside(new, tmp_path) == tmp_path / old
    (tmp_path / new).mkdir()
    assert found_beside(new, tmp_path) == tmp_path / new


def test_a_predictor_keeps_its_numbers_under_new_names() -> None:
    old = {
        "kind": "worldgym-probe",
        "signals": ["hesitation", "residual", "lonely"],
        "mean": [1.0, 2.0, 3.0],
        "facts": {
            "gauge": "gauge-0a1b",
            "policy": {"reliability": [{"doubt": 0.25}]},
        },
    }
    new = {
        "kind": "error-predictor",
        "signals": ["log_odds_against", "residual", "disagreeing_trials"],
        "mean": [1.0, 2.0, 3.0],
        "facts": {
            "inverse_dynamics": "inverse-dynamics-0a1b",
            "policy": {"reliability": [{"p_wrong": 0.25}]},
        },
    }
    assert migrated_predictor(old) == new == migrated_predictor(new)


def test_lines_of_signals_keep_trial_and_values() -> None:
    assert migrated_signals({"measured_with": {"run": "r", "gauge": "gauge-0a1b"}}) == {
        "measured_with": {"run": "r", "inverse_dynamics": "inverse-dynamics-0a1b"}
    }
    assert migrated_signals({"trial": "p door/1 0", "signals": {"astray": -1.5, "flaw": 0.5}}) == {
        "trial": "p door/1 0",
        "signals": {"mean_action_error": -1.5, "codec_error": 0.5},
    }


def test_counts_of_a_summary_are_renamed_and_names_of_tasks_are_not() -> None:
    old = {
        "cells": [{"frames": 3, "absent": [{"task": "frames", "first": 0, "last": 2}]}],
        "trust": {"tasks": {"frames": {"colour": "red", "reason": ""}}},
        "flags": [{"tasks": {"frames": ["frames/0"]}, "succeeded": {"frames": 1}}],
        "agreement": {"trial_frames": 4},
        "config": {"judge": {"frames": 16}, "planned": {"tasks": {"a": {"frames": 3}}}},
    }
    new = {
        "cells": [
            {"initial_frames": 3, "absent": [{"initial_frame": "frames", "first": 0, "last": 2}]}
        ],
        "trust": {"tasks": {"frames": {"colour": "red", "reason": ""}}},
        "flags": [{"tasks": {"frames": ["frames/0"]}, "succeeded": {"frames": 1}}],
        "agreement": {"trial_initial_frames": 4},
        "config": {"judge": {"frames": 16}, "planned": {"tasks": {"a": {"frames": 3}}}},
    }
    assert migrated_summary(old) == new == migrated_summary(new)


@pytest.mark.parametrize(
    "damaged", [{}, {"facts": 3, "signals": None}, {"kind": ["x"], "signals": [{}]}]
)
def test_damaged_files_are_left_to_their_readers(damaged: dict[str, object]) -> None:
    assert migrated_predictor(damaged) == migrated_config(damaged) == damaged
    assert migrated_signals(damaged) == damaged
