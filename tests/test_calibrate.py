"""A judge against labels: on the videos of a run, on recorded episodes, and on real robot video."""

from __future__ import annotations

import base64
import importlib.util
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from worldgym.calibrate import CalibrateConfig, calibrate
from worldgym.episodes.store import EpisodeStore
from worldgym.episodes.video import encode_mp4
from worldgym.errors import InputError
from worldgym.judges.labels import Clip, Label, append_label
from worldgym.judges.provider import Server
from worldgym.judges.vlm import VlmConfig, VlmJudge
from worldgym.log import RunHeader, RunLog, TrialRecord
from worldgym.report.page import write_report
from worldgym.report.terminal import print_calibration
from worldgym.stats.calibration import Calibration
from worldgym.stats.summary import summarize
from worldgym.testing import FakeJudge


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Ten videos from dark to light, the last frame brightest; from the fifth on a success, say two labellers."""
    path = tmp_path / "labels.jsonl"
    for i in range(10):
        frames = np.stack([np.full((16, 24, 3), level, np.uint8) for level in (20, 25 * i)])
        video = tmp_path / f"{i}.mp4"
        video.write_bytes(encode_mp4(frames, 5))
        for labeller in ("a", "b"):
            append_label(path, Label(Clip(video, "make it light"), float(i >= 5), labeller))
    append_label(path, Label(Clip(video, "make it light"), None, "c"))
    return path


def test_figures_by_hand(labels: Path, tmp_path: Path) -> None:
    judge = FakeJudge(threshold=0.7, band=0.01)  # light from 7.14 * 25 on: misses 5, 6 and 7
    figures = calibrate(CalibrateConfig(labels, tmp_path / "out"), judge)
    assert figures["counts"] | {"true_success": 2, "false_success": 0, "false_failure": 3, "true_failure": 5} == figures["counts"]
    assert (figures["tpr"]["value"], figures["fpr"]["value"]) == (0.4, 0.0)
    assert figures["area_under_curve"] == 1.0 and figures["kappa"]["value"] == pytest.approx(0.4)
    assert figures["labels"]["labellers"] == ["a", "b", "c"] and figures["labels"]["alpha"]["value"] == 1.0
    assert figures["probes"]["blank"] == figures["probes"]["frozen"] == {"videos": 10, "successes": 0, "unscored": 0}
    rows = [json.loads(line) for line in (tmp_path / "out" / "verdicts.jsonl").read_text().splitlines()]
    assert [row["known"] for row in rows] == [0.0] * 5 + [1.0] * 5 and rows[9]["judge"] == "fake-judge"
    assert Calibration.of_run(tmp_path / "out") == Calibration(
        "fake-judge", Calibration.read(tmp_path / "out" / "calibration.json").counts
    )
    print_calibration(figures)


def test_a_judge_that_guesses_from_the_scene_is_caught(labels: Path, tmp_path: Path) -> None:
    probes = calibrate(CalibrateConfig(labels, tmp_path / "out", probes=4), FakeJudge(threshold=0.0))["probes"]
    assert probes["blank"] == probes["frozen"] == {"videos": 4, "successes": 4, "unscored": 0}


def test_recorded_episodes_calibrate_too(episode_store: EpisodeStore, tmp_path: Path) -> None:
    figures = calibrate(CalibrateConfig(episode_store.root, tmp_path, probes=0), FakeJudge())
    assert figures["videos"] == 3 and figures["labels"]["labellers"] == ["recorded"] and figures["probes"] == {}


def test_nothing_known(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    append_label(path, Label(Clip(tmp_path / "a.mp4", "x"), None, "a"))
    with pytest.raises(InputError, match="of no video"):
        calibrate(CalibrateConfig(path, tmp_path / "out"), FakeJudge())


def test_a_run_is_corrected(labels: Path, tmp_path: Path) -> None:
    header = RunHeader({}, "c", ({"name": "p"},), "w", "fake-judge", 0, {}, "")
    log = RunLog.open(tmp_path / "run", header)
    for i in range(20):
        log.append(TrialRecord("p", f"door/{i}", "door", "open", 0, i, score=float(i < 4), judge="fake-judge"))
    calibrate(CalibrateConfig(labels, tmp_path / "run"), FakeJudge(threshold=0.55))  # misses 5 alone
    calibration = Calibration.of_run(tmp_path / "run")
    summary = summarize(header, log.records, calibration)
    corrected = summary["policies"][0]["corrected"]
    assert summary["policies"][0]["rate"] == 0.2 and corrected["rate"] == pytest.approx(0.25)  # 0.2 / TPR of 0.8
    assert corrected["low"] < 0.1 and corrected["high"] > 0.5
    text = write_report(tmp_path / "run").read_text().replace("\N{NO-BREAK SPACE}", " ")
    assert "corrected 25 %" in text and "On 10 labelled videos the judge found 80 % of the successes" in text
    with pytest.raises(InputError, match="calibration is of the judge"):
        summarize(RunHeader({}, "c", ({"name": "p"},), "w", "another", 0, {}, ""), log.records, calibration)


@pytest.fixture
def model_server() -> Iterator[Any]:
    """The server of tests/judges."""
    pytest.importorskip("openai", reason="the extra [openai] is not installed")
    spec = importlib.util.spec_from_file_location("judge_fixtures", Path(__file__).parent / "judges" / "conftest.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["judge_fixtures"] = module
    spec.loader.exec_module(module)
    server = module.ModelServer()
    yield server
    server.close()


def test_real_robot_video(sample_data: Path, model_server: Any, tmp_path: Path) -> None:
    """DROID episodes with their success, through a server that looks at the pictures: it says success for bright last ones."""
    droid = sample_data / "droid_mp4"
    if not droid.is_dir():
        pytest.skip(f"no DROID episodes in {sample_data}")
    path = tmp_path / "labels.jsonl"
    known = 0
    for file in sorted(droid.glob("annotation/*/*.json")):
        data = json.loads(file.read_text())
        if data["texts"][0]:
            append_label(
                path, Label(Clip(droid / data["videos"][0]["video_path"], data["texts"][0]), float(data["success"]), "droid")
            )
            known += 1

    def script(request: dict[str, Any], number: int) -> Any:
        urls = [p["image_url"]["url"] for p in request["messages"][0]["content"] if p["type"] == "image_url"]
        image = Image.open(io.BytesIO(base64.b64decode(urls[-1].partition(",")[2])))
        assert image.size == (256, 154) and len(urls) == 4
        said = "success" if np.asarray(image).mean() > 100 else "failure"
        return model_server.said(text=json.dumps({"reasoning": "brightness", "verdict": said}))

    model_server.script = script
    server = Server("tiny", base_url=model_server.url)
    judge = VlmJudge(VlmConfig(server, votes=1, frames="even:4", cache=tmp_path / "votes"))
    figures = calibrate(CalibrateConfig(path, tmp_path / "out", probes=2), judge)
    assert figures["videos"] == known == 6 and figures["tpr"]["of"] == figures["fpr"]["of"] == 3
    assert figures["probes"]["blank"] == {"videos": 2, "successes": 0, "unscored": 0}
    assert figures["probes"]["order"]["videos"] == 2
