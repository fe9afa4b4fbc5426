"""What the checks of several seams share: a rule that is broken, and specs, shapes and types that
are as promised."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from worldgym.actions.sound_spec import fault_of_spec
from worldgym.io.user_code import Failure, attempt
from worldgym.types import ActionSpec

if TYPE_CHECKING:
    from torch import Tensor

Shape = tuple[int, int, int]

SEEDS = (0, 7, 2**63 - 1)  # the ends of the range of Trial.seed, and one between

FAKE_SPEC = ActionSpec(
    names=("x", "y", "gripper"),
    mode="delta_pose",
    unit="0.01 m an action",
    rotation="none",
    gripper="+1_closed",
    low=(-1.0, -1.0, -1.0),
    high=(1.0, 1.0, 1.0),
    rate_hz=5.0,
)


def require(held: bool, who: str, complaint: str) -> None:
    if not held:
        raise AssertionError(f"{who}: {complaint}")


def check_spec(who: str, spec: ActionSpec) -> None:
    fault = fault_of_spec(spec)
    require(fault is None, who, str(fault))


def check_form(
    who: str, what: str, value: npt.NDArray[Any] | Tensor, shape: tuple[int, ...], dtype: Any
) -> None:
    if not hasattr(value, "shape") or not hasattr(value, "dtype"):
        kind = "nothing" if value is None else f"a {type(value).__name__}"
        require(False, who, f"{what} returned {kind}, not {dtype} {shape}")
    right = tuple(value.shape) == shape and value.dtype == dtype
    require(right, who, f"{what} returned {value.dtype} {tuple(value.shape)}, not {dtype} {shape}")


def complaint_of(check: Callable[[], None]) -> str | None:
    """The sentence of the AssertionError that a check raises, or of whatever breaks; None where it
    passes."""

    def run() -> str | None:
        try:
            check()
        except AssertionError as broken:
            return str(broken)
        return None

    said = attempt(run)
    return said.reason if isinstance(said, Failure) else said
