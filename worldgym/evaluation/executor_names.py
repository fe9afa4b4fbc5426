"""Executors by the words of `--on`."""

from __future__ import annotations

from worldgym.errors import InputError, at_least
from worldgym.evaluation.executor import Executor, LocalExecutor
from worldgym.evaluation.process_workers import ProcessExecutor
from worldgym.evaluation.ray_workers import RayExecutor


def no_budget_elsewhere(on: str, budget: float | None) -> None:
    """InputError where workers would each count the money of a judge."""
    if on != "local" and budget is not None:
        raise InputError("--budget is counted in one process: remove it, or remove --on")


def executor_named(on: str, workers: int = 0, gpus: float = 0.0) -> Executor:
    """on: "local", "processes", "ray" ($RAY_ADDRESS, else a cluster of this machine),
    "ray://HOST:PORT" (Ray Client) or "ray:ADDRESS" (from a machine of the cluster, e.g. ray:auto).

    workers: 0 = as many as there is room for.   gpus: that a Ray worker takes. InputError for other
    words."""
    at_least("--workers", workers)
    if on == "local":
        return LocalExecutor()
    if on == "processes":
        return ProcessExecutor(workers)
    if on == "ray" or on.startswith("ray:"):
        address = None if on == "ray" else on if on.startswith("ray://") else on[len("ray:") :]
        return RayExecutor(address, workers, gpus=gpus)
    raise InputError(f"--on is {on}: give local, processes, ray, ray:ADDRESS or ray://HOST:PORT")
