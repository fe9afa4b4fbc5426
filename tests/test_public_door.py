"""The public door: its names, its signatures, that it costs nothing to open, and that it does what
the command line does."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import worldgym as wg
from worldgym.cli import main
from worldgym.io.json_form import to_json
from worldgym.testing import FakeJudge, FakePolicy, FakeWorld
from worldgym.types import Task

NAMES = [
    "ActionSpec",
    "CheckpointError",
    "Episode",
    "InputError",
    "Judge",
    "MissingExtra",
    "Needs",
    "Observation",
    "Policy",
    "Rollout",
    "Run",
    "SpecMismatch",
    "Task",
    "Trial",
    "Verdict",
    "World",
    "WorldGymError",
    "__version__",
    "agreement",
    "compare",
    "convention",
    "evaluate",
    "load_judge",
    "load_policy",
    "load_tasks",
    "load_world",
]
SIGNATURES = {
    "evaluate": "(world, policy, tasks, judge, *, out, trials, **options)",
    "compare": "(run, baseline=None, margin=0.05, equivalent=False)",
    "agreement": "(predicted, real, separate_frames=False)",
    "load_world": "(source, embodiment=None, device='auto')",
    "load_policy": "(source, spec=None, device='auto')",
    "load_judge": "(path, budget_usd=None, finished=False, device='auto')",
    "load_tasks": "(folder)",
    "convention": "(name)",
    "Run": "(folder, summary=None)",
}


def tasks(count: int = 4) -> list[Task]:
    frame = np.zeros((16, 24, 3), np.uint8)
    return [Task(f"t/{i}", "t", frame + i, "do it", 3) for i in range(count)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> wg.Run:
    policies = (FakePolicy(name="low", level=0.2), FakePolicy(name="high", level=0.8))
    out = tmp_path_factory.mktemp("runs") / "fake"
    return wg.evaluate(FakeWorld(), policies, tasks(), FakeJudge(), out=out, trials=4, seed=7)


def test_its_names_stay_and_each_is_documented() -> None:
    assert wg.__all__ == NAMES and set(NAMES) <= set(dir(wg))
    for name in set(NAMES) - {"__version__"}:
        assert inspect.getdoc(getattr(wg, name)), name


def test_its_signatures_stay() -> None:
    def plain(name: str) -> str:
        signature = inspect.signature(getattr(wg, name))
        bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
        return str(signature.replace(parameters=bare, return_annotation=signature.empty))

    assert {name: plain(name) for name in SIGNATURES} == SIGNATURES


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(wg.__file__).parent / "py.typed").exists()


def test_opening_it_loads_no_library() -> None:
    heavy = "{'torch', 'numpy', 'scipy', 'rich'} & set(sys.modules)"
    program = f"import sys, worldgym as wg; wg.InputError; assert not {heavy}\n"
    program += "wg.Run, wg.compare, wg.agreement; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
    with pytest.raises(AttributeError, match="has no attribute 'evalute'"):
        wg.evalute  # type: ignore[attr-defined]  # noqa: B018


def test_a_run_is_a_table_a_summary_and_a_report(run: wg.Run) -> None:
    assert (run.header.run_seed, run.header.world) == (7, FakeWorld().name)
    assert len(run.trials) == 8 and {row["policy"] for row in run.trials} == {"low", "high"}
    assert all(0 <= row["score"] <= 1 and row["failure_reason"] is None for row in run.trials)
    page = run.report()
    assert page == run.folder / "report.html" and "<html" in page.read_text()
    again = wg.Run(run.folder)
    assert again.trials == run.trials and again.summary == run.summary


def test_the_same_call_does_only_what_is_missing(run: wg.Run) -> None:
    log = (run.folder / "log.jsonl").read_text()
    policies = [FakePolicy(name="low", level=0.2), FakePolicy(name="high", level=0.8)]
    wg.evaluate(FakeWorld(), policies, tasks(), FakeJudge(), out=run.folder, trials=4, seed=7)
    assert (run.folder / "log.jsonl").read_text() == log


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(wg.InputError, match=r"log\.jsonl"):
        wg.Run(tmp_path)
    with pytest.raises(wg.InputError, match=r"log\.jsonl"):
        wg.compare(tmp_path)


def test_the_command_line_says_what_compare_says(
    run: wg.Run, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["compare", str(run.folder), "--json"])
    said = json.loads(capsys.readouterr().out)
    assert {**said, "baseline": None} == json.loads(json.dumps(to_json(wg.compare(run))))
    assert [(pair["a"], pair["b"]) for pair in said["comparisons"]] == [("high", "low")]
    found = wg.compare(run.folder, baseline="low")
    assert found.baseline is not None
    assert [row.policy for row in found.baseline.answers] == ["high"]


def test_agreement_takes_runs_and_tables(run: wg.Run, tmp_path: Path) -> None:
    table = tmp_path / "real.csv"
    table.write_text("policy,task,trials,successes\nlow,t,10,1\nhigh,t,10,9\n")
    found = wg.agreement(run, table)
    assert found.n == 2 and found.mmrv == 0.0
    assert wg.agreement(table, str(table)).mean_abs_gap == 0.0


def test_a_world_that_is_an_object_has_no_sampler_of_ours(tmp_path: Path) -> None:
    with pytest.raises(wg.InputError, match=r"cfg: the world .* has no WorldGym sampler"):
        wg.evaluate(
            FakeWorld(), FakePolicy(), tasks(), FakeJudge(), out=tmp_path / "r", trials=1, cfg=2.0
        )
