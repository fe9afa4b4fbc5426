from __future__ import annotations

from pathlib import Path

import pytest

from worldgym.io.run_files import FolderFiles, HeldFiles, copy_missing, files_named


def test_the_files_of_a_trial() -> None:
    named = files_named("videos/p/door-0.mp4", "truth/door-0.mp4", None)
    assert named == ("videos/p/door-0.mp4", "videos/p/door-0.npy", "truth/door-0.mp4")
    assert files_named(None, None, "frames/door.png") == ("frames/door.png",)


@pytest.mark.parametrize("held", [True, False])
def test_files_are_put_and_dropped_in_memory_as_in_a_folder(tmp_path: Path, held: bool) -> None:
    files = HeldFiles() if held else FolderFiles(tmp_path)
    files.put({"videos/p/door-0.mp4": b"video", "videos/p/door-0.npy": b"actions"})
    files.put({"unjudged/p/door-0.npy": b"frames", "videos/p/door-0.npy": b"new"})
    files.drop("unjudged/p/door-0.npy")
    files.drop("unjudged/p/door-1.npy")
    assert "unjudged/p/door-0.npy" not in files and "videos/p/door-0.mp4" in files
    there = (
        files.held
        if isinstance(files, HeldFiles)
        else {str(p.relative_to(tmp_path)): p.read_bytes() for p in tmp_path.rglob("*.*")}
    )
    assert there == {"videos/p/door-0.mp4": b"video", "videos/p/door-0.npy": b"new"}


def test_what_is_there_stays_and_what_is_nowhere_is_left_out(tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "out"
    for folder, text in ((run, "new"), (out, "old")):
        (folder / "videos").mkdir(parents=True)
        (folder / "videos" / "a.mp4").write_text(text)
    (run / "videos" / "b.mp4").write_text("b")
    copy_missing(["videos/a.mp4", "videos/b.mp4", "videos/c.mp4"], run, out)
    there = {path.name: path.read_text() for path in (out / "videos").iterdir()}
    assert there == {"a.mp4": "old", "b.mp4": "b"}
