from __future__ import annotations

from pathlib import Path

from worldgym.io.run_files import copy_missing, files_named


def test_the_files_of_a_trial() -> None:
    named = files_named("videos/p/door-0.mp4", "truth/door-0.mp4", None)
    assert named == ("videos/p/door-0.mp4", "videos/p/door-0.npy", "truth/door-0.mp4")
    assert files_named(None, None, "frames/door.png") == ("frames/door.png",)


def test_what_is_there_stays_and_what_is_nowhere_is_left_out(tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "out"
    for folder, text in ((run, "new"), (out, "old")):
        (folder / "videos").mkdir(parents=True)
        (folder / "videos" / "a.mp4").write_text(text)
    (run / "videos" / "b.mp4").write_text("b")
    copy_missing(["videos/a.mp4", "videos/b.mp4", "videos/c.mp4"], run, out)
    there = {path.name: path.read_text() for path in (out / "videos").iterdir()}
    assert there == {"a.mp4": "old", "b.mp4": "b"}
