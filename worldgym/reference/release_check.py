"""The release check: the bundled world scored again on the held-out policies and seeds, against the
figures it was released with.

BUNDLE/release.json     seeds; fingerprints of world, judge and every policy; figures: {measure:
                        {value, tolerance}}

The held-out policies are not bundled (about 9 MiB): they are trained again from the recipes in
policy_zoo.py, on recordings made again from their seeds. Weights then differ in the last bits on
another machine, so figures are compared within tolerances, which are what retraining and 50 start
states per cell may change; how many policies are identical to the release's is printed with
them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worldgym.errors import InputError, WorldGymError
from worldgym.io.bundled import BUNDLE
from worldgym.io.checkpoint import fingerprint, read_config
from worldgym.io.files import read_json, write_json
from worldgym.io.json_form import to_json
from worldgym.reference.scoring import Instrument, Scope, ScoredRun, score, start_states
from worldgym.reference.zoo_training import train_policies

SET = "held-out"
SEEDS = 50  # start states per task
NAME = "release.json"
TOLERANCES: Mapping[str, float] = {
    "pearson": 0.05,
    "policy_centred_pearson": 0.10,
    "mean_abs_gap": 3.0,  # points
    "mmrv": 0.03,
    "trial_agreement": 0.03,
}


class ReleaseFailed(WorldGymError):
    """The bundled world does not reproduce the figures that it was released with."""


@dataclass(frozen=True)
class ReleaseConfig:
    """data: recordings, made where they are missing.   policies: folder of trained held-out
    policies, trained where missing.

    seeds: start states per task, 0 = as many as at the release.   write: store the figures found,
    instead of comparing with them."""

    data: Path
    policies: Path
    out: Path
    bundle: Path = BUNDLE
    seeds: int = 0
    write: bool = False
    workers: int = 0


@dataclass(frozen=True)
class Measure:
    """One measure: as released, as found now, and how far the two may lie apart. None = not
    defined."""

    measure: str
    released: float | None
    found: float | None
    tolerance: float

    @property
    def holds(self) -> bool:
        if self.released is None or self.found is None:
            return self.released is self.found
        return abs(self.found - self.released) <= self.tolerance


@dataclass(frozen=True)
class ReleaseCheck:
    """policies: scored.   same: those of them that are, by fingerprint, identical to those of the
    release."""

    lines: tuple[Measure, ...]
    policies: int
    same: int


def release_check(config: ReleaseConfig) -> ReleaseCheck:
    """Makes what is missing, scores the policies of the set, whatever else lies beside them, and
    compares. InputError where no figures were stored for this world, judge and number of seeds, or
    the set has fewer; it is raised before anything is made."""
    path = config.bundle / NAME
    released = None if config.write else _released(path, config)
    seeds = config.seeds or (SEEDS if released is None else int(released["seeds"]))
    states = start_states(SET, seeds)
    made = make_held_out_policies(config.data, config.policies, config.workers)
    scope = Scope(SET, tuple(sorted(map(str, made))), states)
    run = score(scope, _instrument(config.bundle), config.out, config.workers)
    if released is None:
        released = as_released(run, seeds, config.bundle, scope.policies)
        write_json(path, released)
    own = fingerprints(scope.policies)
    return ReleaseCheck(
        compare_figures(released, to_json(run.agreement)),
        len(own),
        len(own.items() & released["policies"].items()),
    )


def compare_figures(released: Mapping[str, Any], found: Mapping[str, Any]) -> tuple[Measure, ...]:
    """A line for every measure that was released."""
    figures: Mapping[str, Mapping[str, float]] = released["figures"]
    return tuple(
        Measure(measure, figure["value"], found[measure], figure["tolerance"])
        for measure, figure in figures.items()
    )


def fingerprints(policies: Sequence[str]) -> dict[str, str]:
    """{name: fingerprint} of checkpoints."""
    return {
        str(read_config(Path(folder))["name"]): fingerprint(Path(folder)) for folder in policies
    }


def require_release(lines: Sequence[Measure]) -> None:
    """ReleaseFailed naming the first measure outside its tolerance."""
    if wrong := next((line for line in lines if not line.holds), None):
        raise ReleaseFailed(
            f"{wrong.measure} was released as {wrong.released} and is now {wrong.found}, more than "
            f"{wrong.tolerance} apart; look "
            f"at the run's report, and write new figures only for a new world"
        )


def as_released(
    run: ScoredRun, seeds: int, bundle: Path, policies: Sequence[str]
) -> dict[str, Any]:
    """The content of release.json."""
    instrument = _instrument(bundle)
    found = to_json(run.agreement)
    return {
        "seeds": seeds,
        "world": fingerprint(instrument.world),
        "judge": fingerprint(instrument.judge),
        "policies": fingerprints(policies),
        "figures": {
            measure: {"value": found[measure], "tolerance": tolerance}
            for measure, tolerance in TOLERANCES.items()
        },
    }


def make_held_out_policies(data: Path, out: Path, workers: int = 0) -> list[Path]:
    """Records what the recipes learn from, and trains, both where they are missing: 40 minutes on
    two cores from nothing."""
    from worldgym.reference.policy_zoo import RECORDINGS
    from worldgym.reference.record import RecordConfig, record

    for recording in RECORDINGS:
        record(
            RecordConfig(
                data, recording.episodes, recording.first_seed, mix=recording.mix, workers=workers
            )
        )
    return train_policies(data, out, SET)


def _instrument(bundle: Path) -> Instrument:
    return Instrument(bundle / "world", bundle / "judge")


def _released(path: Path, config: ReleaseConfig) -> dict[str, Any]:
    if not path.exists():
        raise InputError(
            f"{path}: this bundle has no released figures yet; a maintainer stores them with "
            f"--write"
        )
    released = read_json(path, "a released bundle")
    instrument = _instrument(config.bundle)
    for part, folder in (("world", instrument.world), ("judge", instrument.judge)):
        if released[part] != fingerprint(folder):
            raise InputError(
                f"{path} is for another {part}, {released[part]}, than {folder} holds; store its "
                f"figures with --write"
            )
    if config.seeds not in (0, released["seeds"]):
        raise InputError(
            f"{path} was made with {released['seeds']} start states per task, not {config.seeds}; "
            f"leave --seeds out"
        )
    return released
