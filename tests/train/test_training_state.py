from __future__ import annotations

from pathlib import Path

import pytest
import torch

from worldgym.errors import CheckpointError
from worldgym.train.training_state import BackgroundSaver, load_state


def test_a_state_is_that_of_the_moment_it_was_saved(tmp_path: Path) -> None:
    weights = torch.zeros(1000)
    with BackgroundSaver() as background:
        for step in (1, 2, 3):
            background.save(tmp_path / f"{step}.safetensors", step, {"weights": weights})
            weights += 1
    for step in (1, 2, 3):
        found = load_state(tmp_path / f"{step}.safetensors")
        assert found is not None and found[0] == step and (found[1]["weights"] == step - 1).all()


def test_a_state_that_cannot_be_written_stops_the_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError), BackgroundSaver() as background:
        background.save(tmp_path / "file" / "state.safetensors", 1, {"weights": torch.zeros(1)})
    with pytest.raises(OSError), BackgroundSaver() as background:
        background.save(tmp_path / "file" / "state.safetensors", 1, {"weights": torch.zeros(1)})
        background.save(tmp_path / "state.safetensors", 2, {"weights": torch.zeros(1)})
    assert not (tmp_path / "state.safetensors").exists()


def test_what_stops_a_training_is_what_is_raised(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError), BackgroundSaver() as background:
        background.save(tmp_path / "file" / "state.safetensors", 1, {"weights": torch.zeros(1)})
        raise CheckpointError("another reason")


def test_no_state_is_none(tmp_path: Path) -> None:
    assert load_state(tmp_path / "absent.safetensors") is None
