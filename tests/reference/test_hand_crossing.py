"""A hand that passes hides the object for a while and moves nothing."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

if importlib.util.find_spec("metaworld") is None:
    pytest.skip("the extra [reference] is not installed", allow_module_level=True)

from worldgym.cli import main
from worldgym.reference import hand_crossing
from worldgym.reference.hand_crossing import Crossing, projected
from worldgym.types import Actions, Frames


@pytest.mark.reference
def test_pictures_of_places_lie_where_the_camera_sees_them() -> None:
    middle = projected(hand_crossing.CAMERA_TARGET[None], 96)
    np.testing.assert_allclose(middle, [[48.0, 48.0]], atol=1e-6)
    right, up = hand_crossing.RIGHT, np.array([0.0, 0.0, 1.0])
    moved = projected(hand_crossing.CAMERA_TARGET + 0.1 * np.stack([right, up]), 96)
    assert moved[0, 0] > 52 and abs(moved[0, 1] - 48) < 1e-6 and moved[1, 1] < 46


@pytest.mark.reference
def test_what_is_lost_is_told_task_by_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A world that draws what truly happened until the hand has passed, and then no object."""
    crossed: list[Crossing] = []
    found = hand_crossing._crossings

    def remembered(config: hand_crossing.CrossingConfig, task: str) -> list[Crossing]:
        crossed[:] = found(config, task)
        return list(crossed)

    def forgetful(world: object, starts: Frames, seeds: list[int], actions: Actions) -> Frames:
        videos = np.stack([one.frames for one in crossed])[:, :, None].copy()
        for video, one in zip(videos, crossed, strict=True):
            video[list(one.after)] = video[list(one.after)].mean((2, 3), keepdims=True)
        return videos

    class Named:
        name = "forgetful"

    monkeypatch.setattr(hand_crossing, "_crossings", remembered)
    monkeypatch.setattr(hand_crossing, "replay_actions", forgetful)
    monkeypatch.setattr(hand_crossing, "load_diffusion_world", lambda folder: Named())
    monkeypatch.setattr(hand_crossing, "on_all_cores", lambda world: world)
    words = ["reference", "measure-crossings", "--world", "w", "--out", str(tmp_path)]
    main([*words, "--tasks", "drawer-open", "--crossings", "2"])
    assert "drawer-open: 2 crossings, 60.0 dB before" in capsys.readouterr().out
    assert (tmp_path / "hand-crossing.json").exists()
    for one in crossed:
        assert set(one.before) & set(one.after) == set() and max(one.before) < min(one.after)
        assert one.actions.shape == (40, 4)
