"""Videos of anybody's world are judged: from files, folders and lists, of any size and rate, and a
second start pays nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from model_server import ModelServer, Said
from synthetic_sets import film

from worldgym.cli import main
from worldgym.errors import InputError, JudgeOutage, JudgeStopped, SameFailure
from worldgym.io.video import encode_mp4, upright_size, video_facts
from worldgym.judges.judge_videos import VideosConfig, find_clips, judge_videos
from worldgym.judges.label_session import LabelConfig, LabelSession
from worldgym.judges.labels import clips_to_label, read_clips
from worldgym.judges.load_judge import load_judge
from worldgym.report.judging_text import videos_text
from worldgym.testing import FakeJudge
from worldgym.types import Frames, Rollout, Task, Verdict

JUDGE = """
votes = 1
frames = "first+last"
cache = "votes"
[server]
model = "tiny"
base_url = "{url}"
[price]
usd_per_million_input = 1.0
usd_per_million_output = 20.0
"""


def frames(count: int, height: int = 32, width: int = 48, level: int = 200) -> Frames:
    return np.full((count, height, width, 3), level, np.uint8)


def mpeg4(path: Path, pictures: Frames, fps: int = 10) -> None:
    """MPEG-4 part 2, as OpenCV's "mp4v" writes it: no browser plays it."""
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(fps))
        stream.height, stream.width = pictures.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for array in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(array, format="rgb24")))
        container.mux(stream.encode())


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Three videos of different sizes, rates and codecs; two are bright."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / "a.mp4").write_bytes(encode_mp4(frames(20), 20))
    (folder / "b.mp4").write_bytes(encode_mp4(frames(11, 64, 64, level=10), 5))
    mpeg4(folder / "c.mp4", frames(31, 48, 96), fps=30)
    return folder


@dataclass(frozen=True)
class Looker(FakeJudge):
    """Says what it was shown."""

    def __call__(self, rollout: Rollout, task: Task) -> Verdict:
        return Verdict(
            float(rollout.frames.mean() > 100),
            self.name,
            f"{task.instruction}: {rollout.main.shape}",
        )

    def size_for(self, size: tuple[int, int]) -> tuple[int, int]:
        return 16, 24


def test_a_folder_of_any_sizes_and_rates(videos: Path, tmp_path: Path) -> None:
    config = VideosConfig((videos,), tmp_path / "out", "push the cube", fps=10.0)
    summary = judge_videos(config, Looker())
    assert (summary.videos, summary.trials, summary.successes, summary.failed) == (
        3,
        3,
        2.0,
        0,
    )
    assert (
        summary.rate == pytest.approx(2 / 3) and 0 < summary.low < summary.rate < summary.high < 1
    )
    rows = [
        json.loads(line) for line in (tmp_path / "out" / "verdicts.jsonl").read_text().splitlines()
    ]
    looked = {
        Path(row["video"]).name: (
            row["size"],
            row["fps"],
            row["frames"],
            row["looked_at"],
            row["reason"],
        )
        for row in rows
    }
    assert looked == {
        "a.mp4": ([32, 48], 20.0, 20, 11, "push the cube: (11, 16, 24, 3)"),
        "b.mp4": ([64, 64], 5.0, 11, 11, "push the cube: (11, 16, 24, 3)"),
        "c.mp4": ([48, 96], 30.0, 31, 11, "push the cube: (11, 16, 24, 3)"),
    }


def test_instructions_come_from_the_list_or_from_the_option(videos: Path, tmp_path: Path) -> None:
    rows = [
        {"video": "theirs/a.mp4", "instruction": "open it", "score": None},
        {"video": "theirs/b.mp4"},
    ]
    (tmp_path / "list.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(InputError, match="line 2"):
        find_clips([tmp_path / "list.jsonl"], "")
    clips = find_clips([tmp_path / "list.jsonl", videos / "c.mp4", videos / "c.mp4"], "shut it")
    assert [(clip.video.name, clip.instruction) for clip in clips] == [
        ("a.mp4", "open it"),
        ("b.mp4", "shut it"),
        ("c.mp4", "shut it"),
    ]
    with pytest.raises(InputError, match="give --instruction"):
        find_clips([videos / "c.mp4"], " ")
    with pytest.raises(InputError, match="no such video"):
        find_clips([videos / "none.mp4"], "x")
    with pytest.raises(InputError, match="holds no video"):
        find_clips([tmp_path / "empty"] if (tmp_path / "empty").mkdir() is None else [], "x")
    for fps in (-1.0, 0.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match="fps"):
            judge_videos(VideosConfig((videos,), tmp_path / "out", "x", fps), FakeJudge())


def test_a_video_that_cannot_be_read_is_counted(videos: Path, tmp_path: Path) -> None:
    (videos / "b.mp4").write_bytes(b"torn")
    summary = judge_videos(VideosConfig((videos,), tmp_path / "out", "x"), FakeJudge())
    assert (summary.trials, summary.failed) == (2, 1)
    assert "not a readable video" in summary.reasons.failed[0].reason


@dataclass(frozen=True)
class Broken(FakeJudge):
    error: type[Exception] = JudgeOutage

    def __call__(self, rollout: Rollout, task: Task) -> Verdict:
        raise self.error("at most 1 image")


@pytest.mark.parametrize(
    ("error", "stop"), [(JudgeOutage, SameFailure), (JudgeStopped, JudgeStopped)]
)
def test_where_nothing_more_is_to_be_had_it_stops(
    videos: Path, tmp_path: Path, error: type[Exception], stop: type[Exception]
) -> None:
    for number in range(12):
        (videos / f"d{number}.mp4").write_bytes((videos / "a.mp4").read_bytes())
    with pytest.raises(stop, match="at most 1 image"):
        judge_videos(VideosConfig((videos,), tmp_path / "out", "x"), Broken(error=error))
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert (summary["videos"], summary["failed"]) == (15, 15)


def test_the_command_prints_rates_and_goes_on_after_its_budget(
    videos: Path, tmp_path: Path, model_server: ModelServer, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "judge.toml").write_text(JUDGE.format(url=model_server.url))
    command = [
        "judge",
        "score",
        str(videos),
        "--judge",
        str(tmp_path / "judge.toml"),
        "--instruction",
        "push",
    ]
    command += ["--out", str(tmp_path / "out"), "--budget"]
    with pytest.raises(SystemExit) as ended:
        main([*command, "0"])
    assert ended.value.code == 3 and "every trial failed" in capsys.readouterr().err
    main([*command, "1"])
    assert "100" in capsys.readouterr().out and len(model_server.requests) == 3
    model_server.script = lambda request, number: Said("perhaps")
    main([*command, "1"])
    said = capsys.readouterr().out
    assert (
        len(model_server.requests) == 3
        and "of 3 scored videos" in said
        and "0.01 USD, of which 0.00 were paid now" in said
    )


def test_the_label_page_shows_what_every_browser_plays(videos: Path, tmp_path: Path) -> None:
    (videos / "odd.mp4").write_bytes(b"")
    mpeg4(videos / "odd.mp4", frames(3, 31, 45))
    (videos / "444.mp4").write_bytes(encode_mp4(frames(3), 10, pixel_format="yuv444p"))
    names = ["a.mp4", "c.mp4", "odd.mp4", "444.mp4"]
    (tmp_path / "list.jsonl").write_text(
        "".join(
            json.dumps({"video": f"theirs/{name}", "instruction": "x"}) + "\n" for name in names
        )
    )
    server = LabelSession(
        read_clips(tmp_path / "list.jsonl"), LabelConfig(tmp_path / "labels.jsonl", "anna")
    )
    for number, clip in enumerate(server.clips):
        shown = tmp_path / "shown.mp4"
        shown.write_bytes(server.video(number))
        before, after = video_facts(clip.video), video_facts(shown)
        assert (after.codec, after.pixel_format, after.fps) == ("h264", "yuv420p", before.fps)
        assert (shown.read_bytes() == clip.video.read_bytes()) == (clip.video.name == "a.mp4")
        server.label({"item": number, "score": 1})


def test_a_video_with_two_instructions_is_judged_by_each(videos: Path, tmp_path: Path) -> None:
    rows = [{"video": "theirs/a.mp4", "instruction": text} for text in ("open it", "shut it")]
    listed = tmp_path / "list.jsonl"
    listed.write_text("".join(json.dumps(row) + "\n" for row in [*rows, rows[0]]))
    summary = judge_videos(VideosConfig((listed,), tmp_path / "out"), FakeJudge())
    assert summary.videos == 2
    assert [row.instruction for row in summary.instructions] == ["open it", "shut it"]
    with pytest.raises(InputError, match="has two instructions"):
        clips_to_label(listed)


@pytest.mark.parametrize("list_first", [True, False])
def test_the_option_is_for_videos_without_an_instruction_in_any_source(
    videos: Path, tmp_path: Path, list_first: bool
) -> None:
    listed = tmp_path / "list.jsonl"
    listed.write_text(json.dumps({"video": "theirs/a.mp4", "instruction": "open it"}) + "\n")
    sources = [listed, videos] if list_first else [videos, listed]
    found = {clip.video.name: clip.instruction for clip in find_clips(sources, "shut it")}
    assert found == {"a.mp4": "open it", "b.mp4": "shut it", "c.mp4": "shut it"}
    assert len(find_clips(sources, "shut it")) == 3


def test_views_side_by_side_each_have_the_size_that_the_judge_wants(tmp_path: Path) -> None:
    (tmp_path / "two.mp4").write_bytes(encode_mp4(frames(6, 32, 128), 5))
    row = {"video": "two.mp4", "instruction": "open it", "views": ["front", "wrist"]}
    (tmp_path / "list.jsonl").write_text(json.dumps(row) + "\n")
    config = VideosConfig((tmp_path / "list.jsonl",), tmp_path / "out")
    summary = judge_videos(config, Looker())
    assert summary.failed == 0
    (line,) = (tmp_path / "out" / "verdicts.jsonl").read_text().splitlines()
    assert json.loads(line)["judged_at"] == [16, 48]  # two of 16 x 24
    assert json.loads(line)["reason"] == "open it: (6, 16, 24, 3)"


def test_a_world_that_draws_every_second_frame_is_judged_by_the_frames_that_it_drew(
    tmp_path: Path,
) -> None:
    (tmp_path / "held.mp4").write_bytes(encode_mp4(frames(7), 10))
    row = {"video": "held.mp4", "instruction": "open it", "stride": 2}
    (tmp_path / "list.jsonl").write_text(json.dumps(row) + "\n")
    for fps, numbers in ((None, [0, 2, 4, 6]), (2.5, [0, 4, 6])):
        out = tmp_path / f"out-{fps}"
        judge_videos(VideosConfig((tmp_path / "list.jsonl",), out, fps=fps), FakeJudge())
        (line,) = (out / "verdicts.jsonl").read_text().splitlines()
        assert json.loads(line)["numbers"] == numbers
        assert json.loads(line)["looked_at"] == len(numbers)


def test_what_a_judge_cannot_be_asked_is_said_before_the_first_video(
    videos: Path, tmp_path: Path, model_server: ModelServer
) -> None:
    pytest.importorskip("openai", reason="the extra [openai] is not installed")
    prompt = tmp_path / "prompt.txt"
    prompt.write_text("Did it do $instruktion?")
    for line, fault in (('prompt = "prompt.txt"', "instruction"), ('views = ["wrist"]', "wrist")):
        judge = tmp_path / "judge.toml"
        judge.write_text(f"{line}\n{JUDGE.format(url=model_server.url)}")
        with pytest.raises(InputError, match=fault):
            judge_videos(VideosConfig((videos,), tmp_path / "out", "open it"), load_judge(judge))
    assert not model_server.requests and not (tmp_path / "out").exists()


def test_what_is_odd_about_a_video_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "one.mp4").write_bytes(encode_mp4(frames(1), 10))
    (tmp_path / "black.mp4").write_bytes(encode_mp4(frames(5, level=0), 10))
    (tmp_path / "slow.mp4").write_bytes(encode_mp4(frames(5), 10))
    names = ("one.mp4", "black.mp4", "slow.mp4")
    paths = tuple(tmp_path / name for name in names)
    summary = judge_videos(VideosConfig(paths, tmp_path / "out", "push", fps=30.0), FakeJudge())
    rows = (tmp_path / "out" / "verdicts.jsonl").read_text().splitlines()
    slow = "the video has 10 frames per second, fewer than 30: all are looked at"
    still = [json.loads(row)["notes"] for row in rows]
    assert [slow in notes for notes in still] == [True] * 3
    assert "one frame" in still[0][1] and "black" in still[1][1] and "alike" in still[2][1]
    assert next((row.reason, row.trials) for row in summary.notes) == (slow, 3)
    assert f"3 videos: {slow}." in videos_text(summary).replace("\xa0", " ")


def test_a_turned_video_is_scaled_as_it_is_shown(tmp_path: Path) -> None:
    """As telephones record: the file says that its frames are to be turned."""
    path = tmp_path / "turned.mp4"
    path.write_bytes(film(frames(4, 32, 64), turned=90))
    assert upright_size(path) == (64, 32)

    @dataclass(frozen=True)
    class Half(Looker):
        def size_for(self, size: tuple[int, int]) -> tuple[int, int]:
            return size[0] // 2, size[1] // 2

    judge_videos(VideosConfig((path,), tmp_path / "out", "push"), Half())
    (line,) = (tmp_path / "out" / "verdicts.jsonl").read_text().splitlines()
    row = json.loads(line)
    assert (row["size"], row["judged_at"]) == ([64, 32], [32, 16])
    assert row["notes"][0].startswith("frames are turned by")
