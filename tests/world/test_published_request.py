"""What is known of the published files is taken, and what contradicts it is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from worldgym.errors import InputError
from worldgym.world.published_request import (
    FILES,
    PUBLISHED_SIZES,
    Published,
    PublishedImport,
    published_settings,
)

BRIDGE, MIXED = FILES


def asked(name: str, **options: Any) -> Published:
    return published_settings(
        PublishedImport(Path("folder") / name, Path("out"), **options), PUBLISHED_SIZES
    )


def test_the_published_files_are_known_by_name() -> None:
    assert asked(BRIDGE) == Published("pixel", "bfloat16", False, 1.0)
    assert asked(MIXED) == Published("standard", "exact", False, 3.0)
    assert asked(BRIDGE, rope="pixel", cfg=1.0) == asked(BRIDGE)
    assert asked(BRIDGE, rotary_tables="released").tables == "float16"
    assert asked(BRIDGE, rotary_tables="exact").tables == "exact"


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        (BRIDGE, {"rope": "standard"}, "leave out --rope standard, or"),
        (BRIDGE, {"cfg": 3.0}, "leave out --cfg 3.0, or"),
        (MIXED, {"rope": "pixel", "cfg": 1.0}, "leave out --rope pixel and --cfg 1.0, or"),
        (MIXED, {"flow": True}, "leave out --flow True, or"),
        (BRIDGE, {"heads": 8}, "leave out --heads 8, or"),
        (BRIDGE, {"size": 128}, "leave out --size 128, or"),
    ],
)
def test_contradictions_are_refused(name: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as error:
        asked(name, **options)
    assert said in str(error.value) and "give it another name" in str(error.value)


def test_a_published_name_with_other_contents_is_refused() -> None:
    request = PublishedImport(Path(BRIDGE), Path("out"))
    with pytest.raises(InputError, match="has the name of a published file"):
        published_settings(request, (512, 8, 16, 2, 10))


def test_of_other_files_the_rotary_positions_must_be_said() -> None:
    with pytest.raises(InputError, match="give --rope pixel"):
        asked("mine.pt")
    assert asked("mine.pt", rope="standard") == Published("standard", "exact", False, 1.0)
    found = asked("mine.pt", rope="pixel", flow=True, cfg=2.0)
    assert found == replace(found, tables="bfloat16", flow=True, cfg=2.0)
