"""The bundled demo: codec, world, judge, policies, initial frames and the simulator's true results,
in one folder.

BUNDLE/codec, world, judge     checkpoints
BUNDLE/policies/NAME           checkpoints
BUNDLE/tasks                   initial frames of held-out seeds, truth.csv and videos/ of the
                               simulator

Needs neither the simulator nor a network.
"""

from __future__ import annotations

from pathlib import Path

from worldgym.errors import CheckpointError
from worldgym.evaluation.load_parts import Sources
from worldgym.evaluation.plan import EvaluateConfig
from worldgym.evaluation.run import run_sources
from worldgym.io.bundled import BUNDLE
from worldgym.stats.summary import Summary
from worldgym.tasks.task_folder import load_tasks

QUICK_TRIALS = 2  # a task; the full set takes ten times longer


def bundled_sources(bundle: Path = BUNDLE) -> Sources:
    """CheckpointError if the bundle is not part of this installation."""
    policies = sorted(str(folder) for folder in (bundle / "policies").glob("*/"))
    if not policies:
        raise CheckpointError(
            f"{bundle}: the bundled world is missing from this installation; install from the full "
            f"repository"
        )
    return Sources(bundle / "world", tuple(policies), bundle / "tasks", bundle / "judge")


def run_demo(out: Path, trials: int, full: bool, seed: int, command: str) -> Summary:
    """Evaluates every bundled policy; `trials` a task (0: 2, or every initial frame if `full`) =>
    summary."""
    sources = bundled_sources()
    if not trials:
        groups = [task.group for task in load_tasks(BUNDLE / "tasks")]
        trials = max(map(groups.count, set(groups))) if full else QUICK_TRIALS
    return run_sources(sources, EvaluateConfig(out, trials, seed, command=command)).ended()
