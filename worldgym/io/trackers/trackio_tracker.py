"""Numbers for trackio, which keeps them on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class TrackioTracker:
    def __init__(self, trackio: Any) -> None:
        self._trackio = trackio

    def log(self, values: Mapping[str, float], step: int) -> None:
        self._trackio.log(dict(values), step=step)

    def close(self) -> None:
        self._trackio.finish()

    @staticmethod
    def started(project: str) -> TrackioTracker:
        import trackio

        trackio.init(project=project)
        return TrackioTracker(trackio)
