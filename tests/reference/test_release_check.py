"""The release check compares, refuses what cannot be compared, and runs from nothing at the
smallest size."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest

from worldgym.errors import InputError
from worldgym.io.bundled import BUNDLE
from worldgym.io.checkpoint import reconfigure
from worldgym.policies.own.bc import BCConfig
from worldgym.reference import policy_zoo as zoo
from worldgym.reference import release_check as release
from worldgym.reference.policy_zoo import SMALL, Maker, StorePart
from worldgym.reference.release_check import (
    NAME,
    TOLERANCES,
    Measure,
    ReleaseConfig,
    ReleaseFailed,
    compare_figures,
    release_check,
    require_release,
)
from worldgym.reference.scoring import Scope
from worldgym.train.optimizer import FitConfig
from worldgym.train.policy_training import PolicyTrainConfig

pytestmark = pytest.mark.skipif(not (BUNDLE / "world").exists(), reason="no bundle yet")


def config(root: Path, **changes: object) -> ReleaseConfig:
    made = ReleaseConfig(
        root / "data", root / "zoo", root / "out", bundle=root / "bundle", workers=1
    )
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.fixture
def root(unpacked_bundle: Path, tmp_path: Path) -> Path:
    """The bundle's world and judge, with released figures of their own."""
    for part in ("codec", "world", "judge"):
        copytree(unpacked_bundle / part, tmp_path / "bundle" / part)
    figures = {
        measure: {"value": 0.9, "tolerance": tolerance} for measure, tolerance in TOLERANCES.items()
    }
    parts = {part: release.fingerprint(tmp_path / "bundle" / part) for part in ("world", "judge")}
    (tmp_path / "bundle" / NAME).write_text(
        json.dumps({"seeds": 50, **parts, "policies": {}, "figures": figures})
    )
    return tmp_path


def test_tolerances_are_kept_on_both_sides() -> None:
    released = {
        "figures": {
            "pearson": {"value": 0.9, "tolerance": 0.05},
            "mmrv": {"value": None, "tolerance": 0.03},
        }
    }
    lines = compare_figures(released, {"pearson": 0.94, "mmrv": None, "rmse": 3.0})
    assert [line.measure for line in lines] == ["pearson", "mmrv"] and all(
        line.holds for line in lines
    )
    require_release(lines)
    for found in (0.84, 0.96, None):
        worse = compare_figures(released, {"pearson": found, "mmrv": None})
        assert not worse[0].holds
        with pytest.raises(ReleaseFailed, match=r"pearson was released as 0\.9 and is now"):
            require_release(worse)
    assert not Measure("mmrv", None, 0.0, 0.03).holds


def test_what_cannot_be_compared_is_refused_before_anything_is_scored(root: Path) -> None:
    with pytest.raises(InputError, match="50 start states per task, not 7"):
        release_check(config(root, seeds=7))
    for seeds in (-1, 10_000):
        with pytest.raises(InputError, match=f"so {seeds} of them cannot be scored"):
            release_check(config(root, seeds=seeds, write=True))
    reconfigure(root / "bundle" / "world", root / "bundle" / "world", {"sampler": {"steps": 9}})
    with pytest.raises(InputError, match="is for another world"):
        release_check(config(root))
    (root / "bundle" / NAME).unlink()
    with pytest.raises(InputError, match="no released figures yet"):
        release_check(config(root))
    assert not (root / "data").exists() and not (root / "out").exists()


def test_policies_that_are_not_of_the_set_are_not_scored(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("b", "a", "bc-of-mine"):
        copytree(BUNDLE / "policies" / "bc-few", root / "zoo" / name)
    made = [root / "zoo" / "b", root / "zoo" / "a"]
    scored = list[Scope]()

    def score(scope: Scope, *_: object) -> None:
        scored.append(scope)
        raise InterruptedError

    monkeypatch.setattr(release, "make_held_out_policies", lambda *_: made)
    monkeypatch.setattr(release, "score", score)
    with pytest.raises(InterruptedError):
        release_check(config(root))
    assert scored[0].policies == (str(root / "zoo" / "a"), str(root / "zoo" / "b"))
    assert len(scored[0].seeds) == 50


@pytest.mark.slow
@pytest.mark.reference
def test_from_nothing_to_released_figures_and_back(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tiny(make: Maker) -> list[PolicyTrainConfig]:
        made = [make(name, 2, BCConfig(chunk=8, hidden=16, trunk=SMALL)) for name in ("one", "two")]
        return [
            replace(made[0], save_at=(1, 2)),
            replace(made[1], fit=FitConfig(steps=1, batch=4, seed=3)),
        ]

    held_out = zoo.PolicySet(range(20_000, 20_001), tiny, 20)
    monkeypatch.setattr(zoo, "SETS", {**zoo.SETS, "held-out": held_out})
    monkeypatch.setattr(zoo, "RECORDINGS", (StorePart(0, 1, "varied"),))
    monkeypatch.setattr(release, "SEEDS", 1)
    (root / "bundle" / NAME).unlink()
    stored = release_check(config(root, write=True))
    again = release_check(config(root))
    assert (stored.policies, stored.same, again.same) == (3, 3, 3)
    assert [line.found for line in again.lines] == [line.released for line in again.lines]
    require_release(again.lines)
