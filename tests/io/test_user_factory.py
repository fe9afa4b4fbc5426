"""A file of code is no world, policy or judge: what to write instead is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from worldgym.errors import InputError
from worldgym.judges.load_judge import load_judge
from worldgym.policies.load_policy import load_policy
from worldgym.world.world_source import load_world

LOADERS: dict[str, Callable[[str], object]] = {
    "world": load_world,
    "policy": load_policy,
    "judge": load_judge,
}


@pytest.mark.parametrize("what", LOADERS)
@pytest.mark.parametrize("name", ["mine.py", "mine.py:make", "mine.py:make?a=b"])
def test_a_python_file_is_told_how_to_be_named(
    what: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code = "import os\n\nclass Mine:\n    pass\n\ndef make():\n    pass\n\ndef _own():\n    pass\n"
    Path("mine.py").write_text(code, encoding="utf-8")
    with pytest.raises(InputError) as told:
        LOADERS[what](name)
    fix = "mine.py is a file; write mine:FACTORY (it has Mine, make)"
    assert str(told.value) == f'{what} "{name}": {fix}'
    Path("mine.py").write_text("def make(:\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"write mine:FACTORY$"):
        LOADERS[what](name)


def test_a_file_elsewhere_is_told_where(tmp_path: Path) -> None:
    (tmp_path / "mine.py").touch()
    with pytest.raises(InputError, match=f"FACTORY and start it in the folder {tmp_path}$"):
        load_policy(str(tmp_path / "mine.py"))
