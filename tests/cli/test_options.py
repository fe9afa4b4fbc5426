"""Options of all commands, read from the commands themselves."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import tyro

from worldgym.cli import APPENDED, Command, main


def list_options() -> Iterator[tuple[str, str, bool]]:
    """(command, option, whether it is repeated for each value) of every option with any number of
    values."""
    append = tyro.conf.UseAppendAction[int].__metadata__[0]

    def of(command: Any) -> Iterator[tuple[str, str, bool]]:
        if not dataclasses.is_dataclass(command):
            for part in typing.get_args(command):
                yield from of(part)
            return
        for name, hint in typing.get_type_hints(
            command, localns={**vars(typing), "Callable": Callable}, include_extras=True
        ).items():
            bare, marks = (
                (typing.get_args(hint)[0], hint.__metadata__)
                if hasattr(hint, "__metadata__")
                else (hint, ())
            )
            if name == "action":
                yield from of(bare)
            elif typing.get_origin(bare) is tuple and typing.get_args(bare)[-1] is Ellipsis:
                yield command.__name__, f"--{name.replace('_', '-')}", append in marks

    yield from of(Command)


def test_no_option_of_any_command_drops_the_values_that_were_given_first(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = list(list_options())
    assert (
        ("Evaluate", "--policy", False) in found
        and ("Train", "--data", True) in found
        and len(found) > 10
    )
    for _, option, repeated in found:
        assert repeated == (option in APPENDED)
        if not repeated:
            with pytest.raises(SystemExit) as stop:
                main(
                    [
                        "evaluate",
                        option,
                        "a",
                        option.replace("-", "_").replace("__", "--", 1) + "=b",
                    ]
                )
            assert stop.value.code == 2 and f"{option} is given 2 times" in capsys.readouterr().err
