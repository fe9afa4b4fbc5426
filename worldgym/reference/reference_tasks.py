"""The tasks of the reference world: Meta-World environments, each with a written instruction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from worldgym.actions.conventions import convention
from worldgym.actions.embodiment import Reach, Side
from worldgym.errors import pick

SIZE = 96  # pixels, both ways
FRAME_SKIP = 4  # simulator steps an action is held: 80 Hz / 4 = 20 frames per second
FPS = 20.0
STEPS = 40  # actions per episode
FIRST_HELD_OUT_SEED = (
    10_000  # training data come from seeds below, every evaluation from this seed on
)

METAWORLD_SPEC = convention("metaworld")
FREE = 1000.0  # moves: a bound that nothing reaches


def _box(back: float, down: float) -> tuple[Side, Side]:
    """Of a hand that begins `back` metres from the near border of its workspace and `down` metres
    above the lower one."""
    low, high = (-0.5, -back, -down), (0.5, 0.6 - back, 0.3)
    return (*(side / 0.04 for side in low), -FREE), (*(side / 0.04 for side in high), FREE)


# hands begin 0.6 or 0.4 m away; faucets stand lower
REACH = Reach((_box(0.2, 0.15), _box(0.0, 0.15), _box(0.0, 0.35)))
"""Where Meta-World's controller keeps its target: `mocap_low` and `mocap_high` of the environments,
0.04 m a move."""


@dataclass(frozen=True)
class ReferenceTask:
    """`name` is ours and the key of results; `env` and `expert` are Meta-World's names."""

    name: str
    env: str
    expert: str
    instruction: str
    partial_credit: str


_TABLE = (
    # name, Meta-World's environment, its expert, instruction, partial credit
    (
        "drawer-open",
        "drawer-open-v3",
        "SawyerDrawerOpenV3Policy",
        "open the drawer",
        "the drawer is partly open",
    ),
    (
        "drawer-close",
        "drawer-close-v3",
        "SawyerDrawerCloseV3Policy",
        "close the drawer",
        "the drawer is partly closed",
    ),
    (
        "button-press",
        "button-press-topdown-v3",
        "SawyerButtonPressTopdownV3Policy",
        "press the button from above",
        "the button is touched",
    ),
    (
        "door-open",
        "door-open-v3",
        "SawyerDoorOpenV3Policy",
        "open the door",
        "the door is partly open",
    ),
    (
        "window-open",
        "window-open-v3",
        "SawyerWindowOpenV3Policy",
        "open the window",
        "the window is partly open",
    ),
    (
        "window-close",
        "window-close-v3",
        "SawyerWindowCloseV3Policy",
        "close the window",
        "the window is partly closed",
    ),
    # chosen in docs/decisions/0010
    (
        "faucet-open",
        "faucet-open-v3",
        "SawyerFaucetOpenV3Policy",
        "open the faucet",
        "the faucet's handle is partly turned",
    ),
    (
        "faucet-close",
        "faucet-close-v3",
        "SawyerFaucetCloseV3Policy",
        "close the faucet",
        "the faucet's handle is partly turned",
    ),
    (
        "handle-press",
        "handle-press-v3",
        "SawyerHandlePressV3Policy",
        "press the handle down",
        "the handle is partly down",
    ),
    (
        "handle-press-side",
        "handle-press-side-v3",
        "SawyerHandlePressSideV3Policy",
        "press the handle on the left down",
        "the handle is partly down",
    ),
)
TASKS: dict[str, ReferenceTask] = {row[0]: ReferenceTask(*row) for row in _TABLE}
"""Those that the bundled world knows: the default of every command. Their order is part of every
recording's seed."""


def check_tasks(names: Iterable[str]) -> None:
    """InputError for a name that is none of TASKS."""
    for name in names:
        pick("task", name, TASKS)
