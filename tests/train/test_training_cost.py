"""The budget of a run, against what a run keeps."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from worldgym.cli import main
from worldgym.episodes.store import EpisodeStore
from worldgym.train.optimizer import Optimizer, OptimizerConfig
from worldgym.train.training_cost import activation_bytes, budget
from worldgym.train.world_train_config import DirectTraining, WorldTrainConfig
from worldgym.train.world_training import MATRICES
from worldgym.world.network import DiT
from worldgym.world.network_config import DiTConfig

CONFIG = WorldTrainConfig(
    Path("out"),
    DiTConfig((2, 4, 4), width=32, pairs=3, heads=2, action_size=5),
    OptimizerConfig(steps=10, muon_lr=1e-3),
    batch=4,
    frames=6,
    dtype="bfloat16",
)


def test_resident_memory_is_what_the_optimizer_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worldgym.train.training_cost.matmul_rate", lambda *_: 1.0)
    network = DiT(CONFIG.network).bfloat16()
    optimizer = Optimizer(network, CONFIG.optimizer, MATRICES)
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step(0)
    # Adam's step numbers have none
    held = sum(tensor.nbytes for tensor in optimizer.tensors().values() if tensor.ndim)
    held += optimizer.gradients.nbytes + optimizer.rows.nbytes
    held += 2 * sum(parameter.nbytes for parameter in network.parameters())  # weights and gradients
    found = budget(CONFIG)
    assert found.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert found.state_bytes == held
    assert budget(CONFIG, 2).state_bytes < held < 2 * budget(CONFIG, 2).state_bytes


def test_activations_grow_with_rows_and_pairs_and_shrink_with_checkpointing() -> None:
    one, two = (activation_bytes(CONFIG, rows) for rows in (1, 2))
    assert 1.9 < two / one < 2.0  # what a call has but once, such as the mask, does not double
    deeper = activation_bytes(replace(CONFIG, network=replace(CONFIG.network, pairs=6)), 1)
    assert 1.8 < deeper / one < 2.1
    assert activation_bytes(replace(CONFIG, checkpointing=True), 1) < 0.6 * one


def test_convolutions_trained_first_take_their_steps_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worldgym.train.training_cost.matmul_rate", lambda *_: 1.0)
    carrying = replace(CONFIG, network=replace(CONFIG.network, carrier_width=8))
    first = replace(carrying, carrier=OptimizerConfig(steps=3))
    alone = 3 * 3 * carrying.network.carrier_flops * CONFIG.frames * CONFIG.batch
    assert budget(first).hours - budget(carrying).hours == pytest.approx(alone / 3600)
    assert carrying.network.carrier_flops > 0
    assert carrying.network.flops_per_frame - CONFIG.network.flops_per_frame == (
        carrying.network.carrier_flops
    )


def test_what_draws_directly_is_trained_before_the_rest_and_only_passed_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("worldgym.train.training_cost.matmul_rate", lambda *_: 1.0)
    drawing = replace(CONFIG, network=replace(CONFIG.network, direct_width=8))
    flops = drawing.network.direct_flops
    assert budget(drawing).flops == pytest.approx(budget(CONFIG).flops + 24 * flops)
    stage = OptimizerConfig(steps=3)
    first = replace(drawing, direct=DirectTraining(stage, OptimizerConfig(steps=5)))
    alone = budget(first).hours - budget(drawing).hours
    wanted = 16 * (3 * drawing.network.picture_flops + 5 * flops)  # 4 pairs and frames a clip
    assert alone == pytest.approx(3 * wanted / 3600) and flops > 0


def test_activations_are_those_of_the_whole_network() -> None:
    """Counted on one and two pairs of blocks; here on all three, on real tensors."""
    kept: dict[int, int] = {}
    held = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        held.append(tensor)
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    network = DiT(CONFIG.network).bfloat16()
    x = torch.zeros(2, 6, 2, 4, 4, dtype=torch.bfloat16)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        network(x, torch.zeros(2, 6), torch.zeros(2, 6, 5), x[:, 0])
    for parameter in network.parameters():
        kept.pop(parameter.untyped_storage().data_ptr(), None)
    assert activation_bytes(CONFIG, 2) == pytest.approx(sum(kept.values()), rel=0.02)


def test_dry_run_prints_and_writes_nothing(
    episode_store: EpisodeStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    codec = tmp_path / "codec"
    codec.mkdir()
    (codec / "config.json").write_text('{"kind": "any"}')
    (codec / "manifest.json").write_text('{"files": {}}')
    copy = tmp_path / "store"  # others make a cache in the one that is shared
    shutil.copytree(episode_store.root, copy, ignore=shutil.ignore_patterns("cache"))
    store, out = str(copy), tmp_path / "out"
    words = [
        "world",
        "train",
        "--held-out",
        store,
        "--out",
        str(out),
        "--recipe",
        "paper_608m",
        "--codec",
        str(codec),
        "--dry-run",
    ]
    main([*words, "--data", store])
    assert "parameters        607.9 M" in capsys.readouterr().out
    assert not out.exists() and not (copy / "cache").exists()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--data", "absent"], "is not an episode store"),
        (["--held-out", "absent"], "is not an episode store"),
        (["--mix", "1", "2"], "not one above 0 for each of 1 stores"),
        (["--recipe", "paper_608m"], "works on the latents of a pretrained autoencoder"),
        (["--codec", "absent"], "absent"),
        ([], 'but the recipe "reference" works at 96x96; convert them with --size 96 96'),
    ],
)
def test_dry_run_refuses_what_training_refuses(
    episode_store: EpisodeStore,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    complaint: str,
) -> None:
    given = {
        "--data": str(episode_store.root),
        "--held-out": str(episode_store.root),
        "--out": str(tmp_path / "out"),
    }
    given = {option: value for option, value in given.items() if option not in words}
    for dry in (["--dry-run"], []):
        with pytest.raises(SystemExit) as stop:
            main(
                ["world", "train", *[word for pair in given.items() for word in pair], *words, *dry]
            )
        assert stop.value.code == 2 and complaint in capsys.readouterr().err
    assert not (tmp_path / "out" / "world").exists()
