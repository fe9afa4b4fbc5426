"""A module that a docstring, a comment or a message names is one that exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "worldgym"
ROOMS = ("worldgym", "benchmarks", "examples", "experiments", "gpu", "tests")
FILES = [f"/{path.relative_to(ROOT)}" for room in ROOMS for path in (ROOT / room).rglob("*.py")]
SOURCES = sorted(PACKAGE.rglob("*.py"))
FILE = re.compile(r"(?<![\w./{}-])((?:[\w-]+/)*[\w-]+\.py)\b")
DOTTED = re.compile(r"(?<![\w./@:-])worldgym((?:\.[a-z]\w*)+)")
OUTSIDE = {  # files of other projects, by the module that names them
    "actions/conventions.py": {"download_data.py"},  # world-model-eval
    "policies/adapters/openvla_policy.py": {"vla-scripts/deploy.py"},
    "policies/wire/family.py": {  # OpenVLA's server, openpi's clients
        "vla-scripts/deploy.py",
        "examples/droid/main.py",
        "examples/libero/main.py",
    },
    "policies/wire/openvla_client.py": {"vla-scripts/deploy.py"},
    "episodes/readers/lerobot_reader.py": {"worldgym.action_spec"},  # a field of a dataset
}


def missing(text: str) -> Iterator[str]:
    for name in FILE.findall(text):
        if not any(path.endswith(f"/{name}") for path in FILES):
            yield name
    for dots in DOTTED.findall(text):
        if not _exists(dots[1:].split(".")):
            yield f"worldgym{dots}"


def _exists(parts: list[str]) -> bool:
    """A folder or a module of the package, and whatever it holds; or a name of a package's door."""
    at = PACKAGE
    for part in parts:
        if (at / f"{part}.py").is_file():
            return True
        if not (at / part).is_dir():
            door = at / "__init__.py"
            return door.is_file() and re.search(rf"\b{part}\b", door.read_text()) is not None
        at = at / part
    return True


def test_what_counts_as_missing() -> None:
    text = "see types.py, stats/rates.py; worldgym.types, worldgym.stats.rates.span; x.python"
    assert list(missing(text)) == ["stats/rates.py", "worldgym.stats.rates.span"]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_module_that_is_named_exists(path: Path) -> None:
    found = set(missing(path.read_text(encoding="utf-8")))
    assert found == OUTSIDE.get(str(path.relative_to(PACKAGE)), set())
