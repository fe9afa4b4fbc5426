"""The whole way at tiny size: inverse-dynamics model, run with known truth, error predictor, check;
and the faults that get one sentence."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from worldgym.episodes.store import EpisodeStore
from worldgym.errors import CheckpointError, InputError
from worldgym.evaluation.load_parts import Sources
from worldgym.evaluation.plan import EvaluateConfig
from worldgym.evaluation.run import run_sources
from worldgym.io.jsonl import signed_line
from worldgym.io.run_log import read_log
from worldgym.io.run_records import STRANGE, results
from worldgym.judges.load_judge import load_judge
from worldgym.report.trust_page import print_trust, print_uncertainty, trust_page
from worldgym.stats.world_trust import WorldTrust
from worldgym.tasks.task_folder import load_tasks
from worldgym.train.inverse_dynamics_training import (
    InverseDynamicsTrainConfig,
    train_inverse_dynamics,
)
from worldgym.train.optimizer import FitConfig
from worldgym.trust.error_predictor import ErrorPredictor
from worldgym.trust.error_signals import Instruments, measure
from worldgym.trust.fit_error_predictor import FitRequest, fit_run, rollouts_of
from worldgym.trust.inverse_dynamics import InverseDynamicsModel
from worldgym.trust.known_motions import KIND, measure_motions
from worldgym.trust.rollout_replay import ReplayOptions
from worldgym.trust.trust_inputs import TrustConfig
from worldgym.trust.trust_report import measure_trust
from worldgym.world.familiarity import Familiarity, errors
from worldgym.world.world_checkpoint import load_diffusion_world


def grown(store: EpisodeStore, folder: Path) -> EpisodeStore:
    """At least 20 episodes: those of the store, again and again."""
    out = EpisodeStore.create(folder / "grown", store.spec, store.fps)
    names = [info.name for info in store]
    for i in range(24):
        out.write(f"e{i:02d}", store[names[i % len(names)]])
    return EpisodeStore(folder / "grown")


FIT = FitConfig(steps=8, batch=8, warmup=2)


@pytest.fixture(scope="module")
def world(
    tiny: Path, episode_store: EpisodeStore, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A copy of the tiny world with an inverse-dynamics model beside it."""
    root = tmp_path_factory.mktemp("checked") / "w"
    shutil.copytree(tiny, root)
    loaded = load_diffusion_world(root)
    train_inverse_dynamics(
        loaded.codec,
        loaded.spec,
        InverseDynamicsTrainConfig(
            episode_store.root, root / "inverse-dynamics", width=8, components=4, fit=FIT
        ),
    )
    return root


@pytest.fixture(scope="module")
def run(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two policies on three tasks; the truth of the task folder is half wrong whatever the judge
    says."""
    out = tmp_path_factory.mktemp("run") / "r"
    sources = Sources(world, ("still", "random"), world / "tasks", world / "judge")
    run_sources(sources, EvaluateConfig(out, 2, batch=4))
    return out


def predictor_of(world: Path, run: Path, out: Path, futures: int = 0) -> dict[str, Any]:
    return fit_run(FitRequest((run,), out), world, world / "judge", None, futures)


def test_a_run_keeps_the_actions_of_every_trial(run: Path) -> None:
    rollouts, records, chunks = rollouts_of(run)
    assert chunks == {"still": 1, "random": 1} and len(rollouts) == len(records) == 8
    for rollout, record in zip(rollouts, records, strict=True):
        assert rollout.actions.shape == (4, 3) and (rollout.policy == "still") == (
            not rollout.actions.any()
        )
        assert record.key == (rollout.policy, rollout.trial.task.name, rollout.trial.repeat)


def test_rollouts_come_in_the_same_order_whoever_computed_them(run: Path, tmp_path: Path) -> None:
    """Workers log batches as they end; whose actions a control arm swaps goes by this order."""
    shutil.copytree(run, tmp_path / "r")
    log = tmp_path / "r" / "log.jsonl"
    header, *lines = log.read_text().splitlines()
    log.write_text("\n".join([header, *lines[::-1]]) + "\n")
    (_, expected, _), (_, found, _) = rollouts_of(run), rollouts_of(tmp_path / "r")
    assert [record.key for record in found] == [record.key for record in expected]
    assert [record.key for record in expected] == [
        record.key for record in read_log(run / "log.jsonl")[1]
    ]


def test_every_signal_is_measured_once(
    world: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = predictor_of(world, run, tmp_path, futures=1)
    lines = (tmp_path / "signals.jsonl").read_text().splitlines()
    rows = [json.loads(line)["signals"] for line in lines[1:]]
    assert len(rows) == 8 and all(np.isfinite(list(row.values())).all() for row in rows)
    assert set(rows[0]) == {
        *(
            "success",
            "log_odds_against",
            "progress_mismatch",
            "neighbour_distance",
            "residual",
            "codec_error",
        ),
        *("action_error", "mean_action_error", "latent_variation", "judge_variation"),
    }
    assert (
        set(figures["signals"]) == {*rows[0], "disagreeing_trials"}
        and figures["out_of_fold"]["policy"]["rollouts"] == 8
    )
    print_uncertainty(figures)
    path = tmp_path / "signals.jsonl"
    path.write_text("\n".join(lines[:4]) + '\n{"trial": "torn')
    (tmp_path / "error-predictor.json").unlink()
    assert predictor_of(world, run, tmp_path, futures=1) == figures  # resumed
    assert len(path.read_text().splitlines()) == 9
    with pytest.raises(InputError, match="choose another --out"):
        predictor_of(world, run, tmp_path, futures=0)
    monkeypatch.setattr("worldgym.trust.measured_signals.measure", None)
    assert predictor_of(world, run, tmp_path, futures=1) == figures  # nothing is measured again


def test_known_motions_give_signals_and_several_runs_one_fit(
    world: Path, run: Path, episode_store: EpisodeStore, tmp_path: Path
) -> None:
    root = tmp_path / "w"
    shutil.copytree(world, root)
    measure_motions(
        load_diffusion_world(root).codec, grown(episode_store, tmp_path), root / KIND, 3
    )
    sources = Sources(root, ("random",), root / "tasks", root / "judge")
    run_sources(sources, EvaluateConfig(tmp_path / "more", 2, seed=1, batch=4))
    request = FitRequest((run, tmp_path / "more"), tmp_path / "fit")
    figures = fit_run(request, root, root / "judge")
    assert {"motion_distance", "furthest_motion", "scene_distance"} <= set(figures["used"])
    assert figures["out_of_fold"]["policy"]["rollouts"] == 12
    assert len((tmp_path / "fit" / "run-2" / "signals.jsonl").read_text().splitlines()) == 5
    predictor = tmp_path / "fit" / "error-predictor.json"
    config = TrustConfig(
        root, tmp_path / "c", None, ("still",), root / "tasks", error_predictor=predictor, batch=4
    )
    assert set(measure_trust(config)["wrong_verdicts"]) == {"door", "drawer"}
    shutil.rmtree(root / KIND)
    with pytest.raises(CheckpointError, match=r"was fitted with known-motions-.*, here is none"):
        measure_trust(config)
    older = predictor_of(world, run, tmp_path / "older")  # fitted without, and used beside them
    assert "motion_distance" not in older["used"]


def test_signals_of_an_older_run_lack_the_actions(world: Path, run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "old")
    for path in (tmp_path / "old").rglob("*.npy"):
        path.unlink()
    figures = predictor_of(world, tmp_path / "old", tmp_path / "fit", futures=1)
    assert "action_error" not in figures["signals"] and figures["used"] == [
        "log_odds_against",
        "neighbour_distance",
        "residual",
        "disagreeing_trials",
    ]
    with pytest.raises(InputError, match="actions were not kept"):
        rollouts_of(tmp_path / "old")


def test_measuring_one_by_one_is_measuring_together(world: Path, run: Path) -> None:
    loaded = load_diffusion_world(world)
    with_ = Instruments(
        loaded,
        loaded.codec,
        InverseDynamicsModel.load(world / "inverse-dynamics"),
        load_judge(world / "judge"),
        ReplayOptions(batch=4),
        1,
    )
    rollouts, records, _ = rollouts_of(run)
    together = measure(with_, rollouts[:3], records[:3])
    alone = [
        measure(replace(with_, replaying=ReplayOptions(batch=1)), [a], [b])[0]
        for a, b in zip(rollouts[:3], records[:3], strict=True)
    ]
    for one, other in zip(together, alone, strict=True):
        assert one == pytest.approx(other, abs=0.05)  # bfloat16 in other batch shapes


def test_everything_is_checked_and_a_summary_takes_it_up(
    world: Path,
    run: Path,
    episode_store: EpisodeStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    predictor_of(world, run, tmp_path)
    config = TrustConfig(
        world,
        tmp_path / "trust",
        episode_store.root,
        ("still",),
        world / "tasks",
        error_predictor=tmp_path / "error-predictor.json",
        per_task=2,
        batch=4,
    )
    found = measure_trust(config)
    assert json.loads((tmp_path / "trust" / "trust.json").read_text()) == found
    assert set(found["tasks"]) == {"door", "drawer", "push the square"}
    assert {(f["source"], f["task"], f["arm"]) for f in found["floors"]} == {
        *(
            ("policies", task, arm)
            for task in ("door", "drawer")
            for arm in ("null", "shuffled", "reversed", "delayed")
        ),
        *(("recorded", "push the square", arm) for arm in ("null", "shuffled", "reversed")),
    }
    assert set(found["wrong_verdicts"]) == {"door", "drawer"} and set(found["replay"]) == {
        "push the square"
    }
    assert [r["name"] for r in found["following"]] == ["x", "y", "gripper"]
    assert all(
        task["colour"] in ("green", "amber", "red") and task["reason"]
        for task in found["tasks"].values()
    )
    print_trust(found)
    page = trust_page(found | {"world": "<b>"})
    assert "&lt;b&gt;" in page and "door" in page and "worldgym world measure-familiarity" in page
    drawn = []
    monkeypatch.setattr(
        "worldgym.trust.kept_scores.replayed_batches",
        lambda world, rollouts, *_, **__: drawn.extend(rollouts) or [],
    )
    again = measure_trust(config)  # the run is resumed, and no control arm is drawn again
    assert again["tasks"] == found["tasks"] and again["floors"] == found["floors"] and not drawn
    monkeypatch.undo()
    shutil.copy(tmp_path / "trust" / "trust.json", world / "trust.json")
    summary = run_sources(
        Sources(world, ("still",), world / "tasks", world / "judge"),
        EvaluateConfig(tmp_path / "run", 1, batch=4),
    ).summary
    (world / "trust.json").unlink()
    assert summary.trust is not None
    assert summary.trust.tasks["door"].colour == found["tasks"]["door"]["colour"]
    assert WorldTrust.of_run(tmp_path / "run") is not None


@pytest.mark.slow
def test_workers_find_what_one_process_finds(
    world: Path, episode_store: EpisodeStore, tmp_path: Path
) -> None:
    config = TrustConfig(
        world, tmp_path / "here", episode_store.root, ("still",), world / "tasks", per_task=2
    )
    elsewhere = replace(config, out=tmp_path / "there", on="processes", workers=2)
    here, there = measure_trust(config), measure_trust(elsewhere)
    assert here | {"time": ""} == there | {"time": ""} and here["floors"]


def test_what_is_absent_is_said(tiny: Path, episode_store: EpisodeStore, tmp_path: Path) -> None:
    found = measure_trust(TrustConfig(tiny, tmp_path, episode_store.root, per_task=2, batch=4))
    assert (
        len(found["not_measured"]) == 4
        and "worldgym world train-inverse-dynamics" in found["not_measured"][2]
    )
    # of so short a rollout with such bounds
    assert "displaced (recorded)" in found["not_measured"][0]
    assert "displaced" not in {row["arm"] for row in found["floors"]}
    assert found["following"] == [] and found["wrong_verdicts"] == {}


def test_faults_get_a_sentence(
    world: Path, run: Path, tmp_path: Path, episode_store: EpisodeStore
) -> None:
    with pytest.raises(InputError, match="nothing to measure by"):
        measure_trust(TrustConfig(world, tmp_path, policies=("still",)))
    with pytest.raises(InputError, match="--trials is 0"):
        measure_trust(TrustConfig(world, tmp_path, episode_store.root, per_task=0))
    with pytest.raises(InputError, match="the folder has no judge"):
        shutil.copytree(world / "world", tmp_path / "bare" / "world")
        shutil.copytree(world / "codec", tmp_path / "bare" / "codec")
        measure_trust(TrustConfig(tmp_path / "bare", tmp_path, episode_store.root))
    with pytest.raises(InputError, match="the folder has no inverse-dynamics model"):
        fit_run(FitRequest((run,), tmp_path / "f"), tmp_path / "bare", world / "judge")
    strange = ErrorPredictor(
        ("a",), (0.0,), (1.0,), (1.0,), 0.0, 0.5, "another", "judge", {"futures": 0}
    )
    strange.save(tmp_path / "error-predictor.json")
    with pytest.raises(CheckpointError, match="fitted on the world another"):
        measure_trust(
            TrustConfig(
                world,
                tmp_path,
                episode_store.root,
                error_predictor=tmp_path / "error-predictor.json",
            )
        )


def test_a_run_without_truth_teaches_nothing(world: Path, run: Path, tmp_path: Path) -> None:
    header, records = read_log(run / "log.jsonl")
    log, finished = tmp_path / "blind" / "log.jsonl", results(records).finished
    shutil.copytree(run, tmp_path / "blind")
    log.write_bytes(
        signed_line(header.to_json())
        + b"".join(signed_line(replace(r, truth=None).to_json()) for r in finished)
    )
    with pytest.raises(InputError, match="no scored trial has a known truth"):
        predictor_of(world, tmp_path / "blind", tmp_path / "fit")
    log.write_bytes(
        signed_line(header.to_json())
        + b"".join(signed_line(replace(r, truth=r.succeeded).to_json()) for r in finished)
    )
    with pytest.raises(InputError, match="0 of 8 verdicts are wrong"):
        predictor_of(world, tmp_path / "blind", tmp_path / "fit")


def test_one_folder_of_strange_frames_leaves_the_other_tasks_alone(
    world: Path, run: Path, tmp_path: Path
) -> None:
    root, rng = tmp_path / "w", np.random.default_rng(0)
    shutil.copytree(world, root)
    (root / "tasks" / "truth.csv").unlink()
    for name in ("cartoon/1", "cartoon/2"):
        path = root / "tasks" / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (32, 32, 3)).astype(np.uint8)).save(
            path.with_suffix(".png")
        )
        path.with_suffix(".json").write_text('{"instruction": "push the square", "steps": 4}')
    codec, tasks = load_diffusion_world(root).codec, load_tasks(root / "tasks")
    found = errors(codec, [task.frame for task in tasks])
    odd = np.array([task.group == "cartoon" for task in tasks])
    assert found[odd].min() > 1.1 * found[~odd].max()
    limit = float(found[odd].min() + found[~odd].max()) / 2
    (root / "familiarity.json").write_text(json.dumps(Familiarity(codec, limit, 10).to_json()))
    config = TrustConfig(
        root, tmp_path / "trust", None, ("still", "random"), root / "tasks", per_task=2, batch=4
    )
    said = measure_trust(config)
    assert said["strange"] == {"cartoon": {"frames": ["cartoon/1", "cartoon/2"], "of": 2}}
    assert (
        said["tasks"]["cartoon"]["colour"] == "red"
        and "none of the 2" in said["tasks"]["cartoon"]["reason"]
    )
    assert {floor["task"] for floor in said["floors"]} == {"door", "drawer"}
    others = replace(config, tasks=world / "tasks", out=tmp_path / "others")
    assert {task: said["tasks"][task]["colour"] for task in ("door", "drawer")} == {
        task: found["colour"] for task, found in measure_trust(others)["tasks"].items()
    }
    assert "cartoon/1, cartoon/2" in trust_page(said)
    records = read_log(tmp_path / "trust" / "run" / "log.jsonl")[1]
    assert {record.group for record in records if STRANGE in record.flags} == {"cartoon"}
