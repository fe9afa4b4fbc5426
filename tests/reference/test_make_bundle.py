"""The bundle is whole, small, held out, and reproduces what it claims."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from worldgym.codecs.conv import ConvCodec, ConvCodecConfig
from worldgym.errors import CheckpointError, InputError
from worldgym.io.bundled import BUNDLE
from worldgym.io.checkpoint import PACKED, save_folder
from worldgym.judges.load_judge import load_judge
from worldgym.policies.load_policy import load_policy
from worldgym.reference.demo import bundled_sources, run_demo
from worldgym.reference.make_bundle import LIMIT_MIB, BundleConfig, bundle
from worldgym.reference.reference_tasks import FIRST_HELD_OUT_SEED, METAWORLD_SPEC, TASKS
from worldgym.tasks.task_folder import check_frames, load_tasks, load_truth
from worldgym.trust.error_predictor import ErrorPredictor
from worldgym.trust.inverse_dynamics import InverseDynamicsModel
from worldgym.world.network import DiT
from worldgym.world.network_config import DiTConfig
from worldgym.world.sampler import SamplerConfig
from worldgym.world.world_checkpoint import load_diffusion_world
from worldgym.world.world_config import WorldConfig

pytestmark = pytest.mark.skipif(not (BUNDLE / "world").exists(), reason="no bundle yet")


def config(out: Path) -> BundleConfig:
    policies = sorted((BUNDLE / "policies").iterdir())
    return BundleConfig(BUNDLE, BUNDLE / "judge", policies, out / "truth", out / "bundle", videos=1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """codec/ and world/ of random weights, small ones: the bundle's take seconds to unpack. Shared:
    do not write to it."""
    root = tmp_path_factory.mktemp("trained")
    codec = ConvCodec(ConvCodecConfig(size=32, channels=4, width=16, blocks=1))
    codec.save(root / "codec", "", {})
    network = DiTConfig(
        (4, 4, 4), width=32, pairs=1, heads=2, action_size=2 * METAWORLD_SPEC.size + 1, window=8
    )
    described = WorldConfig(
        METAWORLD_SPEC,
        network,
        SamplerConfig(window=8, keep=4),
        "flow",
        {},
        ConvCodec.load(root / "codec").latents,
    )
    save_folder(root / "world", described.to_json(), DiT(network).state_dict(), "")
    return root


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    """The bundle's truth in the form in which it is scored: tasks/ beside truth.csv and videos/."""
    folder = tmp_path / "truth"
    shutil.copytree(
        BUNDLE / "tasks", folder / "tasks", ignore=shutil.ignore_patterns("truth.csv", "videos")
    )
    shutil.copytree(BUNDLE / "tasks" / "videos", folder / "videos")
    shutil.copy(BUNDLE / "tasks" / "truth.csv", folder)
    return tmp_path


def test_small_enough() -> None:
    assert (
        sum(file.stat().st_size for file in BUNDLE.rglob("*") if file.is_file()) / 2**20 < LIMIT_MIB
    )


def test_tasks_are_held_out_and_their_truth_is_known() -> None:
    tasks, truth = load_tasks(BUNDLE / "tasks"), load_truth(BUNDLE / "tasks" / "truth.csv")
    assert set(Counter(task.group for task in tasks)) == set(TASKS)
    assert min(Counter(task.group for task in tasks).values()) >= 20
    assert all(int(task.name.split("/")[1]) >= FIRST_HELD_OUT_SEED for task in tasks)
    names = [load_policy(folder).name for folder in bundled_sources().policies]
    assert len(names) >= 5
    assert set(truth) >= {(name, task.name) for name in names for task in tasks}


def test_everything_loads_and_speaks_one_convention() -> None:
    world = load_diffusion_world(BUNDLE / "world")
    assert world.spec == METAWORLD_SPEC
    check_frames(load_tasks(BUNDLE / "tasks"), world.frame_shape)
    for folder in bundled_sources().policies:
        assert load_policy(folder).spec == world.spec
    assert load_judge(BUNDLE / "judge").name


def test_bundling_copies_what_it_verified(truth: Path, trained: Path) -> None:
    made = replace(config(truth), trained=trained)
    assert bundle(made) < LIMIT_MIB
    for part in ("codec", "world"):
        assert (made.out / part / "manifest.json").read_bytes() == (
            trained / part / "manifest.json"
        ).read_bytes()
        assert {file.name for file in (made.out / part).iterdir()} == {
            "config.json",
            "manifest.json",
            PACKED,
            "README.md",
        }
    assert len(load_tasks(made.out / "tasks")) == len(load_tasks(BUNDLE / "tasks"))
    videos = Counter(video.parent for video in (made.out / "tasks" / "videos").rglob("*.mp4"))
    assert set(videos.values()) == {1}


def test_trust_models_are_those_of_the_bundled_world(
    truth: Path, trained: Path, unpacked_bundle: Path
) -> None:
    world, judge = load_diffusion_world(unpacked_bundle), load_judge(BUNDLE / "judge")
    inverse_dynamics = InverseDynamicsModel.load(BUNDLE / "inverse-dynamics")
    inverse_dynamics.check(world.codec, world.spec)
    ErrorPredictor.load(BUNDLE / "error-predictor.json").check(
        world.name, judge.name, inverse_dynamics.name
    )
    made = replace(
        config(truth),
        inverse_dynamics=BUNDLE / "inverse-dynamics",
        error_predictor=BUNDLE / "error-predictor.json",
    )
    bundle(made)
    assert (made.out / "error-predictor.json").read_bytes() == (
        BUNDLE / "error-predictor.json"
    ).read_bytes()
    assert (
        InverseDynamicsModel.load(made.out / "inverse-dynamics").name
        == InverseDynamicsModel.load(BUNDLE / "inverse-dynamics").name
    )
    with pytest.raises(CheckpointError, match=f"fitted on the world {world.name}"):
        bundle(replace(made, trained=trained, inverse_dynamics=None))


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
    assert len(summary.cells) == policies * len(TASKS)
    assert all(cell.truth_trials == 1 for cell in summary.cells)
    assert (
        run_demo(tmp_path / "run", trials=1, full=False, seed=0, command="worldgym demo")["cells"]
        == summary.to_json()["cells"]
    )
