"""Where a link of a robot is when its joints stand so: forward kinematics of a URDF by MuJoCo.

Shapes and masses of the file are left out, so its meshes need not be there. Poses are in the frame
of the root link. Axes legend: n joints from the root to the link."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

from worldgym.actions.pose import Vector
from worldgym.errors import InputError, MissingExtra
from worldgym.io.files import sha256_file
from worldgym.native.off_screen import mujoco_off_screen

MAX_BYTES = 2**24  # of a URDF
# bodies of no mass are no robot to MuJoCo, and a link at a fixed joint is wanted by its name
COMPILER = {"fusestatic": "false", "boundmass": "0.001", "boundinertia": "0.000001"}
MOVING = ("revolute", "continuous", "prismatic")
_PLACE = re.compile(r"(.+\.urdf):([\w.-]+)", re.IGNORECASE)


class Arm:
    """joints: names of those that move, from the root to the link."""

    def __init__(self, path: Path, link: str) -> None:
        """InputError where the file is no URDF, or has no such link. MissingExtra without
        MuJoCo."""
        try:
            mujoco: Any = mujoco_off_screen()
        except ModuleNotFoundError:
            raise MissingExtra("mujoco", "kinematics", "the kinematics of a URDF") from None
        root = _bare(path)
        self.joints = _chain(root, path, link)
        self._library: Any = mujoco
        try:
            self._model: Any = mujoco.MjModel.from_xml_string(ET.tostring(root, "unicode"))
        except ValueError as error:
            raise InputError(f"{path}: MuJoCo cannot read it ({error})") from error
        self._data: Any = mujoco.MjData(self._model)
        self._link: int = self._model.body(link).id
        self._places = [int(self._model.joint(name).qposadr[0]) for name in self.joints]

    @staticmethod
    def of(place: str) -> Arm:
        """ "FILE.urdf:LINK". InputError for another form."""
        return Arm(*_parsed(place))

    def pose(self, positions: Vector) -> tuple[Vector, Vector]:
        """[n], rad or metres => position [3] in metres and rotation [3, 3] of the link."""
        self._data.qpos[self._places] = positions
        self._library.mj_kinematics(self._model, self._data)
        place: Vector = self._data.xpos[self._link].copy()
        turn: Vector = self._data.xmat[self._link].reshape(3, 3).copy()
        return place, turn


def robot_digest(place: str) -> str:
    """Of "FILE.urdf:LINK": the link, and 12 hexadecimal digits of the file's contents."""
    path, link = _parsed(place)
    try:
        return f"{link} of {sha256_file(path)[:12]}"
    except OSError as error:
        raise InputError(f"{path}: cannot be read as a URDF ({error})") from error


def _parsed(place: str) -> tuple[Path, str]:
    found = _PLACE.fullmatch(place)
    if found is None:
        raise InputError(f'--robot is "{place}": give FILE.urdf:LINK')
    return Path(found[1]), found[2]


def _bare(path: Path) -> ET.Element:
    """The robot of a URDF without shapes and masses."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path}: over {MAX_BYTES >> 20} MiB, which no URDF is")
        root = ET.fromstring(path.read_bytes())
    except (OSError, ET.ParseError) as error:
        raise InputError(f"{path}: cannot be read as a URDF ({error})") from error
    if root.tag != "robot":
        raise InputError(f"{path}: is no URDF, because its root is <{root.tag}> and not <robot>")
    for link in root.iter("link"):
        for part in [one for one in link if one.tag in ("visual", "collision", "inertial")]:
            link.remove(part)
    for extension in root.findall("mujoco"):
        root.remove(extension)
    ET.SubElement(ET.SubElement(root, "mujoco"), "compiler", COMPILER)
    return root


def _chain(root: ET.Element, path: Path, link: str) -> tuple[str, ...]:
    """Names of the joints that move, from the root to the link."""
    links = [str(one.get("name")) for one in root.iter("link")]
    if link not in links:
        raise InputError(f'{path}: has no link "{link}"; it has {", ".join(links)}')
    above: dict[str, tuple[str, ET.Element]] = {}
    for joint in root.findall("joint"):
        parent, child = joint.find("parent"), joint.find("child")
        if parent is None or child is None:
            raise InputError(f'{path}: the joint "{joint.get("name")}" lacks a parent or a child')
        above[str(child.get("link"))] = (str(parent.get("link")), joint)
    names: list[str] = []
    seen = set[str]()
    while link in above and link not in seen:
        seen.add(link)
        link, joint = above[link]
        if joint.get("type") in MOVING:
            names.append(str(joint.get("name")))
    if not names:
        raise InputError(f"{path}: no joint moves this link")
    return tuple(reversed(names))
