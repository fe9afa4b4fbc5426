"""Types of the options that name a world, a judge, tasks, a codec or an inverse-dynamics model: a
path, or "bundled"."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tyro.constructors import PrimitiveConstructorSpec

from worldgym.io.bundled import bundled


def _place(part: str) -> PrimitiveConstructorSpec[Path]:
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="PATH|bundled",
        instance_from_str=lambda words: bundled(words[0], part),
        is_instance=lambda value: isinstance(value, Path),
        str_from_instance=lambda path: [str(path)],
    )


WorldPlace = Annotated[Path, _place("world")]
JudgePlace = Annotated[Path, _place("judge")]
TasksPlace = Annotated[Path, _place("tasks")]
CodecPlace = Annotated[Path, _place("codec")]
InverseDynamicsPlace = Annotated[Path, _place("inverse-dynamics")]
