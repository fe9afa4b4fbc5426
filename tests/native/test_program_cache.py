"""Programs on the disk: made once, found again, never run where they are not what they should
be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from worldgym.errors import InputError
from worldgym.io.files import write_json
from worldgym.native import program_cache
from worldgym.native.program_cache import (
    PROGRAM,
    TOLD,
    kept_or_made,
    kept_program,
    programs_folder,
)

FORM = {"name": "network", "given": [[[1, 2], "torch.float32"]]}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "worldgym" / "programs"


def never(path: Path) -> None:
    raise AssertionError("made again")


def made(form: dict[str, object], text: bytes = b"code") -> Path:
    return kept_or_made(form, lambda path: path.write_bytes(text))


def test_made_once_for_each_form(cache: Path) -> None:
    assert kept_program(FORM) is None
    path = made(FORM)
    assert path.read_bytes() == b"code" and path.parent.parent == cache
    assert kept_program(FORM) == path == kept_or_made(FORM, never)
    assert kept_program({**FORM, "torch": "3.0"}) is None
    assert made({**FORM, "torch": "3.0"}) != path


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("cut", "is damaged"),
        ("foreign", "was compiled for something else"),
        ("untold", "is incomplete"),
        ("torn", "is incomplete"),
    ],
)
def test_what_is_wrong_is_made_again_with_a_sentence(
    harm: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = made(FORM)
    if harm == "cut":
        path.write_bytes(b"cod")
    elif harm == "foreign":
        other = made({"name": "decoder"}).parent
        for name in (PROGRAM, TOLD):
            (path.parent / name).write_bytes((other / name).read_bytes())
    elif harm == "untold":
        (path.parent / TOLD).unlink()
    else:
        (path.parent / TOLD).write_text('{"form"')
    assert made(FORM, b"new").read_bytes() == b"new"
    err = capsys.readouterr().err
    assert f"{said}, so it is compiled again" in err and err.count("\n") == 1
    assert kept_or_made(FORM, never) == path and not capsys.readouterr().err


def test_a_digest_that_fits_another_form_does_not_help() -> None:
    path = made(FORM)
    told = {"form": {"name": "decoder"}, "sha256": "0", "seconds": 1.0}
    write_json(path.parent / TOLD, told)
    assert kept_program(FORM) is None


def test_no_one_else_may_enter(cache: Path) -> None:
    made(FORM)
    assert cache.stat().st_mode & 0o777 == 0o700
    for mode in (0o755, 0o720, 0o702):
        cache.chmod(mode)
        with pytest.raises(InputError, match="chmod 700 it"):
            kept_program(FORM)
    cache.chmod(0o700)
    assert kept_program(FORM) is not None


def test_a_link_is_no_folder_of_ours(cache: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(0o700)
    cache.parent.mkdir()
    cache.symlink_to(elsewhere)
    with pytest.raises(InputError, match="a folder of this user"):
        programs_folder()


def test_where_nothing_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(InputError, match="set XDG_CACHE_HOME"):
        programs_folder()


def test_what_fails_to_compile_leaves_nothing(cache: Path) -> None:
    def broken(path: Path) -> None:
        path.write_bytes(b"half")
        raise InputError("no compiler")

    with pytest.raises(InputError, match="no compiler"):
        kept_or_made(FORM, broken)
    assert [*cache.rglob("*.pt2")] == [] and kept_program(FORM) is None


def test_what_was_not_used_for_longest_is_let_go(
    monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    monkeypatch.setattr(program_cache, "MOST", 25)
    forms = [{"name": f"{i}"} for i in range(4)]
    for age, form in enumerate(forms[:2]):
        os.utime(made(form, b"0123456789"), (age, age))
    kept_program(forms[0])  # used
    made(forms[2], b"0123456789")
    assert [kept_program(form) is not None for form in forms[:3]] == [True, False, True]
    made(forms[3], b"0" * 30)  # larger than all that may be kept: it alone
    assert [kept_program(form) is not None for form in forms] == [False, False, False, True]
