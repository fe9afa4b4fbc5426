"""`--policy MODULE:FACTORY`: what works, and one sentence for everything that does not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from worldgym.actions.conventions import convention
from worldgym.cli import main
from worldgym.errors import InputError
from worldgym.policies.load_policy import load, load_policy
from worldgym.testing import FakePolicy, check_policy

MODULE = """
import sys
from dataclasses import replace

from worldgym.actions.conventions import convention
from worldgym.errors import InputError
from worldgym.testing import FakePolicy

GOOD = FakePolicy(chunk=2, name="mine")
LIST = [1, 2]

def make(level="0.5"):
    return replace(GOOD, level=float(level))

def spoken(name="bridge_v2"):
    return replace(GOOD, spec=convention(name))

def raises():
    raise KeyError("weights")

def refuses():
    raise InputError("weights/: no such folder")

def nothing():
    return None

def zero():
    return replace(GOOD, chunk=0)

def wordy():
    return replace(GOOD, chunk="4")

class Half:
    name, spec, chunk, needs = GOOD.name, GOOD.spec, GOOD.chunk, GOOD.needs

    def reset(self, trials):
        return list(trials)

class Needless(Half):
    @property
    def needs(self):
        raise RuntimeError("later")

def needs_weights(weights, level=1):
    return GOOD

def passes_on():
    import json
    return json.loads("{")
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module that lies in the current folder, new for every test."""
    name = f"mine_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return name


def test_a_factory_is_called_with_its_options(module: str) -> None:
    policy = load_policy(f"{module}:make")
    assert (policy.name, policy.chunk) == ("mine", 2)
    check_policy(policy, (16, 24, 3))
    assert load_policy(f"{module}:make?level=0.9").level == 0.9  # type: ignore[attr-defined]
    assert isinstance(load_policy("worldgym.testing:FakePolicy"), FakePolicy)


@pytest.mark.parametrize(
    ("place", "complaint"),
    [
        ("absent", '{} has no function "absent"; it has make, spoken, raises, refuses'),
        ("LIST", 'has no function "LIST"'),
        ("raises", r"raises failed \(KeyError: 'weights' at .*{}\.py, line 19\)$"),
        ("refuses", "^weights/: no such folder$"),
        ("make?colour=red", 'the unknown option "colour"; options are level$'),
        ("make?levle=1", r'"levle" \(did you mean level\?\); options are level$'),
        ("zero?level=1", 'the unknown option "level"; options are none$'),
        ("needs_weights", r'not say the "weights" that needs_weights needs: add \?weights=\.\.\.$'),
        ("passes_on", r"passes_on failed \(JSONDecodeError: .* at {}\.py, line 49\)$"),
        (
            "make?level=far",
            r"make failed \(ValueError: could not convert string to float: 'far' at",
        ),
        ("make?level", "options look like"),
        ("make?level=1&level=2", "given twice"),
        ("nothing", """returned NoneType, whose "name" cannot be read \\(AttributeError"""),
        ("zero", 'whose "chunk" is 0; give 1 or more'),
        ("wordy", 'whose "chunk" is str, not int'),
        ("Half", 'returned Half, which has no method "act"'),
        ("Needless", r'whose "needs" cannot be read \(RuntimeError: later at {}\.py, line 42\)'),
    ],
)
def test_what_does_not_work_gets_one_sentence(module: str, place: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint.replace("{}", module)) as caught:
        load_policy(f"{module}:{place}")
    assert "\n" not in str(caught.value)


def test_a_module_that_is_not_there_or_broken(module: str, tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match=r"nowhere cannot be imported \(ModuleNotFoundError: No module named 'nowhere'\)$",
    ):
        load_policy("nowhere:make")
    (tmp_path / f"{module}_broken.py").write_text("import sys\n1 / 0\n")
    with pytest.raises(
        InputError, match=r"ZeroDivisionError: division by zero at .*_broken\.py, line 2\)"
    ):
        load_policy(f"{module}_broken:make")
    (tmp_path / f"{module}_torn.py").write_text("def make(:\n")
    with pytest.raises(
        InputError, match=r"cannot be imported \(SyntaxError: .*_torn\.py, line 1\)"
    ):
        load_policy(f"{module}_torn:make")
    (tmp_path / f"{module}_empty.py").write_text("")
    with pytest.raises(InputError, match="it defines no function and no class"):
        load_policy(f"{module}_empty:make")


def test_actions_are_converted_where_that_is_stated(module: str) -> None:
    released, libero = convention("released_10"), convention("libero")
    policy = load_policy(f"{module}:spoken", released)
    assert policy.spec == released and (policy.name, policy.chunk) == ("mine", 2)
    check_policy(policy, (16, 24, 3))
    # refused later, with both specs
    assert load_policy(f"{module}:spoken", libero).spec == convention("bridge_v2")
    assert load_policy(f"{module}:make", released).spec == FakePolicy().spec


def test_the_command_line_ends_with_exit_code_2(
    module: str, unpacked_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = str(unpacked_bundle / "world")
    words = [
        "evaluate",
        "--world",
        world,
        "--policy",
        f"{module}:make?level=far",
        "--tasks",
        str(unpacked_bundle / "tasks"),
        "--trials",
        "1",
    ]
    with pytest.raises(SystemExit) as stop:
        main([*words, "--judge", "later", "--out", "run"])
    assert stop.value.code == 2
    assert (
        f'worldgym: policy "{module}:make?level=far": make failed (ValueError'
        in capsys.readouterr().err
    )


def code(source: str) -> str:
    return load(source).code


def test_another_file_is_another_policy(module: str, tmp_path: Path) -> None:
    file, first = tmp_path / f"{module}.py", code(f"{module}:make")
    assert first and code(f"{module}:make") == first
    file.write_text(file.read_text() + "\n# changed\n")
    assert code(f"{module}:make") != first


def test_files_in_options_and_declared_weights_count(module: str, tmp_path: Path) -> None:
    (tmp_path / f"{module}.py").write_text(MODULE + DECLARES)
    weights = tmp_path / "w.npz"
    seen = set()
    for content in (b"one", b"two"):
        weights.write_bytes(content)
        seen |= {
            code(f"{module}:declares?path={weights}&told=yes"),
            code(f"{module}:takes?path={weights}"),
        }
    assert len(seen) == 4
    weights.unlink()
    with pytest.raises(InputError, match=r'it names .*w\.npz in "weights", which is not there'):
        code(f"{module}:declares?path={weights}&told=yes")


def test_all_modules_of_a_package_count(tmp_path: Path, module: str) -> None:
    package = tmp_path / f"{module}_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "own.py").write_text(MODULE)
    (package / "beside.py").write_text("A = 1\n")
    first = code(f"{package.name}.own:make")
    (package / "beside.py").write_text("A = 2\n")
    assert first and code(f"{package.name}.own:make") != first


DECLARES = """
class Declaring:
    def __init__(self, path):
        self.weights = [path]
    name, spec, chunk, needs = GOOD.name, GOOD.spec, GOOD.chunk, GOOD.needs
    reset, act = GOOD.reset, GOOD.act

def declares(path, told):
    return Declaring(path)

def takes(path):
    return GOOD
"""
