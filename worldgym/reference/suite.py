"""The tasks of the reference world: Meta-World environments with a written instruction each."""

from __future__ import annotations

from dataclasses import dataclass

from worldgym.actions.conventions import convention

SIZE = 96  # pixels, both ways
FRAME_SKIP = 4  # simulator steps an action is held: 80 Hz / 4 = 20 frames a second
FPS = 20.0
STEPS = 40  # actions an episode
FIRST_HELD_OUT_SEED = 10_000  # training data come from seeds below, every evaluation from this seed on

METAWORLD_SPEC = convention("metaworld")


@dataclass(frozen=True)
class ReferenceTask:
    """`name` is ours and the key of results; `env` and `expert` are Meta-World's names."""

    name: str
    env: str
    expert: str
    instruction: str
    partial_credit: str


_ROWS = (
    # name, Meta-World's environment, its expert, instruction, partial credit
    ("drawer-open", "drawer-open-v3", "SawyerDrawerOpenV3Policy", "open the drawer", "the drawer is partly open"),
    ("drawer-close", "drawer-close-v3", "SawyerDrawerCloseV3Policy", "close the drawer", "the drawer is partly closed"),
    (
        "button-press",
        "button-press-topdown-v3",
        "SawyerButtonPressTopdownV3Policy",
        "press the button from above",
        "the button is touched",
    ),
    ("door-open", "door-open-v3", "SawyerDoorOpenV3Policy", "open the door", "the door is partly open"),
    ("window-open", "window-open-v3", "SawyerWindowOpenV3Policy", "open the window", "the window is partly open"),
    ("window-close", "window-close-v3", "SawyerWindowCloseV3Policy", "close the window", "the window is partly closed"),
)
TASKS: dict[str, ReferenceTask] = {row[0]: ReferenceTask(*row) for row in _ROWS}
