"""The figures that read one run, on a run whose numbers are known; and some at the smallest size,
in world and simulator."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from experiments import (
    a_agreement,
    b_ranking,
    c_training_steps,
    d_horizon,
    g_errors,
    h_sampler,
    k_prediction,
    l_cost,
    m_loops,
)
from experiments.frame import Finding, Setup
from worldgym.errors import InputError
from worldgym.io.bundled import BUNDLE
from worldgym.policies.own.bc import BCConfig, BCNet, BCPolicy
from worldgym.reference.policy_zoo import SMALL
from worldgym.reference.reference_tasks import METAWORLD_SPEC
from worldgym.reference.scoring import ScoredRun

SCRIPTS = sorted(path.stem for path in Path(a_agreement.__file__).parent.glob("[a-z]_*.py"))


def test_there_is_a_script_for_every_figure_and_its_time_is_told(repository: Path) -> None:
    assert [name[0] for name in SCRIPTS] == list("abcdefghijklm")
    readme = (repository / "experiments" / "README.md").read_text()
    for name in SCRIPTS:
        module = importlib.import_module(f"experiments.{name}")
        assert (
            f"| `{name}` |" in readme
            and module.__doc__
            and module.__doc__.startswith(f"({name[0]}) ")
        )
        assert "minutes" in module.__doc__ or "run of (a)" in module.__doc__


def test_agreement(known_run: ScoredRun) -> None:
    found = a_agreement.finding(known_run, "here")
    assert (
        len(found.rows) == 16
        and "16 cells" in found.result
        and "a perfect evaluator" in found.result
    )
    assert len(found.chart.series) == 8 and found.chart.diagonal


def test_ranking_counts_pairs_within_families(known_run: ScoredRun) -> None:
    rows = {(row["a"], row["b"]): row["right"] for row in b_ranking.finding(known_run, "here").rows}
    assert len(rows) == 3 + 1 + 3 + 1  # sizes, data20 and full, three steps, chunk1 and full
    assert rows["small", "full"] and rows["series@75", "series@300"]


def test_training_steps_are_in_order(known_run: ScoredRun) -> None:
    found = c_training_steps.finding(known_run, "here")
    assert [row["step"] for row in found.rows] == [75, 300, 1200]
    assert "2 of 2 changes in the true direction" in found.result
    world, truth = found.chart.series
    assert [point.y for point in truth.points] == [0.1, 0.5, 0.8] and len(world.points) == 3


def test_a_run_without_a_series_is_named(known_run: ScoredRun) -> None:
    policies = tuple(p for p in known_run.summary.policies if "@" not in p.policy)
    bare = replace(known_run.summary, policies=policies)
    with pytest.raises(InputError, match="no series of training steps"):
        c_training_steps.finding(ScoredRun(known_run.folder, bare), "here")


def test_errors_are_split_into_judge_world_and_loop(known_run: ScoredRun) -> None:
    replay = {"tasks": {"door-open": {"recorded_agreement": 0.98, "judged_agreement": 0.94}}}
    (row,) = g_errors.finding(replay, known_run, "here").rows
    assert (row["judge"], row["replay"], row["closed"]) == pytest.approx((0.02, 0.06, 0.1))


def test_crossed_loops_tell_a_wrong_world_from_a_policy_that_acts_otherwise() -> None:
    ends = [
        (True, True, False, False),
        (True, True, False, False),
        (True, False, True, False),
        (False, False, False, False),
    ]
    *_, row = m_loops.finding([m_loops.Loops("door-open", *end) for end in ends], "here").rows
    assert (
        row["world"],
        row["world_in_simulator"],
        row["simulator_in_world"],
        row["simulator"],
    ) == (0.75, 0.5, 0.25, 0.0)
    assert (row["wrong_own"], row["wrong_simulator"], row["otherwise"]) == (0.25, 0.25, 0.5)


def test_real_trials_are_saved_by_a_world_that_is_mostly_right(known_run: ScoredRun) -> None:
    rows = k_prediction.finding(known_run, "here", draws=2).rows
    assert {row["n"] for row in rows} == {
        20,
        40,
    }  # of 80 trials a policy, none is left to be generated alone
    assert all(
        0.0 <= float(row["saved"]) < 1.0 and 0.0 <= float(row["covered"]) <= 1.0 for row in rows
    )
    saved = {
        within: [float(row["saved"]) for row in rows if row["within"] is within]
        for within in (False, True)
    }
    assert len(saved[False]) == len(saved[True]) and sum(saved[False]) / len(saved[False]) > 0.1


def test_cost_adds_up(known_run: ScoredRun) -> None:
    found = l_cost.finding(known_run, "here")
    assert {row["part"]: row["seconds"] for row in found.rows} == {
        "world": 1.5,
        "policy": 0.5,
        "judge": 0.25,
        "rollout in all": 2.0,
    }
    assert f"640 trials in {640 * 2.25 / 60:.0f} minutes" in found.result


def random_policy(folder: Path, name: str, chunk: int) -> None:
    """A network that was never trained."""
    torch.manual_seed(chunk)
    BCPolicy(BCNet(BCConfig(chunk=chunk, hidden=16, trunk=SMALL)), METAWORLD_SPEC, name).save(
        folder / name, {}, f"# {name}\n"
    )


@pytest.mark.slow
@pytest.mark.reference
@pytest.mark.skipif(not (BUNDLE / "world").exists(), reason="no bundle yet")
def test_figures_at_the_smallest_size(tmp_path: Path) -> None:
    for name, chunk in (("full", 4), ("small", 4), ("series@75", 2), ("series@150", 2)):
        random_policy(tmp_path / "zoo" / "held-out", name, chunk)
    random_policy(tmp_path / "zoo" / "development", "bc-chunk8", 8)
    setup = Setup(
        zoo=tmp_path / "zoo",
        out=tmp_path / "out",
        seeds=2,
        tasks=("drawer-open",),
        steps=4,
        workers=1,
    )
    found: list[Finding] = [
        script.measure(setup) for script in (a_agreement, l_cost, d_horizon, m_loops)
    ]
    assert [finding.name for finding in found] == ["a_agreement", "l_cost", "d_horizon", "m_loops"]
    assert "4 cells" in found[0].result and "8 trials" in found[1].result
    assert {(row["policy"], row["horizon"]) for row in found[2].rows} == {
        ("bc-chunk8", h) for h in (1, 2, 4, 8)
    }
    assert [row["trials"] for row in found[3].rows] == [2]
    rows = [
        h_sampler.sweep(setup, {str(n): h_sampler.with_sampler(setup, steps=n) for n in (1, 2)}, 2)
    ]
    assert [row["setting"] for row in rows[0]] == ["1", "2"]
