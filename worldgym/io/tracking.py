"""Sends numbers of a training or an evaluation to trackers: TensorBoard, Weights & Biases, MLflow,
trackio. A tracker implements `Tracker`; if it fails, the run continues. It gets numbers and their
names, but neither options nor keys: its own library finds those."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Protocol

from worldgym.errors import InputError, did_you_mean
from worldgym.io.user_code import Failure, attempt

KINDS = {  # package => what stands behind the colon, and the class
    "tensorboard": ("DIR", "TensorBoardTracker"),
    "wandb": ("PROJECT", "WandbTracker"),
    "mlflow": ("EXPERIMENT", "MlflowTracker"),
    "trackio": ("PROJECT", "TrackioTracker"),
}


class Tracker(Protocol):
    def log(self, values: Mapping[str, float], step: int) -> None:
        """Finite numbers by name ("train/loss"), at a step that never falls for one name."""
        ...

    def close(self) -> None: ...


class Trackers:
    """As a context: several trackers. One that raises gives one message, and is not used again."""

    def __init__(self, trackers: Mapping[str, Tracker]) -> None:
        """By the names that they were asked for."""
        self._trackers = dict(trackers)

    @staticmethod
    def named(names: Sequence[str]) -> Trackers:
        """ "tensorboard:DIR", "wandb:PROJECT", ... InputError for another kind, and where
        its package is not installed."""
        check_trackers(names)
        made = Trackers({})
        for name in names:
            kind, _, place = name.partition(":")
            home = import_module(f"worldgym.io.trackers.{kind}_tracker")
            start: Callable[[str], Tracker] = getattr(home, KINDS[kind][1]).started
            tracker = made._try(name, partial(start, place))
            if tracker is not None:
                made._trackers[name] = tracker
        return made

    def __enter__(self) -> Trackers:
        return self

    def __exit__(self, *_: object) -> None:
        for name, tracker in list(self._trackers.items()):
            self._try(name, tracker.close)

    def log(self, values: Mapping[str, float], step: int) -> None:
        for name, tracker in list(self._trackers.items()):
            self._try(name, partial(tracker.log, values, step))

    def _try(self, name: str, call: Callable[[], Tracker | None]) -> Tracker | None:
        done = attempt(call)
        if not isinstance(done, Failure):
            return done
        self._trackers.pop(name, None)
        print(
            f"worldgym: {name} gets no more numbers ({done.first_line}); everything else continues",
            file=sys.stderr,
            flush=True,
        )
        return None


def check_trackers(names: Sequence[str]) -> None:
    """InputError as of `Trackers.named`; opens nothing."""
    for name in names:
        kind, _, place = name.partition(":")
        if kind not in KINDS or not place:
            known = ", ".join(f"{kind}:{place}" for kind, (place, _) in KINDS.items())
            raise InputError(f'no tracker "{name}"{did_you_mean(kind, KINDS)}: one of {known}')
        try:
            import_module(kind)
        except ImportError as error:
            raise InputError(
                f'the tracker "{name}" needs the package "{kind}": install it with  pip install '
                f"{kind}"
            ) from error
