"""A run never writes among its tasks, nor over another part's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

import worldgym as wg
from worldgym.cli import parsed
from worldgym.errors import InputError
from worldgym.io.files import write_atomic
from worldgym.io.jsonl import LineFile
from worldgym.io.output_folder import check_apart, check_output, check_run_folder
from worldgym.io.run_log import LOG_NAME


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("p/tasks", "is the input itself; choose another --out"),
        ("p/tasks/../tasks", "is the input itself"),
        ("p/tasks/runs/a", "lies inside the input"),
        ("p", "--out holds the task folder"),
        (".", "--out holds the task folder"),
        ("p/tasks-2", ""),
        ("p/runs", ""),
    ],
)
def test_a_run_is_not_made_among_its_tasks(
    out: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "p" / "tasks").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    if not said:
        check_run_folder(Path(out), "p/tasks", [])
        return
    with pytest.raises(InputError, match=said):
        check_run_folder(Path(out), Path("p/tasks"), [])
    with pytest.raises(InputError, match=said):  # before anything is loaded or written
        wg.evaluate("absent", "absent", "p/tasks", "absent", out=out, trials=1)
    assert not list(tmp_path.rglob(LOG_NAME))


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match="--out is a file; give a folder"):
        check_run_folder(tmp_path / "notes.txt", [], [])
    for write in (lambda path: write_atomic(path, b""), LineFile):
        with pytest.raises(InputError, match=r"notes\.txt is a file; choose a writable folder"):
            write(tmp_path / "notes.txt" / "a" / "b")


def test_a_run_that_was_begun_around_its_tasks_goes_on(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / LOG_NAME).touch()
    check_run_folder(tmp_path, tmp_path / "tasks", [])


@pytest.mark.parametrize("what", ["world", "policy", "judge"])
def test_nor_over_a_checkpoint(what: str, tmp_path: Path) -> None:
    check_run_folder(tmp_path, [], [(what, tmp_path), (what, object()), (what, "ws://host:1")])
    (tmp_path / "config.json").touch()
    with pytest.raises(InputError, match=f"--out is the folder of the {what}; choose another"):
        check_run_folder(tmp_path, [], [(what, str(tmp_path))])
    check_output(tmp_path, None)


@pytest.mark.parametrize(
    "words",
    [
        ("world trust w --data d --inverse-dynamics i --tasks", ""),
        ("play bundled --tasks", ""),
        ("judge rejudge r --judge j --tasks", ""),
        ("tasks edit", "--edits e"),
    ],
)
def test_every_command_with_tasks_keeps_them(words: tuple[str, str], tmp_path: Path) -> None:
    before, after = words
    asked = [*before.split(), str(tmp_path), *after.split(), "--out", str(tmp_path)]
    with pytest.raises(InputError, match="is the input itself; choose another --out"):
        parsed(asked)


def test_what_is_written_lies_outside_what_is_read(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "in")
    for out, told in (("in", "is the input"), ("link", "is the input"), ("link/x", "lies inside")):
        with pytest.raises(InputError, match=rf"{told}.*choose another --out"):
            check_apart(tmp_path / out, tmp_path / "in")
    for beside in ("in2", "", "in/../out"):
        check_apart(tmp_path / beside, tmp_path / "in")
