"""Edits with a strength between a mild and a harsh end."""

from __future__ import annotations

from pathlib import Path

import pytest

from worldgym.errors import InputError
from worldgym.tasks.edits.instruction_edits import Typo
from worldgym.tasks.edits.objects import Add
from worldgym.tasks.edits.optics import Camera
from worldgym.tasks.edits.ranges import read_ranges

EDITS = """
[[edit]]
name = "far"
steps = [
  { kind = "camera", shift = [{ mild = 0, harsh = 0.2 }, 0.1], zoom = { mild = 1.0, harsh = 2.0 } },
  { kind = "add", object = "mug", at = [0.5, 0.5], size = { mild = 0.1, harsh = 0.5 } },
  { kind = "typo", count = { mild = 1, harsh = 4 } },
]
"""


def test_numbers_between_the_ends(tmp_path: Path) -> None:
    (tmp_path / "edits.toml").write_text(EDITS)
    (far,) = read_ranges(tmp_path / "edits.toml")
    half = far.at(0.5, "far-050")
    camera, mug = half.image
    assert (
        camera == Camera((0.1, 0.1), 1.5)
        and isinstance(mug, Add)
        and mug.size == pytest.approx(0.3)
    )
    assert half.text == (Typo(2),) and (half.name, half.axis) == ("far-050", "far-050")
    assert far.at(0.0, "a").image[0] == Camera((0.0, 0.1), 1.0) and far.at(1.0, "a").text == (
        Typo(4),
    )
    assert half.described[0]["zoom"] == 1.5  # the provenance holds what was done


def test_ends_written_as_whole_numbers_are_ends_of_a_range_like_others(tmp_path: Path) -> None:
    text = EDITS.replace("mild = 1.0, harsh = 2.0", "mild = 1, harsh = 2")
    (tmp_path / "edits.toml").write_text(text)
    (far,) = read_ranges(tmp_path / "edits.toml")
    assert far.at(0.25, "far-025").image[0] == Camera((0.05, 0.1), 1.25)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("harsh = 2.0", "harsh = 20.0", "zoom 0.5 to 4"),
        ("harsh = 2.0", 'harsh = "x"', "harsh.*it must be a number"),
        ('name = "far"', 'name = "far"\nsuccess = "it is far"', "new goal"),
        ("mild", "mil", "has no range"),
    ],
)
def test_a_wrong_range_is_named(tmp_path: Path, old: str, new: str, fault: str) -> None:
    (tmp_path / "edits.toml").write_text(EDITS.replace(old, new))
    with pytest.raises(InputError, match=fault):
        read_ranges(tmp_path / "edits.toml")


def test_a_range_that_no_number_can_span(tmp_path: Path) -> None:
    step = '{ kind = "recolour", mask = { hue = [0, 9] }, turn = { mild = -1e308, harsh = 1e308 } }'
    (tmp_path / "edits.toml").write_text(f'[[edit]]\nname = "a"\nsteps = [{step}]\n')
    with pytest.raises(InputError, match=r"from -1e\+308 to 1e\+308 is too wide"):
        read_ranges(tmp_path / "edits.toml")
