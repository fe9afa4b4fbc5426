"""The folders are an arrow: a module imports only what stands above it. Read from the source, so
lazy imports count too."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from worldgym.cli.catalogue import entries

TESTS = Path(__file__).parent
ROOT = TESTS.parent / "worldgym"

# each room may import the rooms before it and itself
ARROW = (
    "types",
    "errors",
    "io",
    "wire",
    "stats",
    "report",
    "native",
    "actions",
    "episodes",
    "codecs",
    "world",
    "policies",
    "servers",
    "tasks",
    "judges",
    "testing",
    "evaluation",
    "env",
    "trust",
    "train",
    "web",
)
ALLOWED = {room: set(ARROW[:i]) for i, room in enumerate(ARROW)}
LIGHT = ("types", "errors", "io", "stats", "report", "testing", "tasks")  # import without torch
HEAVY = {
    "worldgym.io.benchmark_rows",
    "worldgym.io.checkpoint",
    "worldgym.io.devices",
    "worldgym.io.network_weights",
    "worldgym.testing.policy_conformance",
}  # the modules there that need it
# These stand below everything; they alone import the reference world.
FREE = ("reference", "cli", "__main__")
DOOR = "api"  # calls what stands on the arrow, but not the reference world
LOOSE = 5  # modules outside any room, at most
SHARED = {"__init__", "__main__"}  # names that Python gives
MODULES = sorted(ROOT.rglob("*.py"))
LINES = 300  # of a file, at most
LONG = {
    "worldgym.types": "the nouns of the whole in one place",
}

# Tests of a room that no one module answers for. All others have the name of what they test.
NO_ONE_MODULE = {
    "cli/test_endings": "exit codes of all commands",
    "cli/test_interrupt": "Ctrl-C in any command",
    "episodes/test_fuzz": "damaged files of every reader",
    "evaluation/test_growth": "a whole evaluation that grows, in any order",
    "evaluation/test_kill": "a whole evaluation, killed",
    "evaluation/test_ray": "a whole evaluation on a cluster",
    "evaluation/test_served_policies": "a whole evaluation, its policy behind a server",
    "evaluation/test_served_worlds": "a whole evaluation, its world behind a server",
    "evaluation/test_several_views": "a whole evaluation of two views",
    "evaluation/test_storm": "a whole evaluation, its judge's server failing in every way",
    "experiments/test_figures": "the experiments that read one run",
    "judges/test_phrasings": "answers of models, through every judge that asks one",
    "judges/test_real_video": "judges on recordings of a real robot",
    "policies/adapters/test_lerobot_real": "LeRobot itself, by make test-lerobot",
    "policies/wire/test_fuzz": "damaged messages to every decoder",
    "stats/test_against_ppi_python": "ppi-python itself, by make test-ppi",
    "stats/test_continuity": "last bits of a float, in every estimator",
    "stats/test_coverage": "simulated studies with every interval",
    "stats/test_error_rates": "simulated studies with every test",
    "stats/test_fresh_settings": "simulated studies in settings that nothing was chosen by",
    "stats/test_summary_schema": "the summary, its schema and its page",
    "trust/test_guide": "the commands of docs/trust.md",
    "web/test_browser_flows": "pages in a real browser",
    "web/test_browser_view": "pages in a real browser",
    "world/test_gpu_scripts": "the scripts of gpu/",
    "world/wire/test_light_import": "what serving a world imports",
    "world/wire/test_world_fuzz": "damaged messages to and from a served world",
}


def part_of(path: Path) -> str:
    """The first folder, or the module itself: worldgym/world/network.py => "world"."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[str]:
    """Full names of everything a file imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write imports in full"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def imported_parts(path: Path) -> set[str]:
    """Parts of worldgym that a file imports; names of the package's own door, such as __version__,
    belong to none."""
    names = {name.split(".")[1] for name in imports(path) if name.startswith("worldgym.")}
    return {name for name in names if (ROOT / name).is_dir() or (ROOT / f"{name}.py").exists()}


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_imports_follow_the_arrow(path: Path) -> None:
    part = part_of(path)
    if part in (*FREE, DOOR, "__init__"):
        return
    assert part in ALLOWED, (
        f"{part} has no place on the arrow yet: give it one in this test and in docs/dataflow.md"
    )
    below = imported_parts(path) - ALLOWED[part] - {part}
    assert not below, f"{dotted(path)} imports {', '.join(sorted(below))}, which it may not know"


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_only_the_command_line_knows_the_reference_world(path: Path) -> None:
    assert part_of(path) in FREE or "reference" not in imported_parts(path)


def test_nothing_but_the_command_line_comes_in_by_the_door() -> None:
    for path in MODULES:
        if part_of(path) not in ("cli", "__init__"):
            assert DOOR not in imported_parts(path), dotted(path)


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_every_module_imports(path: Path) -> None:
    if path.parent.name == "reference":
        pytest.importorskip("metaworld", reason="the extra [reference] is not installed")
    if path.parent.name == "env":
        pytest.importorskip("gymnasium", reason="the extra [gym] is not installed")
    importlib.import_module(dotted(path))


def test_statistics_reports_and_checks_import_without_torch() -> None:
    light = [
        dotted(path) for path in MODULES if part_of(path) in LIGHT and dotted(path) not in HEAVY
    ]
    program = (
        f"import importlib, sys; [importlib.import_module(name) for name in {sorted(light)}]; "
        f"print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_few_modules_are_loose() -> None:
    assert len([path for path in MODULES if path.parent == ROOT]) <= LOOSE


def test_the_decision_has_this_order_and_counts_the_first_words() -> None:
    page = (ROOT.parent / "docs" / "decisions" / "0014-floor-plan.md").read_text(encoding="utf-8")
    said = " ".join(page.split())
    assert f"`tests/test_layout.py`: {', '.join(ARROW)}; then reference and cli" in said
    assert f"has {len(entries())} first words" in said


def test_no_module_name_means_two_things() -> None:
    names: dict[str, list[str]] = {}
    for path in MODULES:
        if path.stem not in SHARED:
            names.setdefault(path.stem, []).append(dotted(path))
    assert {name: places for name, places in names.items() if len(places) > 1} == {}


def public_names(kind: type[ast.ClassDef | ast.FunctionDef]) -> dict[str, list[str]]:
    """Public names at the top of the modules, with the modules."""
    found: dict[str, list[str]] = {}
    for path in MODULES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, kind) and not node.name.startswith("_"):
                found.setdefault(node.name, []).append(dotted(path))
    return found


@pytest.mark.parametrize("kind", [ast.ClassDef, ast.FunctionDef])
def test_no_public_name_means_two_things(kind: type[ast.ClassDef | ast.FunctionDef]) -> None:
    twice = {name: places for name, places in public_names(kind).items() if len(places) > 1}
    assert twice == {}


def test_no_file_is_long() -> None:
    lines = {dotted(path): len(path.read_text("utf-8").splitlines()) for path in MODULES}
    long = {name for name, count in lines.items() if count > LINES}
    assert long == set(LONG)


def test_types_are_checked_in_all_that_tests_share() -> None:
    settings = tomllib.loads((TESTS.parent / "pyproject.toml").read_text("utf-8"))
    checked = {name for name in settings["tool"]["mypy"]["files"] if name.startswith("tests/")}
    shared = {
        path.relative_to(TESTS.parent).as_posix()
        for path in TESTS.rglob("*.py")
        if not path.name.startswith(("test_", "__init__"))
    }
    assert checked == shared


def test_tests_mirror_the_source() -> None:
    """tests/ROOM/test_NAME.py tests worldgym/ROOM/NAME.py, or the room itself."""
    unmatched = set()
    for path in TESTS.rglob("test_*.py"):
        room = path.parent.relative_to(TESTS)
        name = path.stem.removeprefix("test_")
        package = ROOT if room.parts[:1] != ("experiments",) else TESTS.parent
        itself = (package / room).name == name
        if room.parts and not itself and not (package / room / f"{name}.py").exists():
            unmatched.add(f"{room.as_posix()}/{path.stem}")
    assert unmatched == set(NO_ONE_MODULE)


def test_the_walk_through_the_rooms_names_modules_that_exist() -> None:
    page = (TESTS.parent / "docs" / "dataflow.md").read_text("utf-8")
    walk = page.partition("## Three values on their way through the code")[2].partition("\n## ")[0]
    named = re.findall(r"`(\w+(?:/\w+)+)`", walk)
    assert len(named) > 10
    assert [name for name in named if not (ROOT / f"{name}.py").exists()] == []
