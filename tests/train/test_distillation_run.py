"""`worldgym distill` from command to checkpoint on synthetic episodes, and one sentence for each
thing that cannot be."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_networks import tiny_world

from worldgym.actions.embodiment import Scaling
from worldgym.cli import main
from worldgym.codecs.conv import ConvCodec, ConvCodecConfig
from worldgym.episodes.store import EpisodeStore
from worldgym.errors import CheckpointError, InputError
from worldgym.io.checkpoint import load_folder, save_folder
from worldgym.io.records import from_mapping
from worldgym.train.distillation_run import distill_world
from worldgym.train.training_requests import DistillRequest
from worldgym.train.world_run import held_out_sample
from worldgym.world.network import DiT
from worldgym.world.open_loop_replay import replay
from worldgym.world.world_checkpoint import load_diffusion_world
from worldgym.world.world_config import KIND, WorldConfig


@pytest.fixture
def teacher(episode_store: EpisodeStore, tmp_path: Path) -> Path:
    """An untrained world of four steps, with its codec beside it."""
    run = tiny_world(tmp_path, "cpu")
    ConvCodec(ConvCodecConfig(32, 4, 16, 1)).save(tmp_path / "teacher" / "codec", "", {})
    fingerprint = ConvCodec.load(tmp_path / "teacher" / "codec").fingerprint
    sampler = replace(run.sampler, steps=4)
    config = WorldConfig(episode_store.spec, run.network, sampler, run.schedule, {}, fingerprint)
    save_folder(tmp_path / "teacher" / "world", config.to_json(), DiT(run.network).state_dict(), "")
    return tmp_path / "teacher"


def request(teacher: Path, store: EpisodeStore, out: Path, **changes: object) -> DistillRequest:
    base = DistillRequest(
        teacher, (str(store.root),), (store.root,), out, steps=4, batch=2, save_every=2
    )
    return replace(base, **changes)  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorboard")
def test_a_student_is_an_ordinary_world(
    teacher: Path, episode_store: EpisodeStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "student"
    words = [
        "--data",
        str(episode_store.root),
        "--held-out",
        str(episode_store.root),
        "--out",
        str(out),
        "--sampler-steps",
        "2",
        "1",
    ]
    main(
        [
            "world",
            "distill",
            str(teacher),
            *words,
            "--steps",
            "4",
            "--batch",
            "2",
            "--save-every",
            "2",
        ]
    )
    assert str(out / "world") in capsys.readouterr().out
    world = load_diffusion_world(out)
    assert world.config.sampler == replace(load_diffusion_world(teacher).config.sampler, steps=2)
    told = json.loads((out / "world" / "config.json").read_text())["distillation"]
    assert (
        told["teacher_steps"] == 4
        and told["steps"] == [2, 1]
        and told["teacher"].startswith("world-")
    )
    assert len(list((out / "sheets").glob("*.png"))) == 2
    assert replay(world, held_out_sample(episode_store.root, 2)).frames.shape == (
        2,
        9,
        1,
        32,
        32,
        3,
    )
    with pytest.raises(InputError, match="another distill"):
        distill_world(request(teacher, episode_store, out, sampler_steps=(1,)))


def test_several_robots_are_refused(
    teacher: Path, episode_store: EpisodeStore, tmp_path: Path
) -> None:
    save(teacher, lambda data: data | {"embodiments": []})
    with pytest.raises(InputError, match="several robots"):
        distill_world(request(teacher, episode_store, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("key", ["spec", "scaling"])
def test_data_of_other_actions_are_refused(
    teacher: Path, episode_store: EpisodeStore, tmp_path: Path, key: str
) -> None:
    changed = {
        "spec": replace(episode_store.spec, mode="absolute").to_json(),
        "scaling": {
            "offset": [0.0] * episode_store.spec.size,
            "scale": [0.001] * episode_store.spec.size,
        },
    }
    assert from_mapping(Scaling, changed["scaling"]) != Scaling()
    save(teacher, lambda data: data | {key: changed[key]})
    with pytest.raises(InputError, match="actions are not those"):
        distill_world(request(teacher, episode_store, tmp_path / "out"))


def test_too_many_steps_and_a_missing_world_are_named(
    teacher: Path, episode_store: EpisodeStore, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="fewer steps than the teacher's"):
        distill_world(request(teacher, episode_store, tmp_path / "out", sampler_steps=(4,)))
    with pytest.raises(CheckpointError, match="nowhere: no such folder"):
        distill_world(request(tmp_path / "nowhere", episode_store, tmp_path / "out"))
    with pytest.raises(CheckpointError, match="codec"):
        distill_world(request(teacher / "codec", episode_store, tmp_path / "out"))


def save(teacher: Path, change: Callable[[dict[str, object]], dict[str, object]]) -> None:
    data, tensors = load_folder(teacher / "world", KIND)
    save_folder(teacher / "world", change(data), tensors, "")
