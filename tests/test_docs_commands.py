"""Every `worldgym` command line of the README and the docs is one that the command line takes: no
option gone, none lacking."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from worldgym.cli import parsed

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
# "compare | plan", "LIST|VIDEO", "evaluate ...": no one command
A_CHOICE = re.compile(r"\s\|\s|\w\|\w|(?<!\[)\w+ \.\.\.")
OPTIONAL = re.compile(r"\[([^]]*)\]")  # "[--seed S]" => with it, "P [P ...]" => twice


def commands(text: str) -> Iterator[str]:
    """Of a page: a line each, without its comment; a backslash at the end goes on in the next
    line."""
    for line in re.sub(r"\s*\\\n\s*", " ", text).splitlines():
        if found := re.match(r"\s*(worldgym .*)", re.sub(r"\s+#\s.*$", "", line)):
            yield from re.split(r";\s+(?=worldgym)", found[1].strip())


def whole(command: str) -> str | None:
    """With everything optional in it, and numbers for N, S and F; None where it stands for several
    commands."""
    full = re.sub(
        r"\b[FNS]\b", "1", OPTIONAL.sub(lambda part: part[1].removesuffix(" ..."), command)
    )
    return None if A_CHOICE.search(full) else full


def test_what_a_page_says() -> None:
    page = """text
    worldgym plan --width 0.2   # how many
worldgym judge a | b
    worldgym x P [P ...] \\
        --n N [--s S]; worldgym y
"""
    assert [whole(command) for command in commands(page)] == [
        "worldgym plan --width 0.2",
        None,
        "worldgym x P P --n 1 --s 1",
        "worldgym y",
    ]


def test_the_pages_have_commands_and_most_can_be_parsed() -> None:
    found = [
        whole(command) for page in PAGES for command in commands(page.read_text(encoding="utf-8"))
    ]
    assert len(found) > 100 and sum(command is None for command in found) < 0.1 * len(found)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_its_commands_are_taken(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in filter(None, map(whole, commands(page.read_text(encoding="utf-8")))):
        try:
            parsed(shlex.split(command)[1:])
        except SystemExit:
            pytest.fail(f"{command}\n{capsys.readouterr().err}")
