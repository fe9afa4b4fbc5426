from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from worldgym.errors import InputError
from worldgym.native.off_screen import mujoco_off_screen


@pytest.mark.parametrize(
    "error",
    [
        "ImportError('Cannot initialize a EGL device display')",
        "AttributeError('no attribute glGetError')",  # a library that is not installed
        "RuntimeError('invalid value for environment variable MUJOCO_GL')",
    ],
)
def test_a_missing_renderer_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    (tmp_path / "mujoco.py").write_text(f"raise {error}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mujoco", raising=False)
    monkeypatch.setenv("MUJOCO_GL", "osmesa")
    with pytest.raises(InputError, match=r"cannot load the renderer MUJOCO_GL=osmesa .* install"):
        mujoco_off_screen()


def test_without_mujoco_the_caller_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mujoco", None)
    with pytest.raises(ModuleNotFoundError):
        mujoco_off_screen()


def test_a_command_that_draws_says_it_and_writes_nothing(tmp_path: Path) -> None:
    pytest.importorskip("metaworld", reason="the extra [reference] is not installed")
    command = ["reference", "record", "--out", str(tmp_path / "out"), "--episodes", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "worldgym", *command],
        env=os.environ | {"MUJOCO_GL": "osmosis"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "cannot load the renderer MUJOCO_GL=osmosis" in done.stderr
    assert not (tmp_path / "out").exists()
