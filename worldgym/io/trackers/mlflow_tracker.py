"""Numbers for MLflow. The server is that of $MLFLOW_TRACKING_URI."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

ODD = re.compile(r"[^A-Za-z0-9_\-. /]")  # not allowed in its names


class MlflowTracker:
    def __init__(self, mlflow: Any) -> None:
        self._mlflow = mlflow

    def log(self, values: Mapping[str, float], step: int) -> None:
        named = {ODD.sub("_", name): float(value) for name, value in values.items()}
        self._mlflow.log_metrics(named, step=step)

    def close(self) -> None:
        self._mlflow.end_run()

    @staticmethod
    def started(experiment: str) -> MlflowTracker:
        import mlflow

        mlflow.set_experiment(experiment)
        mlflow.start_run()
        return MlflowTracker(mlflow)
