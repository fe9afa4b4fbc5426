from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("metaworld", reason="the extra [reference] is not installed")


@pytest.mark.parametrize("renderer", ["osmosis", "glfv"])
def test_a_missing_renderer_is_one_sentence(tmp_path: Path, renderer: str) -> None:
    """Also where processes were started to draw, which each find it missing."""
    command = ["reference", "record", "--out", str(tmp_path), "--episodes", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "worldgym", *command],
        env=os.environ | {"MUJOCO_GL": renderer},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert f"cannot load the renderer MUJOCO_GL={renderer}" in done.stderr
    assert "Traceback" not in done.stderr
