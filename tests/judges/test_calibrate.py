"""A judge against labels: on the videos of a run and on recorded episodes. Real video:
tests/judges/test_real_video.py."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from worldgym.episodes.store import EpisodeStore
from worldgym.errors import BudgetSpent, InputError, NothingWorked, SameFailure
from worldgym.io.run_log import RunLog, read_log
from worldgym.io.run_records import RunHeader, TrialRecord
from worldgym.io.video import encode_mp4
from worldgym.judges.calibrate import CalibrateConfig, calibrate
from worldgym.judges.labels import Clip, Label, append_label
from worldgym.report.judging_text import print_calibration
from worldgym.report.page import write_report
from worldgym.stats.confusion import Confusion
from worldgym.stats.judge_calibration import Calibration, Worth
from worldgym.stats.summarize import summarize
from worldgym.testing import FakeJudge
from worldgym.types import Rollout, Task, Verdict


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Ten videos from dark to light, the last frame brightest; from the fifth on a success, say two
    labellers."""
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
    assert (
        figures["counts"]
        | {"true_success": 2, "false_success": 0, "false_failure": 3, "true_failure": 5}
        == figures["counts"]
    )
    assert (figures["tpr"]["value"], figures["fpr"]["value"]) == (0.4, 0.0)
    assert figures["area_under_curve"] == 1.0 and figures["kappa"]["value"] == pytest.approx(0.4)
    assert (
        figures["labels"]["labellers"] == ["a", "b", "c"]
        and figures["labels"]["alpha"]["value"] == 1.0
    )
    assert (
        figures["robustness"]["blank"]
        == figures["robustness"]["frozen"]
        == {"videos": 10, "successes": 0, "unscored": 0, "broken": 0}
    )
    rows = [
        json.loads(line) for line in (tmp_path / "out" / "verdicts.jsonl").read_text().splitlines()
    ]
    assert [row["known"] for row in rows] == [0.0] * 5 + [1.0] * 5 and rows[9][
        "judge"
    ] == "fake-judge"
    assert Calibration.of_run(tmp_path / "out") == Calibration(
        "fake-judge", Confusion(2, 0, 3, 5), Worth(5, 5)
    )
    assert figures["threshold"] == 0.7 and figures["frames"] == 10
    print_calibration(figures)


def test_videos_of_one_initial_frame_are_not_independent(labels: Path, tmp_path: Path) -> None:
    """The same ten videos, said to start from two frames: by the labels, or as videos of a run."""
    rows = [json.loads(line) for line in labels.read_text().splitlines()]
    for row in rows:
        del row["crc32"]
    named = "".join(
        json.dumps({**row, "task": "ab"[int(row["video"][0]) // 5]}) + "\n" for row in rows
    )
    (tmp_path / "named.jsonl").write_text(named)
    run = tmp_path / "run"
    (run / "videos" / "p" / "door").mkdir(parents=True)
    for i in range(10):
        shutil.copy(tmp_path / f"{i}.mp4", run / "videos" / "p" / "door" / f"{i // 5}-{i}.mp4")
    moved = [
        {**row, "video": f"videos/p/door/{i // 5}-{i}.mp4"} for i, row in enumerate(rows[:20:2])
    ]
    for row in moved:
        del row["task"]
    (run / "labels.jsonl").write_text("".join(json.dumps(row) + "\n" for row in moved))
    figures = [
        calibrate(CalibrateConfig(path, tmp_path / "out", robustness=0), FakeJudge())
        for path in (labels, tmp_path / "named.jsonl", run / "labels.jsonl")
    ]
    assert [found["frames"] for found in figures] == [10, 2, 10]
    (run / "log.jsonl").touch()
    figures.append(
        calibrate(
            CalibrateConfig(run / "labels.jsonl", tmp_path / "out", robustness=0), FakeJudge()
        )
    )
    assert figures[3]["frames"] == 2 and figures[3]["worth"]["successes"] == 1.0
    widths = [found["tpr"]["high"] - found["tpr"]["low"] for found in figures]
    assert widths[1] == widths[3] > widths[0] == widths[2]


class Breaks(FakeJudge):
    """Cannot read videos whose last frame is darker than `dark`."""

    dark = 30

    def __call__(self, rollout: Rollout, task: Task) -> Verdict:
        if rollout.frames[-1].mean() < self.dark:
            raise RuntimeError("too dark")
        return super().__call__(rollout, task)


def test_a_judge_that_breaks_on_some_videos(
    labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = calibrate(CalibrateConfig(labels, tmp_path / "out", robustness=0), Breaks())
    assert (figures["videos"], figures["broken"]) == (8, 2)
    rows = [
        json.loads(line) for line in (tmp_path / "out" / "verdicts.jsonl").read_text().splitlines()
    ]
    assert rows[0].keys() == {"video", "known", "broken"} and rows[0]["broken"].startswith(
        "RuntimeError: too dark at test_calibrate.py, line "
    )
    print_calibration(figures)
    assert "2 on which the judge failed" in " ".join(capsys.readouterr().out.split())


def test_a_judge_that_breaks_on_every_video_is_named(labels: Path, tmp_path: Path) -> None:
    judge = Breaks()
    judge.dark = 256
    with pytest.raises(SameFailure, match="10 times in a row: RuntimeError: too dark"):
        calibrate(CalibrateConfig(labels, tmp_path / "out"), judge)
    few = labels.parent / "few.jsonl"
    few.write_bytes(b"".join(labels.read_bytes().splitlines(keepends=True)[:3]))
    with pytest.raises(NothingWorked, match="on the first because: RuntimeError: too dark"):
        calibrate(CalibrateConfig(few, tmp_path / "out"), judge)
    with pytest.raises(InputError, match="--robustness is -1"):
        calibrate(CalibrateConfig(labels, tmp_path / "out", robustness=-1), judge)


def test_a_judge_that_guesses_from_the_scene_is_caught(labels: Path, tmp_path: Path) -> None:
    robustness = calibrate(
        CalibrateConfig(labels, tmp_path / "out", robustness=4), FakeJudge(threshold=0.0)
    )["robustness"]
    counts = {"videos": 4, "successes": 4, "unscored": 0, "broken": 0}
    assert robustness["blank"] == robustness["frozen"] == counts


def test_recorded_episodes_calibrate_too(episode_store: EpisodeStore, tmp_path: Path) -> None:
    figures = calibrate(CalibrateConfig(episode_store.root, tmp_path, robustness=0), FakeJudge())
    assert (
        figures["videos"] == 3
        and figures["labels"]["labellers"] == ["recorded"]
        and figures["robustness"] == {}
    )


def test_nothing_known(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    append_label(path, Label(Clip(tmp_path / "a.mp4", "x"), None, "a"))
    with pytest.raises(InputError, match="no video has a known outcome"):
        calibrate(CalibrateConfig(path, tmp_path / "out"), FakeJudge())


def test_a_run_is_corrected(labels: Path, tmp_path: Path) -> None:
    header = RunHeader({}, "c", ({"name": "p"},), "w", "fake-judge", 0, {}, "")
    log = RunLog.open(tmp_path / "run", header)
    for i in range(20):
        log.append(
            TrialRecord(
                "p", f"door/{i}", "door", "open", 0, i, score=float(i < 4), judge="fake-judge"
            )
        )
    # misses 5 alone
    calibrate(CalibrateConfig(labels, tmp_path / "run"), FakeJudge(threshold=0.55))
    calibration = Calibration.of_run(tmp_path / "run")
    summary = summarize(header, read_log(log.path)[1], calibration)
    corrected = summary.policies[0].corrected
    # 0.2 / TPR of 0.8
    assert summary.policies[0].rate == 0.2 and corrected.rate == pytest.approx(0.25)
    assert corrected.low < 0.1 and corrected.high > 0.5
    text = write_report(tmp_path / "run").read_text().replace("\N{NO-BREAK SPACE}", " ")
    assert (
        "corrected 25 %" in text
        and "On 10 labelled videos the judge found 80 % of the successes" in text
    )
    with pytest.raises(InputError, match="calibration is of the judge"):
        summarize(
            RunHeader({}, "c", ({"name": "p"},), "w", "another", 0, {}, ""),
            read_log(log.path)[1],
            calibration,
        )


class BreaksOnStill(FakeJudge):
    """Breaks where nothing moves, so in the tests of robustness alone."""

    def __call__(self, rollout: Rollout, task: Task) -> Verdict:
        if np.array_equal(rollout.frames[0], rollout.frames[-1]):
            raise RuntimeError("nothing moves")
        return super().__call__(rollout, task)


def test_a_test_of_robustness_on_which_the_judge_broke_is_not_passed(
    labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = calibrate(CalibrateConfig(labels, tmp_path / "out", robustness=3), BreaksOnStill())
    counts = {"videos": 3, "successes": 0, "unscored": 0, "broken": 3}
    assert figures["broken"] == 0
    assert figures["robustness"] == {"blank": counts, "frozen": counts}
    print_calibration(figures)
    assert "0 successes, 0 unscored, 3 broken" in " ".join(capsys.readouterr().out.split())
    with pytest.raises(SameFailure, match="nothing moves"):
        calibrate(CalibrateConfig(labels, tmp_path / "out", robustness=10), BreaksOnStill())


def test_a_judge_is_asked_first_what_it_could_not_judge(labels: Path, tmp_path: Path) -> None:
    class OfTheWrist(FakeJudge):
        views = ("wrist",)

    with pytest.raises(InputError, match="needs the view wrist, but there is only main"):
        calibrate(CalibrateConfig(labels, tmp_path / "out"), OfTheWrist())
    assert not (tmp_path / "out").exists()


class SpentOnStill(FakeJudge):
    """Its budget ends in the tests of robustness."""

    def __call__(self, rollout: Rollout, task: Task) -> Verdict:
        if np.array_equal(rollout.frames[0], rollout.frames[-1]):
            raise BudgetSpent("the budget is spent")
        return super().__call__(rollout, task)


def test_a_budget_that_ends_in_the_tests_of_robustness_is_told(
    labels: Path, tmp_path: Path
) -> None:
    with pytest.raises(BudgetSpent, match="the budget is spent"):
        calibrate(CalibrateConfig(labels, tmp_path / "out", robustness=10), SpentOnStill())
