"""From the fields of a dataclass to the options of a command, and from words to a value of it.

A field is an option: `--name VALUE`, a flag where it is a bool, any number of values where it is a
tuple. A field marked `Positional` is given without a name. The text below a field is its help.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, Field, dataclass, fields
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from worldgym.errors import InputError, did_you_mean
from worldgym.io.bundled import bundled
from worldgym.io.json_form import field_docs

T = TypeVar("T")


@dataclass(frozen=True)
class Unnamed:
    """Marks a field that is given without its name."""


@dataclass(frozen=True)
class Part:
    """Marks a path that may be "bundled": that part of the bundle."""

    name: str


@dataclass(frozen=True)
class Automatic:
    """Marks an option whose value may be the word auto, which stands for None."""


@dataclass(frozen=True)
class Called:
    """What help calls the value of an option: NAME instead of TEXT."""

    metavar: str


Positional = Annotated[T, Unnamed()]
WorldPlace = Annotated[Path, Part("world")]
WorldName = Annotated[str, Part("world"), Called("WORLD")]
RunPlace = Annotated[str, Called("PATH|URL")]
JudgePlace = Annotated[Path, Part("judge")]
TasksPlace = Annotated[Path, Part("tasks")]
CodecPlace = Annotated[Path, Part("codec")]
InverseDynamicsPlace = Annotated[Path, Part("inverse-dynamics")]
BatchSize = Annotated[int | None, Automatic(), Called("N|auto")]
EngineName = Literal["auto", "eager", "compiled"]
Policies = Annotated[tuple[str, ...], Called("POLICY")]
COMMON = {  # what an option of this name means where a command says nothing else
    "world": "checkpoint of a world, or the folder that `worldgym world train` wrote",
    "tasks": "folder of tasks, NAME.png + NAME.json each",
    "judge": "checkpoint of a judge, or judge.toml (a model behind a server)",
    "data": "episode store",
    "policy": "as for `worldgym evaluate`: folders, addresses, names",
    "out": "folder for the results",
    "steps": "optimiser steps",
    "codec_steps": "optimiser steps of the codec",
    "recipe": "see docs/world-model.md",
    "first_seed": "first seed of the start states",
    "seed": "seed of all random numbers",
    "batch": "maximum number of rollouts advanced together",
    "device": "auto (a CUDA GPU if there is one, otherwise the CPU), cpu, cuda, cuda:N or mps",
    "engine": "how worlds of ours compute their network: eager (operation by operation), compiled "
    "(for this machine, which takes minutes once), or auto: compiled only on a CUDA GPU, where it "
    "is measured to be faster and the planned frames repay it (docs/performance)",
    "on": "where the work runs: local, processes, ray, ray:ADDRESS, ray://HOST:PORT (docs/cluster)",
    "workers": "with --on: number of workers (default: as many as there is room for)",
    "gpus": "with --on ray: share of a GPU per worker, e.g. 0.25",
    "json": "print JSON, for programs, instead of text",
}
METAVARS = {int: "N", float: "X", str: "TEXT", Path: "PATH"}
WANTED = {int: "a whole number", float: "a number"}


@dataclass(frozen=True)
class Option:
    """One option of a command.

    count: values it takes; None = one or more.   kind: what a value is: int, float, str, Path,
    bool (a flag) or a Literal.   part: of the bundle, or "".   default: None too where it is
    required.   automatic: the word auto stands for None."""

    field: str
    text: str
    kind: Any
    metavar: str
    count: int | None
    several: bool
    positional: bool
    required: bool
    default: Any
    part: str = ""
    automatic: bool = False

    @property
    def name(self) -> str:
        """As it is typed: --held-out, or RUN."""
        dashed = self.field.replace("_", "-")
        return dashed.upper() if self.positional else f"--{dashed}"

    @property
    def flag(self) -> bool:
        return self.kind is bool

    def value(self, words: Sequence[str]) -> Any:
        """InputError where the words are too few, too many or of another kind."""
        if not words or (self.count is not None and len(words) != self.count):
            wanted = "one or more values" if self.count is None else f"{self.count} values"
            wanted = "a value" if self.count == 1 else wanted
            raise InputError(f"{self.name} needs {wanted} ({self.metavar}), but got {len(words)}")
        values = tuple(self._one(word) for word in words)
        return values if self.several else values[0]

    def _one(self, word: str) -> Any:
        if self.automatic and word == "auto":
            return None
        if self.part:
            place = bundled(word, self.part)
            # an address is no path: "ws://h" would become "ws:/h"
            return place if self.kind is Path else word if place == Path(word) else str(place)
        if get_origin(self.kind) is Literal:
            known = {str(choice): choice for choice in get_args(self.kind)}
            if word not in known:
                hint = did_you_mean(word, known) or f"; it is one of {', '.join(known)}"
                raise InputError(f'{self.name} cannot be "{word}"{hint}')
            return known[word]
        try:
            return self.kind(word)
        except ValueError:
            or_auto = " or auto" if self.automatic else ""
            raise InputError(
                f'{self.name} is "{word}": give {WANTED[self.kind]}{or_auto}'
            ) from None


def options_of(command: type) -> list[Option]:
    """Positional ones first, in the order of the fields."""
    hints = get_type_hints(command, include_extras=True)
    told = {**COMMON, **field_docs(command)}
    found = [_option(one, hints[one.name], told.get(one.name, "")) for one in fields(command)]
    return sorted(found, key=lambda option: not option.positional)


def parse(command: type[T], words: Sequence[str], called: str) -> T:
    """The command that the words describe. called: for messages, as in "worldgym judge label"."""
    known = options_of(command)
    given = dict[str, Any]()
    loose = list[str]()
    named = {option.name: option for option in known if not option.positional}
    rest = list(words)
    while rest:
        name, sign, value = (word := rest.pop(0)).partition("=")
        if not word.startswith("--"):
            loose.append(word)
            continue
        if (option := named.get(name)) is None:
            raise InputError(
                f"{called} has no option {name}{did_you_mean(name, named)}; `{called} --help` "
                f"lists them"
            )
        if sign and option.flag:
            raise InputError(f"{name} takes no value: give {name} alone, or leave it out")
        _add(given, option, [value] if sign else _taken(option, rest))
    given |= _placed([option for option in known if option.positional], loose, called)
    if lacking := [o.name for o in known if o.required and o.field not in given]:
        raise InputError(f"{called} needs {', '.join(lacking)}; `{called} --help` explains them")
    return command(**given)


def _add(given: dict[str, Any], option: Option, values: list[str]) -> None:
    """Into `given`. Lists may be given in several goes; of anything else one value would be lost
    without a word."""
    if option.field in given and option.count is not None:
        raise InputError(f"{option.name} is given twice: give it once")
    value = True if option.flag else option.value(values)
    given[option.field] = given.get(option.field, ()) + value if option.count is None else value


def _taken(option: Option, rest: list[str]) -> list[str]:
    """The values behind an option, taken from the rest."""
    most = 0 if option.flag else option.count
    values: list[str] = []
    while rest and not rest[0].startswith("--") and (most is None or len(values) < most):
        values.append(rest.pop(0))
    return values


def _placed(positional: Sequence[Option], words: list[str], called: str) -> dict[str, Any]:
    """Words without a name, in order; the last field takes all that is left where it holds any
    number."""
    given: dict[str, Any] = {}
    for option in positional:
        if words:
            size = len(words) if option.count is None else 1
            given[option.field] = option.value(words[:size])
            words = words[size:]
    if words:
        raise InputError(
            f'{called} cannot tell what "{words[0]}" is for: name the option, or put the words '
            f"in quotes; `{called} --help` lists the options"
        )
    return given


def _option(field: Field[Any], hint: Any, text: str) -> Option:
    kind, marks = _bare(hint)
    several = get_origin(kind) is tuple
    count: int | None = 1
    if several:
        inner = get_args(kind)
        count = None if inner[-1] is Ellipsis else len(inner)
        kind, more = _bare(inner[0])
        marks = (*marks, *more)
    part = next((mark.name for mark in marks if isinstance(mark, Part)), "")
    called = next((mark.metavar for mark in marks if isinstance(mark, Called)), "")
    metavar = called or _metavar(kind, part)
    default = field.default if field.default is not MISSING else None
    required = field.default is MISSING and field.default_factory is MISSING
    places = Unnamed() in marks
    many = 0 if kind is bool else count
    auto = Automatic() in marks
    return Option(
        field.name, text, kind, metavar, many, several, places, required, default, part, auto
    )


def _bare(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """The type without what marks it, and the marks; `X | None` counts as X."""
    marks: tuple[Any, ...] = ()
    while True:
        if get_origin(hint) is Annotated:
            marks += hint.__metadata__
            hint = get_args(hint)[0]
        elif NoneType in get_args(hint):
            (hint,) = (inner for inner in get_args(hint) if inner is not NoneType)
        else:
            return hint, marks


def _metavar(kind: Any, part: str) -> str:
    if part:
        return "PATH|bundled"
    if get_origin(kind) is Literal:
        return "|".join(map(str, get_args(kind)))
    return METAVARS.get(kind, "")
