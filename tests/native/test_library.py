"""Compiled once, kept, and done without where it cannot be had."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from worldgym.native.library import CHOICE, FLAGS, _compiled, _passing, library


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    library.cache_clear()
    yield
    library.cache_clear()


def test_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # soon done
    monkeypatch.setattr(
        "worldgym.native.library.FLAGS", ["-O0" if flag == "-O3" else flag for flag in FLAGS]
    )
    if library(True) is None:
        pytest.skip("no C compiler here")
    (kept,) = (tmp_path / "worldgym" / "kernels").iterdir()
    written = kept.stat().st_mtime_ns
    library.cache_clear()
    assert library(True) is not None and kept.stat().st_mtime_ns == written
    assert (tmp_path / "worldgym" / "kernels").stat().st_mode & 0o077 == 0


def test_a_folder_that_others_may_write_is_not_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "worldgym" / "kernels"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    assert library(False) is None and not list(folder.iterdir())
    assert "is not this user's alone to write" in capsys.readouterr().err


def test_a_compiler_that_fails_is_told_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CC", "false")
    assert library(False) is None
    assert "slower" in capsys.readouterr().err


OFF = [(CHOICE, "0"), ("CC", "no-such-compiler"), ("CC", '"')]


@pytest.mark.parametrize(("name", "value"), OFF)
def test_done_without(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    assert library(False) is None and library(False) is None
    # said once, and only where it was not asked for
    assert len(capsys.readouterr().err.splitlines()) == (name == "CC")


def test_a_compiler_with_options_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("worldgym.native.library.FLAGS", [*FLAGS, "-O0"])
    monkeypatch.setenv("CC", "cc -g0")
    assert shutil.which("cc") is None or library(False) is not None


def test_damaged_kernels_are_made_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("worldgym.native.library.FLAGS", [*FLAGS, "-O0"])
    if library(False) is None:
        pytest.skip("no C compiler here")
    (kept,) = (tmp_path / "worldgym" / "kernels").iterdir()
    whole = kept.read_bytes()
    kept.unlink()  # the loaded file stays as it is
    kept.write_bytes(whole[: len(whole) // 2])
    library.cache_clear()
    assert library(False) is not None and kept.read_bytes() == whole


@pytest.mark.parametrize("reason", ["no home", "unwritable"])
def test_without_a_folder_to_keep_them_in(
    reason: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("worldgym.native.library.FLAGS", [*FLAGS, "-O0"])
    if reason == "no home":
        monkeypatch.delenv("XDG_CACHE_HOME")
        monkeypatch.setattr(Path, "home", nobody)
    else:
        (tmp_path / "file").touch()
        # a folder that even root cannot write
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    _passing.cache_clear()
    if shutil.which("cc") is None:
        pytest.skip("no C compiler here")
    assert library(False) is not None and _compiled(["cc"], False).exists()
    said = capsys.readouterr().err
    assert (
        said.count("kernels are compiled for this process alone") == 1
        and len(said.splitlines()) == 1
    )


def nobody() -> Path:
    raise RuntimeError("Could not determine home directory.")
