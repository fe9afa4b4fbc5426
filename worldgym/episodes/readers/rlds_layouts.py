"""Where the published RLDS sets keep their actions and main camera: one line per set, keyed by the
name in dataset_info.json.

From the features.json of each set and the converter released with arXiv 2506.00613. Paths are below
`steps/`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_MOVE, _TURN = "action/world_vector", "action/rotation_delta"
_CLOSED, _OPEN = "action/gripper_closedness_action", "action/open_gripper"
_BRIDGE = ("x", "y", "z", "roll", "pitch", "yaw", "gripper")
_LIBERO = ("x", "y", "z", "rx", "ry", "rz", "finger_left", "finger_right")


@dataclass(frozen=True)
class RldsLayout:
    """convention: of the action numbers.   actions: joined in this order.   camera: below
    observation/.

    names: of the state's numbers, as `worldgym.actions.pose` calls them; () = not known.
    """

    convention: str
    actions: tuple[str, ...] = ("action",)
    camera: str = "image"
    names: tuple[str, ...] = ()


LAYOUTS: Mapping[str, RldsLayout] = {
    "fractal20220817_data": RldsLayout("rt_1", (_MOVE, _TURN, _CLOSED)),
    "bridge": RldsLayout("bridge_v2", (_MOVE, _TURN, _OPEN), names=_BRIDGE),
    "bridge_dataset": RldsLayout("bridge_v2", camera="image_0", names=_BRIDGE),
    "bridge_orig": RldsLayout("bridge_v2", camera="image_0", names=_BRIDGE),
    "taco_play": RldsLayout("taco_play", ("action/actions",), "rgb_static"),
    "jaco_play": RldsLayout("jaco_play", (_MOVE, _CLOSED)),
    "berkeley_cable_routing": RldsLayout("berkeley_cable_routing", (_MOVE, _TURN)),
    "roboturk": RldsLayout("roboturk", (_MOVE, _TURN, _CLOSED), "front_rgb"),
    "nyu_door_opening_surprising_effectiveness": RldsLayout(
        "nyu_door_opening", (_MOVE, _TURN, _CLOSED)
    ),
    "viola": RldsLayout("viola", (_MOVE, _TURN, _CLOSED), "agentview_rgb"),
    "berkeley_autolab_ur5": RldsLayout("berkeley_autolab_ur5", (_MOVE, _TURN, _CLOSED)),
    "toto": RldsLayout("toto", (_MOVE, _TURN, _OPEN)),
    "language_table": RldsLayout("language_table", camera="rgb"),
    "libero_10_no_noops": RldsLayout("libero", names=_LIBERO),
    "libero_goal_no_noops": RldsLayout("libero", names=_LIBERO),
    "libero_object_no_noops": RldsLayout("libero", names=_LIBERO),
    "libero_spatial_no_noops": RldsLayout("libero", names=_LIBERO),
}
