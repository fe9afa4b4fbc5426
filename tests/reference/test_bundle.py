"""The bundle is whole, small, held out, and reproduces what it claims."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from worldgym.errors import CheckpointError, InputError
from worldgym.judges.load import load_judge
from worldgym.policies.load import load_policy
from worldgym.reference.bundle import LIMIT_MIB, BundleConfig, bundle
from worldgym.reference.demo import BUNDLE, bundled_sources, run_demo
from worldgym.reference.suite import FIRST_HELD_OUT_SEED, METAWORLD_SPEC, TASKS
from worldgym.tasks.folder import check_frames, load_tasks, load_truth
from worldgym.trust.gauge import Gauge
from worldgym.trust.probe import Probe
from worldgym.world.model import load_world

pytestmark = pytest.mark.skipif(not (BUNDLE / "world").exists(), reason="no bundle yet")


def config(out: Path) -> BundleConfig:
    policies = sorted((BUNDLE / "policies").iterdir())
    return BundleConfig(BUNDLE, BUNDLE / "judge", policies, out / "truth", out / "bundle", videos=1)


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    """The bundle's truth in the form in which it is scored: tasks/ beside truth.csv and videos/."""
    folder = tmp_path / "truth"
    shutil.copytree(BUNDLE / "tasks", folder / "tasks", ignore=shutil.ignore_patterns("truth.csv", "videos"))
    shutil.copytree(BUNDLE / "tasks" / "videos", folder / "videos")
    shutil.copy(BUNDLE / "tasks" / "truth.csv", folder)
    return tmp_path


def test_small_enough() -> None:
    assert sum(file.stat().st_size for file in BUNDLE.rglob("*") if file.is_file()) / 2**20 < LIMIT_MIB


def test_tasks_are_held_out_and_their_truth_is_known() -> None:
    tasks, truth = load_tasks(BUNDLE / "tasks"), load_truth(BUNDLE / "tasks" / "truth.csv")
    assert set(Counter(task.group for task in tasks)) == set(TASKS)
    assert min(Counter(task.group for task in tasks).values()) >= 20
    assert all(int(task.name.split("/")[1]) >= FIRST_HELD_OUT_SEED for task in tasks)
    names = [load_policy(folder).name for folder in bundled_sources().policies]
    assert len(names) >= 5
    assert set(truth) >= {(name, task.name) for name in names for task in tasks}


def test_everything_loads_and_speaks_one_convention() -> None:
    world = load_world(BUNDLE / "world")
    assert world.spec == METAWORLD_SPEC
    check_frames(load_tasks(BUNDLE / "tasks"), world.frame_shape)
    for folder in bundled_sources().policies:
        assert load_policy(folder).spec == world.spec
    assert load_judge(BUNDLE / "judge").name


def test_bundling_copies_what_it_verified(truth: Path) -> None:
    made = config(truth)
    assert bundle(made) < LIMIT_MIB
    assert (made.out / "world" / "manifest.json").read_bytes() == (BUNDLE / "world" / "manifest.json").read_bytes()
    assert len(load_tasks(made.out / "tasks")) == len(load_tasks(BUNDLE / "tasks"))
    videos = Counter(video.parent for video in (made.out / "tasks" / "videos").rglob("*.mp4"))
    assert set(videos.values()) == {1}


def test_gauge_and_probe_are_those_of_the_bundled_world(truth: Path) -> None:
    world, judge = load_world(BUNDLE), load_judge(BUNDLE / "judge")
    Gauge.load(BUNDLE / "gauge").check(world.codec, world.spec)
    Probe.load(BUNDLE / "probe.json").check(world.name, judge.name)
    made = replace(config(truth), gauge=BUNDLE / "gauge", probe=BUNDLE / "probe.json")
    bundle(made)
    assert (made.out / "probe.json").read_bytes() == (BUNDLE / "probe.json").read_bytes()
    assert Gauge.load(made.out / "gauge").name == Gauge.load(BUNDLE / "gauge").name
    strange = truth / "probe.json"
    replace(Probe.load(BUNDLE / "probe.json"), world="world-of-yesterday").save(strange)
    with pytest.raises(CheckpointError, match="fitted on the world world-of-yesterday"):
        bundle(replace(made, probe=strange))


def test_a_bundle_without_all_the_truth_is_refused(truth: Path) -> None:
    lines = (truth / "truth" / "truth.csv").read_text().splitlines(keepends=True)
    (truth / "truth" / "truth.csv").write_text("".join(lines[:-1]))
    with pytest.raises(InputError, match="lacks"):
        bundle(config(truth))
    assert not (truth / "bundle").exists()


def test_an_installation_without_bundle_says_so(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="missing"):
        bundled_sources(tmp_path)


@pytest.mark.slow
def test_the_demo_runs_and_resumes(tmp_path: Path) -> None:
    summary = run_demo(tmp_path / "run", trials=1, full=False, seed=0, command="worldgym demo")
    policies = len(bundled_sources().policies)
    assert len(summary["cells"]) == policies * len(TASKS)
    assert all(cell["truth_trials"] == 1 for cell in summary["cells"])
    assert run_demo(tmp_path / "run", trials=1, full=False, seed=0, command="worldgym demo")["cells"] == summary["cells"]
