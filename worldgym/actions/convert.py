"""Conversions between action conventions: each an explicit pair of names, and its inverse. Nothing
is composed or guessed. Every conversion is one affine map per number, out = scale * in + offset,
then clipped to the bounds of the target; what clipping takes away is measured (`Clipped`). Going
back, numbers that the source has no place for must hold their constant, or the call is refused:
nothing is dropped silently. Axes legend: T time, A numbers of the source, B numbers of the target.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worldgym.actions.conventions import convention
from worldgym.actions.pose import POSITION, metres
from worldgym.errors import InputError
from worldgym.types import Actions, ActionSpec

Numbers = npt.NDArray[np.float64]
CONSTANT = -1  # in `columns`: a number of the target that no number of the source feeds
ROUNDING = 1e-5  # by how much a constant may be off, in its own unit


@dataclass(frozen=True)
class Conversion:
    """out[b] = scale[b] * in[columns[b]] + offset[b]; a column of CONSTANT holds offset[b].

    rounded: the gripper of the source is rounded to 0 or 1 first, as the released converter does,
    and OpenVLA in LIBERO."""

    source: str
    target: str
    columns: tuple[int, ...]
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    rounded: bool = False

    def apply(self, actions: Actions) -> Numbers:
        """[T, A] in the source's convention => float64 [T, B] in the target's, beyond its bounds
        where the map leads there."""
        source = convention(self.source)
        values = _checked(actions, source, self.source).astype(np.float64)
        if self.rounded:
            gripper = source.names.index("gripper")
            values[:, gripper] = values[:, gripper].round()
        fed = np.array(self.columns) != CONSTANT
        numbers: Numbers = (
            np.where(fed, values[:, np.maximum(self.columns, 0)] * self.scale, 0.0) + self.offset
        )
        return numbers

    def invert(self, actions: Actions) -> Numbers:
        """[T, B] in the target's convention => float64 [T, A] in the source's, beyond its bounds
        where the map leads there.

        InputError where a number that the source cannot express is not at its constant.
        """
        source, target = convention(self.source), convention(self.target)
        values = _checked(actions, target, self.target).astype(np.float64)
        out = np.zeros((len(values), source.size))
        for b, a in enumerate(self.columns):
            if a != CONSTANT:
                out[:, a] = (values[:, b] - self.offset[b]) / self.scale[b]
            elif len(values) and np.abs(values[:, b] - self.offset[b]).max() > ROUNDING:
                raise InputError(
                    f'"{self.target}" actions use {target.names[b]}, which "{self.source}" cannot '
                    f"express; "
                    f"set it to {self.offset[b]:g} first or keep the convention"
                )
        return out


@dataclass(frozen=True)
class Clipped:
    """actions: float32 [T, B], within the bounds of `spec`.   lost: float64 [T, B], how far beyond
    them each number lay."""

    actions: Actions
    lost: Numbers
    spec: ActionSpec

    @property
    def touched(self) -> npt.NDArray[np.bool_]:
        """[T, B]: the numbers that were clipped by more than rounding."""
        touched: npt.NDArray[np.bool_] = self.lost > ROUNDING
        return touched

    @property
    def metres(self) -> float | None:
        """Motion that was taken away, the sum over all actions; None where the unit is not metres
        or actions are no moves."""
        unit = metres(self.spec)
        if unit is None or self.spec.mode != "delta_pose":
            return None
        columns = [i for i, name in enumerate(self.spec.names) if name in POSITION]
        return float(np.linalg.norm(self.lost[:, columns] * unit, axis=1).sum())


def convert_actions(actions: Actions, source: str, target: str) -> Actions:
    """Actions [T, A] from one named convention to another, clipped to its bounds: the actions of
    `convert_and_measure`."""
    return convert_and_measure(actions, source, target).actions


def convert_and_measure(actions: Actions, source: str, target: str) -> Clipped:
    """Actions [T, A] from one named convention to another. InputError where no pair is stated or
    the shape is wrong."""
    spec = convention(target)
    if convention(source) == spec:
        kept = _checked(actions, spec, source)
        return Clipped(kept, np.zeros(kept.shape), spec)
    if (source, target) in CONVERSIONS:
        free = CONVERSIONS[source, target].apply(actions)
    elif (target, source) in CONVERSIONS:
        free = CONVERSIONS[target, source].invert(actions)
    else:
        raise _no_pair(source, target)
    within = np.clip(free, spec.low, spec.high)
    return Clipped(within.astype(np.float32), np.abs(free - within), spec)


def conversion_in_words(source: str, target: str) -> str:
    """What a conversion does, for the log: units, gripper, and numbers that only one side has."""
    mine, theirs = convention(source), convention(target)
    said = [
        f"{what} {getattr(mine, what)} => {getattr(theirs, what)}"
        for what in ("unit", "rotation", "gripper")
        if getattr(mine, what) != getattr(theirs, what)
    ]
    if left_out := [name for name in mine.names if name not in theirs.names]:
        said.append(f"{', '.join(left_out)} left out: another value than at rest fails the trial")
    if added := [name for name in theirs.names if name not in mine.names]:
        said.append(f"{', '.join(added)} kept at rest")
    return f"{source} told as {target}: {'; '.join(said) or 'the same numbers'}"


def _no_pair(source: str, target: str) -> InputError:
    known = sorted(
        {b for a, b in CONVERSIONS if a == source} | {a for a, b in CONVERSIONS if b == source}
    )
    return InputError(
        f'no conversion from "{source}" to "{target}"; from "{source}" there is '
        f"{', '.join(known) or 'none'}"
    )


def _checked(actions: Actions, spec: ActionSpec, name: str) -> Actions:
    if actions.ndim != 2 or actions.shape[1] != spec.size:
        raise InputError(
            f'actions of shape {actions.shape} are not "{name}", which has {spec.size} numbers; '
            f"name another convention"
        )
    return actions


def _released(
    source: str,
    move: float,
    turn: float,
    gripper: tuple[float, float] = (1.0, 0.0),
    shift: tuple[float, ...] = (0.0,) * 3,
) -> Conversion:
    """A pair of the released converter: xyz * move + shift, rotation * turn, gripper * scale +
    offset, base at rest."""
    names = convention(source).names
    scales = dict(
        zip(convention("released_10").names, (*(move,) * 3, *(turn,) * 3, gripper[0]), strict=False)
    )
    offsets = {
        "x": shift[0],
        "y": shift[1],
        "z": shift[2],
        "gripper": gripper[1] if "gripper" in names else 0.0,
    }
    target = convention("released_10").names
    return Conversion(
        source,
        "released_10",
        tuple(names.index(name) if name in names else CONSTANT for name in target),
        tuple(scales.get(name, 1.0) for name in target),
        tuple(offsets.get(name, 0.0) for name in target),
        rounded=source == "bridge_v2",
    )


JACO_MEAN = (0.00096585, -0.00580069, -0.00395066)
JACO_STD = (0.12234575, 0.09676983, 0.11155209)


def _jaco() -> Conversion:
    """Jaco Play is standardised a number: (x - mean) / std."""
    plain = _released(
        "jaco_play", 1.0, 1.0, shift=tuple(-m / s for m, s in zip(JACO_MEAN, JACO_STD, strict=True))
    )
    scale = (*(1.0 / s for s in JACO_STD), *plain.scale[3:])
    return Conversion(plain.source, plain.target, plain.columns, scale, plain.offset)


_ARM = tuple(range(7))
_METRES = (1.0,) * 6

_PAIRS = (
    # 0.05 m => 1.75, 0.25 rad => 1.4; 1 open => -1, 0 closed => +1
    _released("bridge_v2", 35.0, 5.6, (-2.0, 1.0)),
    _released("rt_1", 1.0, 1.0),
    # the gripper's sign is passed on as it is, though TACO's +1 opens
    _released("taco_play", 35.0, 5.6),
    _jaco(),
    _released("berkeley_cable_routing", 1.0, 1.0),
    _released("roboturk", 1.0, 1.0),
    _released("nyu_door_opening", 20.0, 15.0),
    _released("viola", 1.75, 3.0),
    _released("berkeley_autolab_ur5", 100.0, 15.0),
    _released("toto", 2.0, 1.0),  # the flag "open" is passed on as closedness, as it is
    _released("libero", 1.75, 3.5),
    Conversion(
        "metaworld",
        "bridge_v2",
        (0, 1, 2, CONSTANT, CONSTANT, CONSTANT, 3),
        (*(0.04,) * 3, *(1.0,) * 3, -0.5),
        (*(0.0,) * 6, 0.5),
    ),
    Conversion(
        "libero_openvla", "libero", _ARM, (*_METRES, -2.0), (*(0.0,) * 6, 1.0), rounded=True
    ),
    Conversion("droid_delta", "bridge_v2", _ARM, (*_METRES, -1.0), (*(0.0,) * 6, 1.0)),
)
CONVERSIONS = {(pair.source, pair.target): pair for pair in _PAIRS}
