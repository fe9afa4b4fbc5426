"""How a family of policies is spoken to: under which keys frame and instruction go, and what the
answer's numbers mean.

Sources: openpi (15a9616) src/openpi/policies/{droid,libero,aloha}_policy.py and examples/; OpenVLA
(c8f03f4) vla-scripts/deploy.py and experiments/robot/; OpenVLA-OFT (moojink, 213c5ff)
vla-scripts/deploy.py. A family of one's own is a TOML file with the fields of `Family`. A "." in a
key makes a map within a map: "images.front" is {"images": {"front": ...}}. Axes legend: n frames of
a history, the newest last; H height, W width, C channels.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from worldgym.actions.conventions import load_convention
from worldgym.actions.pose import unsound
from worldgym.errors import InputError, did_you_mean
from worldgym.policies.policy_protocol import MAX_HISTORY, Needs

MAX_FILE, MAX_SIDE, MAX_CHUNK = 2**20, 2048, 1000
OWN = "worldgym"  # the family of `worldgym policy serve`, which says itself what it serves


@dataclass(frozen=True)
class Family:
    """frame, instruction: their keys in a request.   constants: values sent with every request, by
    key.

    history: frames shown; above 1 they are stacked, [n, H, W, C], and so is the state, [n,
    S].   views: {key: camera} of the
    cameras beside the frame's own, newest picture only.   camera: what the frame's is called, "" =
    the key `frame`.
    state: {key: names of its numbers}.   size: (H, W) that frames are fitted into with black bars,
    None = as they are.
    rotate: degrees, 0 or 180.   channels_first: images as [C, H, W].

    actions: key of the actions in the answer, "" = the answer itself.   columns: which numbers of a
    row are the action, in
    order; () = all.   convention: what they mean, see `worldgym.actions`.   chunk: rows carried out
    before the next request."""

    name: str
    frame: str
    instruction: str
    convention: str = ""
    chunk: int = 1
    actions: str = ""
    columns: tuple[int, ...] = ()
    size: tuple[int, int] | None = None
    rotate: int = 0
    channels_first: bool = False
    constants: Mapping[str, Any] = field(default_factory=dict)
    history: int = 1
    camera: str = ""
    views: Mapping[str, str] = field(default_factory=dict)
    state: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def own(self) -> bool:
        """Whether the server is ours, and says itself what the numbers mean."""
        return not self.convention

    @property
    def needs(self) -> Needs:
        """What an observation must carry for a request of the family."""
        cameras = (
            (self.camera or self.frame, *self.views.values()) if self.camera or self.views else ()
        )
        return Needs(
            self.history,
            cameras,
            state=tuple(name for names in self.state.values() for name in names),
        )

    def carrying(self, needs: Needs) -> Family:
        """The same keys, and further ones for what a policy needs: "image_1" for its second camera,
        "state" beside "image"."""
        place = self.frame.removesuffix("image")
        views = {f"{self.frame}_{i}": camera for i, camera in enumerate(needs.cameras) if i > 0}
        state = {f"{place}state": needs.state} if needs.state else {}
        return replace(
            self, history=needs.history, camera="".join(needs.cameras[:1]), views=views, state=state
        )


_JOINTS = tuple(f"joint_{i}" for i in range(7))
_ARMS = tuple(
    f"{side}_{name}"
    for side in ("left", "right")
    for name in (*(f"joint_{i}" for i in range(6)), "gripper")
)
_POSE = ("x", "y", "z", "rx", "ry", "rz", "finger_left", "finger_right")

_OPENPI = (
    Family(OWN, "observation/image", "prompt", actions="actions"),
    Family(
        "droid",
        "observation/exterior_image_1_left",
        "prompt",
        "droid_joint_velocity",
        chunk=8,  # examples/droid/main.py carries out 8 of 10
        actions="actions",
        size=(224, 224),
        views={"observation/wrist_image_left": "wrist"},
        state={
            "observation/joint_position": _JOINTS,
            "observation/gripper_position": ("gripper_closed",),
        },
    ),
    Family(
        "libero",
        "observation/image",
        "prompt",
        "libero",
        chunk=5,  # examples/libero/main.py plans anew after 5 of 10
        actions="actions",
        size=(224, 224),
        views={"observation/wrist_image": "wrist"},
        state={"observation/state": _POSE},
    ),
    Family(
        "aloha",
        "images.cam_high",
        "prompt",
        "aloha",
        chunk=25,
        actions="actions",
        size=(224, 224),
        channels_first=True,
        views={f"images.{name}": name for name in ("cam_low", "cam_left_wrist", "cam_right_wrist")},
        state={"state": _ARMS},
    ),
)
_OPENVLA = (
    Family(OWN, "image", "instruction", actions="actions"),
    Family("bridge", "image", "instruction", "bridge_v2", constants={"unnorm_key": "bridge_orig"}),
    Family("libero", "image", "instruction", "libero_openvla"),
    Family(
        "libero-oft",
        "full_image",
        "instruction",
        "libero_openvla",
        chunk=8,
        views={"wrist_image": "wrist"},
        state={"state": _POSE},
    ),
    Family(
        "aloha-oft",
        "full_image",
        "instruction",
        "aloha",
        chunk=25,
        views={"left_wrist_image": "cam_left_wrist", "right_wrist_image": "cam_right_wrist"},
        state={"state": _ARMS},
    ),
)
FAMILIES: Mapping[str, Mapping[str, Family]] = {
    "openpi": {family.name: family for family in _OPENPI},
    "openvla": {family.name: family for family in _OPENVLA},
}


def choices(protocol: str) -> str:
    """What may be named as a family, in words: those that a world can serve first, and why not the
    others."""
    others = [family for family in FAMILIES[protocol].values() if not family.own]
    refused = [
        family.name
        for family in others
        if unsound(load_convention(family.convention), family.needs.state)
    ]
    usable = [family.name for family in others if family.name not in refused]
    why = (
        f" ({', '.join(refused)} ask for states that do not follow from actions: describe a server "
        f"that does without them)"
    )
    return (
        f"{''.join(f'{name}, ' for name in usable)}or a TOML file of your "
        f"own{why if refused else ''}"
    )


def load_family(name: str, protocol: str) -> Family:
    """A family by name, or one's own from a TOML file. InputError where it is unknown or
    unsound."""
    if name.endswith(".toml"):
        return _read(Path(name))
    if name not in FAMILIES[protocol]:
        hint = did_you_mean(name, FAMILIES[protocol])
        raise InputError(
            f'no policy family "{name}" for {protocol}{hint}: name {OWN}, {choices(protocol)}'
        )
    return FAMILIES[protocol][name]


def _read(path: Path) -> Family:
    try:
        if path.stat().st_size > MAX_FILE:
            raise InputError(
                f"{path}: more than {MAX_FILE >> 20} MiB, so it describes no policy family"
            )
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as TOML ({error})") from error
    try:
        return _sound(path, data)
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: {error}; see docs/quickstart-your-policy.md") from error


def _sound(path: Path, data: Mapping[str, Any]) -> Family:
    """ValueError or TypeError, in words for the user, where a field is wrong."""
    known = [f.name for f in fields(Family) if f.name not in ("name", "camera")]
    if unknown := [name for name in data if name not in known]:
        raise ValueError(f'"{unknown[0]}" is unknown; known are {", ".join(known)}')
    for name in ("frame", "instruction", "convention"):
        if not data.get(name):
            raise ValueError(f'"{name}" is missing')
    for name in ("frame", "instruction", "convention", "actions"):
        if not isinstance(data.get(name, ""), str):
            raise TypeError(f'"{name}" must be a text')
    for name, most in (("chunk", MAX_CHUNK), ("history", MAX_HISTORY)):
        if type(data.get(name, 1)) is not int or not 1 <= data.get(name, 1) <= most:
            raise ValueError(f'"{name}" must be a whole number from 1 to {most}')
    columns, size = _whole(data, "columns", MAX_CHUNK), _whole(data, "size", MAX_SIDE)
    if size and (len(size) != 2 or 0 in size):
        raise ValueError('"size" must be a height and a width in pixels')
    if data.get("rotate", 0) not in (0, 180):
        raise ValueError('"rotate" must be 0 or 180')
    if not isinstance(data.get("channels_first", False), bool):
        raise TypeError('"channels_first" must be true or false')
    state = _state(data)
    _check_keys(data)
    spec = load_convention(data["convention"])
    if columns and len(columns) != spec.size:
        raise ValueError(
            f'"columns" names {len(columns)} numbers, but "{data["convention"]}" has {spec.size}'
        )
    shaped = {"columns": columns, "size": (size[0], size[1]) if size else None, "state": state}
    family = Family(name=path.stem, **{**data, **shaped})
    _ = family.needs  # too many names, or too long ones, are refused here
    return family


def _check_keys(data: Mapping[str, Any]) -> None:
    """Constants are plain, views are names, and no key of a request stands in the place of
    another."""
    constants, views = _table(data, "constants"), _table(data, "views")
    for key, value in constants.items():
        numbers = value if isinstance(value, list) else []
        if not isinstance(value, str | bool | int | float | list) or not all(
            isinstance(x, int | float) for x in numbers
        ):
            raise TypeError(
                f'the constant "{key}" must be a text, a number, true, false or a list of numbers'
            )
    if not all(isinstance(camera, str) for camera in views.values()):
        raise TypeError("[views] must name a camera for each key")
    keys = [data["frame"], data["instruction"], *constants, *views, *data.get("state", {})]
    for i, key in enumerate(keys):
        if any(other == key or other.startswith(f"{key}.") for other in keys[:i] + keys[i + 1 :]):
            raise ValueError(f'"{key}" is used for two things')


def _state(data: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """[state], key by key the names of its numbers."""
    state = _table(data, "state")
    for key, names in state.items():
        if (
            not isinstance(names, list)
            or not names
            or not all(isinstance(name, str) for name in names)
        ):
            raise TypeError(f'the state "{key}" must be a list of names, like ["x", "y", "z"]')
    return {key: tuple(names) for key, names in state.items()}


def _table(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    table = data.get(name, {})
    if not isinstance(table, dict):
        raise TypeError(f"[{name}] must be a table")
    return table


def _whole(data: Mapping[str, Any], name: str, most: int) -> tuple[int, ...]:
    values = data.get(name, [])
    if not isinstance(values, list) or not all(
        type(value) is int and 0 <= value <= most for value in values
    ):
        raise ValueError(f'"{name}" must be a list of whole numbers from 0 to {most}')
    return tuple(values)
