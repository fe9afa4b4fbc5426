"""Where a link of a robot is, against trigonometry by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from two_links import URDF, by_hand

from worldgym.actions.kinematics import Arm, robot_digest
from worldgym.errors import InputError

pytest.importorskip("mujoco", reason="the extra [kinematics] is not installed")


@pytest.fixture
def urdf(tmp_path: Path) -> Path:
    (tmp_path / "two.urdf").write_text(URDF, encoding="utf-8")
    return tmp_path / "two.urdf"


def test_a_link_is_where_trigonometry_says(urdf: Path) -> None:
    arm = Arm.of(f"{urdf}:hand")
    assert arm.joints == ("shoulder", "elbow")
    for first, second in ((0.0, 0.0), (0.7, -0.2), (-2.0, 3.0)):
        place, turn = arm.pose(np.array([first, second]))
        assert place == pytest.approx(by_hand(first, second), abs=1e-9)
        assert np.arctan2(turn[1, 0], turn[0, 0]) == pytest.approx(first + second, abs=1e-9)
    assert robot_digest(f"{urdf}:hand").startswith("hand of ")


@pytest.mark.parametrize(
    ("text", "link", "words"),
    [
        (URDF, "foot", 'has no link "foot"; it has base, upper'),
        (URDF, "base", "no joint moves this link"),
        ("<world/>", "hand", "its root is <world> and not <robot>"),
        ("<robot", "hand", "cannot be read as a URDF"),
        (URDF.replace('<parent link="upper"/>', ""), "hand", '"elbow" lacks a parent'),
    ],
)
def test_what_is_no_robot_is_said(text: str, link: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "a.urdf").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        Arm(tmp_path / "a.urdf", link)
    with pytest.raises(InputError, match=r"give FILE\.urdf:LINK"):
        Arm.of("a.xml:hand")
    with pytest.raises(InputError, match="cannot be read as a URDF"):
        robot_digest(f"{tmp_path}/none.urdf:hand")
