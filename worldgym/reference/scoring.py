"""Policies of the zoo in a learned world and in the simulator, from the same start states: the
basis of every published figure.

OUT/truth/SCOPE-KEY     results and initial frames of the simulator (simulator_truth.py)
OUT/runs/SCOPE-KEY      the run in the world

Everything resumes: what is scored already is not scored again. Keys are made of all that a result
depends on, the fingerprints of policies, world and judge included, so another world starts another
run.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from worldgym.errors import InputError
from worldgym.evaluation.load_parts import Sources
from worldgym.evaluation.plan import EvaluateConfig
from worldgym.evaluation.run import run_sources
from worldgym.io.checkpoint import MANIFEST, fingerprint
from worldgym.io.run_log import LOG_NAME, read_log
from worldgym.io.run_records import TrialRecord, results
from worldgym.reference.policy_zoo import policy_set
from worldgym.reference.reference_tasks import STEPS, TASKS
from worldgym.stats.against_truth import TruthAgreement
from worldgym.stats.summary import Summary


@dataclass(frozen=True)
class Scope:
    """Which policies (folders) are scored on which start states. `name`: begins the names of its
    folders."""

    name: str
    policies: tuple[str, ...]
    seeds: tuple[int, ...]
    tasks: tuple[str, ...] = tuple(TASKS)
    steps: int = STEPS


@dataclass(frozen=True)
class Instrument:
    """What is scored with, as folders of checkpoints."""

    world: Path
    judge: Path

    @property
    def label(self) -> str:
        return f"{fingerprint(self.world)}-{fingerprint(self.judge)}"


@dataclass(frozen=True)
class ScoredRun:
    """A finished run."""

    folder: Path
    summary: Summary

    @property
    def agreement(self) -> TruthAgreement:
        return self.summary.agreement

    def trials(self) -> list[TrialRecord]:
        """The last finished attempt of every trial."""
        return list(results(read_log(self.folder / LOG_NAME)[1]).finished)


def trained_policies(folder: Path) -> tuple[str, ...]:
    """Checkpoints in a folder, by name. InputError where there is none."""
    found = sorted(str(manifest.parent) for manifest in folder.glob(f"*/{MANIFEST}"))
    if not found:
        raise InputError(
            f"{folder}: holds no policy; train some with `worldgym reference train-policies --out "
            f"{folder}`"
        )
    return tuple(found)


def set_scope(name: str, folder: Path, seeds: int = 0) -> Scope:
    """The policies in `folder` on the first `seeds` start states of a set of the zoo; 0 = all of
    them."""
    states = start_states(name, seeds)
    return Scope(name, trained_policies(folder), states)


def start_states(name: str, seeds: int = 0) -> tuple[int, ...]:
    """The first `seeds` of a set of the zoo; 0 = all of them. InputError where it has fewer."""
    states = policy_set(name).seeds
    if not 0 <= seeds <= len(states) or not states:
        raise InputError(
            f"the set {name} has {len(states)} start states per task, so {seeds or 'all'} of them "
            f"cannot be scored"
        )
    return tuple(states[: seeds or len(states)])


def true_results(scope: Scope, out: Path, workers: int = 0) -> Path:
    """Scores what is missing in the simulator. => the folder with truth.csv and tasks/."""
    from worldgym.reference.simulator_truth import TruthConfig, truth, write_tasks

    folder = out / "truth" / f"{scope.name}-{_key(scope.tasks, scope.steps)}"
    truth(
        TruthConfig(folder, scope.policies, scope.seeds, scope.tasks, scope.steps, workers=workers)
    )
    if not all(
        (folder / "tasks" / task / f"{seed}.png").exists()
        for task in scope.tasks
        for seed in scope.seeds
    ):
        write_tasks(folder / "tasks", scope.seeds, scope.tasks, steps=scope.steps)
    return folder


def score(scope: Scope, instrument: Instrument, out: Path, workers: int = 0) -> ScoredRun:
    """Truth first, then the run in the world."""
    truth = true_results(scope, out, workers)
    weights = [fingerprint(Path(policy)) for policy in scope.policies]
    folder = (
        out
        / "runs"
        / f"{scope.name}-{_key(scope.tasks, scope.steps, scope.seeds, weights, instrument.label)}"
    )
    sources = Sources(instrument.world, scope.policies, truth / "tasks", instrument.judge)
    return ScoredRun(
        folder, run_sources(sources, EvaluateConfig(folder, len(scope.seeds), truth=truth)).ended()
    )


def _key(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]
