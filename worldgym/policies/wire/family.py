"""How to talk to a family of policies: the keys of frame and instruction, and the meaning of the
answer's numbers.

Sources: openpi (15a9616) src/openpi/policies/{droid,libero,aloha}_policy.py and examples/; OpenVLA
(c8f03f4) vla-scripts/deploy.py and experiments/robot/; OpenVLA-OFT (moojink, 213c5ff)
vla-scripts/deploy.py. Your own family is a TOML file with the fields of `Family`. A "." in a
key makes a map within a map: "images.front" is {"images": {"front": ...}}. Axes legend: n frames of
a history, the newest last; H height, W width, C channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from worldgym.actions.conventions import load_convention
from worldgym.actions.pose import unsound
from worldgym.errors import InputError, did_you_mean
from worldgym.io.files import read_toml
from worldgym.io.records import from_mapping, located
from worldgym.policies.policy_protocol import MAX_HISTORY, Needs

MAX_SIDE = 2048
MAX_CHUNK = 1000
Flip = Literal["none", "vertical", "horizontal", "both"]
Constant = str | bool | int | float | tuple[float, ...]
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
    flip: "vertical" (upside down), "horizontal" (mirrored) or "both", then rotate: degrees, 0 or
    180; of every camera that `flips` does not name. LIBERO's raw pictures are upside down and its
    policies saw them turned by 180 degrees: from a world that draws upright ones, that is a
    horizontal flip.
    flips: {key: "none", "vertical", "horizontal" or "both"}, all that is done to that camera's
    pictures; "both" turns them by 180 degrees.
    channels_first: images as [C, H, W].

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
    rotate: Literal[0, 180] = 0
    flip: Literal["", "vertical", "horizontal", "both"] = ""
    flips: Mapping[str, Flip] = field(default_factory=dict)
    channels_first: bool = False
    constants: Mapping[str, Constant] = field(default_factory=dict)
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
        chunk=5,  # examples/libero/main.py plans again after 5 of 10
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
    """Names of families for a message: first those that every world can serve, then what the
    others need."""
    others = [family for family in FAMILIES[protocol].values() if not family.own]
    refused = [
        family.name
        for family in others
        if unsound(load_convention(family.convention), family.needs.state)
    ]
    usable = [family.name for family in others if family.name not in refused]
    why = (
        f" ({', '.join(refused)} need a world that predicts the robot's state, because theirs does "
        f"not follow from actions)"
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
    data = read_toml(path, "it should describe a policy family")
    with located(path, "see docs/quickstart-your-policy.md"):
        family = from_mapping(Family, data, given={"name": path.stem, "camera": ""})
        _check(family)
        return family


def _check(family: Family) -> None:
    """ValueError, in words for the user, where the fields do not make a family."""
    for name, text in (
        ("frame", family.frame),
        ("instruction", family.instruction),
        ("convention", family.convention),
    ):
        if not text:
            raise ValueError(f'"{name}" is missing')
    for name, number, most in (
        ("chunk", family.chunk, MAX_CHUNK),
        ("history", family.history, MAX_HISTORY),
    ):
        if not 1 <= number <= most:
            raise ValueError(f'"{name}" must be a whole number from 1 to {most}')
    if not all(0 <= column <= MAX_CHUNK for column in family.columns):
        raise ValueError(f'"columns" must be a list of whole numbers from 0 to {MAX_CHUNK}')
    if family.size is not None and not all(1 <= side <= MAX_SIDE for side in family.size):
        raise ValueError(f'"size" must be a height and a width in pixels, up to {MAX_SIDE}')
    if empty := next((key for key, names in family.state.items() if not names), None):
        raise ValueError(f'the state "{empty}" must be a list of names, like ["x", "y", "z"]')
    if unknown := [key for key in family.flips if key not in (family.frame, *family.views)]:
        raise ValueError(
            f'"flips" names "{unknown[0]}", which is no camera\'s key: '
            f"{', '.join((family.frame, *family.views))}"
        )
    keys = [family.frame, family.instruction, *family.constants, *family.views, *family.state]
    for i, key in enumerate(keys):
        if any(other == key or other.startswith(f"{key}.") for other in keys[:i] + keys[i + 1 :]):
            raise ValueError(f'"{key}" is used for two things')
    spec = load_convention(family.convention)
    if family.columns and len(family.columns) != spec.size:
        raise ValueError(
            f'"columns" names {len(family.columns)} numbers, but "{family.convention}" has '
            f"{spec.size}"
        )
    _ = family.needs  # too many names, or too long ones, are refused here
