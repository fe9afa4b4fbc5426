"""Real robot episodes with known success, through a judge behind a server."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from worldgym.cli import main
from worldgym.io.bundled import BUNDLE
from worldgym.judges.calibrate import CalibrateConfig, calibrate
from worldgym.judges.labels import Clip, Label, append_label
from worldgym.judges.vlm import VlmConfig, VlmJudge
from worldgym.servers.provider import Server


def test_the_bundled_classifier_on_real_robot_video(
    sample_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a user would: converted at the size that it reads, then calibrated. It was trained in a
    simulator, on another robot."""
    droid, judge, store = sample_data / "droid_mp4", BUNDLE / "judge", tmp_path / "store"
    if not droid.is_dir() or not judge.is_dir():
        pytest.skip(f"no DROID episodes in {sample_data}, or no bundle")
    main(["data", "convert", str(droid), "--out", str(store), "--size", "96", "96"])
    capsys.readouterr()
    words = [
        "judge",
        "calibrate",
        str(judge),
        "--labels",
        str(store),
        "--out",
        str(tmp_path / "out"),
        "--robustness",
        "2",
    ]
    main([*words, "--json"])
    figures = json.loads(capsys.readouterr().out)
    assert (figures["videos"], figures["broken"], figures["tpr"]["of"], figures["fpr"]["of"]) == (
        11,
        0,
        4,
        7,
    )
    assert (
        figures["robustness"]["blank"]["videos"] == figures["robustness"]["frozen"]["videos"] == 2
    )


def test_real_robot_video(sample_data: Path, model_server: Any, tmp_path: Path) -> None:
    """DROID episodes with their success, through a server that looks at the pictures: it says
    success for bright last ones."""
    droid = sample_data / "droid_mp4"
    if not droid.is_dir():
        pytest.skip(f"no DROID episodes in {sample_data}")
    path = tmp_path / "labels.jsonl"
    known = 0
    for file in sorted(droid.glob("annotation/*/*.json")):
        data = json.loads(file.read_text())
        if data["texts"][0]:
            append_label(
                path,
                Label(
                    Clip(droid / data["videos"][0]["video_path"], data["texts"][0]),
                    float(data["success"]),
                    "droid",
                ),
            )
            known += 1

    def script(request: dict[str, Any], number: int) -> Any:
        urls = [
            p["image_url"]["url"]
            for p in request["messages"][0]["content"]
            if p["type"] == "image_url"
        ]
        image = Image.open(io.BytesIO(base64.b64decode(urls[-1].partition(",")[2])))
        assert image.size == (256, 154) and len(urls) == 4
        said = "success" if np.asarray(image).mean() > 100 else "failure"
        return model_server.said(text=json.dumps({"reasoning": "brightness", "verdict": said}))

    model_server.script = script
    server = Server("tiny", base_url=model_server.url)
    judge = VlmJudge(VlmConfig(server, votes=1, frames="even:4", cache=tmp_path / "votes"))
    figures = calibrate(CalibrateConfig(path, tmp_path / "out", robustness=2), judge)
    assert figures["videos"] == known == 6 and figures["tpr"]["of"] == figures["fpr"]["of"] == 3
    assert figures["robustness"]["blank"] == {
        "videos": 2,
        "successes": 0,
        "unscored": 0,
        "broken": 0,
    }
    assert figures["robustness"]["order"]["videos"] == 2
