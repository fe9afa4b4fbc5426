"""Objects made by the user's own code: MODULE:FACTORY, a callable that returns an object with the
members of a protocol."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from worldgym.errors import InputError, WorldGymError
from worldgym.io.named_source import NamedSource
from worldgym.io.user_code import Failure, attempt

FACTORY = re.compile(r"[\w.]+:\w+(\?.*)?", re.DOTALL)  # MODULE:FACTORY, perhaps with options


def is_factory(source: str) -> bool:
    """Whether it names code, and no file."""
    return FACTORY.fullmatch(source) is not None and not os.path.exists(source)


def check_no_module(what: str, text: str) -> None:
    """InputError for a Python file where MODULE:FACTORY is due, with what may stand for FACTORY."""
    path = Path(text.partition(":")[0])
    if path.suffix != ".py" or not path.is_file():
        return
    tree = attempt(lambda: ast.parse(path.read_text(encoding="utf-8")))
    kinds = (ast.FunctionDef, ast.ClassDef)
    body = () if isinstance(tree, Failure) else tree.body
    has = [one.name for one in body if isinstance(one, kinds) and not one.name.startswith("_")]
    shown = f" (it has {', '.join(has)})" if has else ""
    elsewhere = "" if path.parent == Path() else f" and start it in the folder {path.parent}"
    raise InputError(
        f'{what} "{text}": {path} is a file; write {path.stem}:FACTORY{elsewhere}{shown}'
    )


def made_by(source: NamedSource) -> Any:
    """What the factory returns, called with the options as texts. The module is looked for in the
    current folder too.

    InputError in one sentence where the module or the factory is not what it should be."""
    check_no_module(source.what, source.text)
    who = f'{source.what} "{source.text}"'
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    module = _called(
        lambda: importlib.import_module(source.kind),
        f"{who}: the module {source.kind} cannot be imported",
    )
    factory = vars(module).get(source.place)
    if not callable(factory):
        made_here = [
            name
            for name, value in vars(module).items()
            if callable(value) and value.__module__ == source.kind
        ]
        offered = (
            f"it has {', '.join(made_here)}" if made_here else "it defines no function and no class"
        )
        raise InputError(f'{who}: {source.kind} has no function "{source.place}"; {offered}')
    _check_options(source, factory)
    return _called(lambda: factory(**source.options), f"{who}: {source.place} failed")


def _check_options(source: NamedSource, factory: Callable[..., Any]) -> None:
    """InputError for options that the factory does not take, and for one that it needs."""
    signature = attempt(lambda: inspect.signature(factory))
    if isinstance(signature, Failure):  # of a compiled one nothing is known
        return
    kinds = inspect.Parameter
    named = (kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY)
    taken = {name: one for name, one in signature.parameters.items() if one.kind in named}
    any_name = any(one.kind is kinds.VAR_KEYWORD for one in signature.parameters.values())
    if not any_name:
        source.check_options(*taken)
    for name, one in taken.items():
        if one.default is kinds.empty:
            source.needed(name, f'the "{name}" that {source.place} needs')


def files_of(source: NamedSource, made: object) -> list[Path]:
    """What decides how a made object acts: its module, or all modules of the package that holds it,
    and the files and folders that it names in `weights`, a list of paths, if it has that.
    InputError for a path that is not there."""
    top = sys.modules[source.kind.partition(".")[0]]
    folders = [Path(folder) for folder in getattr(top, "__path__", ())]
    modules = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    if not folders and top.__file__:
        modules = [Path(top.__file__)]
    weights = attempt(lambda: [Path(path) for path in getattr(made, "weights", ())])
    who = f'{source.what} "{source.text}"'
    if isinstance(weights, Failure):
        raise InputError(f'{who}: its "weights" is no list of paths ({weights.reason})')
    if missing := next((path for path in weights if not path.exists()), None):
        raise InputError(f'{who}: it names {missing} in "weights", which is not there')
    return modules + weights


def made_as(source: NamedSource, values: Mapping[str, type], calls: Sequence[str], see: str) -> Any:
    """`made_by`, with these members; see `check_made`."""
    made = made_by(source)
    check_made(source, made, values, calls, see)
    return made


def check_made(
    source: NamedSource, made: object, values: Mapping[str, type], calls: Sequence[str], see: str
) -> None:
    """InputError for what a factory returned that lacks a member of a protocol.   see: where that
    is described."""
    if fault := fault_of(made, values, calls):
        raise InputError(
            f'{source.what} "{source.text}": {source.place} returned {type(made).__name__}, '
            f"{fault} (see {see})"
        )


def digest_of_code(what: str, source: str | Path, made: object) -> str:
    """Digest of the source and the files that a user's own object is made of, see
    `NamedSource.code`; "" of one that no factory made.   what: it is, e.g. "world"."""
    if not is_factory(str(source)):
        return ""
    named = NamedSource.parse(str(source), what)
    return named.code(files_of(named, made))


def fault_of(made: object, values: Mapping[str, type], calls: Sequence[str]) -> str | None:
    """The first member that is missing or of the wrong type, in words."""
    for name, kind in values.items():
        value = attempt(lambda name=name: getattr(made, name))  # type: ignore[misc]
        if isinstance(value, Failure):
            return f'whose "{name}" cannot be read ({value.reason})'
        if not isinstance(value, kind) or isinstance(value, bool):
            return f'whose "{name}" is {type(value).__name__}, not {kind.__name__}'
        if isinstance(value, int) and value < 1:
            return f'whose "{name}" is {value}; give 1 or more'
    missing = [name for name in calls if not callable(getattr(made, name, None))]
    return f'which has no method "{missing[0]}"' if missing else None


def _called(call: Callable[[], Any], complaint: str) -> Any:
    """InputError with the complaint, the exception and the user's line that led to it. Our own
    errors pass."""
    answer = attempt(call)
    if isinstance(answer, Failure):
        if isinstance(answer.error, WorldGymError):
            raise answer.error
        raise InputError(f"{complaint} ({' '.join(answer.reason.split())})") from answer.error
    return answer
