from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from small_runs import evaluated

import worldgym
from worldgym.testing import FakePolicy

PACKAGE = Path(worldgym.__file__).parent


@pytest.fixture
def run(tmp_path: Path) -> Path:
    evaluated(tmp_path / "run", FakePolicy())
    return tmp_path / "run"


@pytest.mark.parametrize("words", [["report", "RUN"], ["report", "RUN", "--json"], ["--help"]])
def test_a_command_ends_with_141_when_its_reader_has_closed(words: list[str], run: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [str(run) if word == "RUN" else word for word in words]
    done = subprocess.run(
        [sys.executable, "-m", "worldgym", *command],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_nothing_is_printed_on_another_console() -> None:
    plain = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if re.search(r"(?<!\w)Console\(", path.read_text(encoding="utf-8"))
    }
    assert plain == set()
