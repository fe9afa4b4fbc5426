"""Every python block of the README and of the statistics page runs as it stands; one that begins
with "# NAME.py" is a module that the others can import."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", ROOT / "docs" / "statistics.md")


def blocks(page: Path) -> list[str]:
    return re.findall(
        r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_page_has_examples(page: Path) -> None:
    assert len(blocks(page)) >= 2


@pytest.mark.parametrize(
    "block",
    [block for page in PAGES for block in blocks(page)],
    ids=lambda block: block.splitlines()[0],
)
def test_block_runs(
    block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a folder of the modules alone; a comment behind a print is what it prints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for page in PAGES:
        for text in blocks(page):
            if module := re.match(r"# (\w+)\.py\n", text):
                (tmp_path / f"{module[1]}.py").write_text(text, encoding="utf-8")
                monkeypatch.delitem(sys.modules, module[1], raising=False)
    exec(compile(block, "<page>", "exec"), {"__name__": "readme"})
    promised = re.findall(r"^(?:print\(.*)?\)  # (.*)$", block, re.MULTILINE)
    assert capsys.readouterr().out.splitlines() == promised
