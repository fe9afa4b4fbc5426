"""The GPU scripts on a CPU: pack, train within a budget, resume, deliver in pieces."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from tiny_networks import carrying_world, tiny_codec, tiny_world

from worldgym.episodes.store import EpisodeStore
from worldgym.train.recipes import RECIPES, Recipe
from worldgym.train.world_train_config import WorldTrainConfig
from worldgym.world.network import DiT
from worldgym.world.network_config import DiTConfig
from worldgym.world.sampler import SamplerConfig
from worldgym.world.world_checkpoint import load_diffusion_world

LoadScript = Callable[[str], ModuleType]


def test_pack_keeps_frames_and_actions(
    load_script: LoadScript, episode_store: EpisodeStore, tmp_path: Path
) -> None:
    # the third is shorter
    assert load_script("gpu/pack.py").pack(episode_store.root, tmp_path, 1.0) == 2
    packed = load_script("gpu/train_world.py").read_pack(tmp_path)
    assert packed.spec == episode_store.spec
    for row, name in enumerate(("square-0", "square-1")):
        episode = episode_store[name]
        np.testing.assert_array_equal(packed.actions[row], episode.actions)
        assert np.abs(packed.frames[row].astype(int) - episode.frames).mean() < 6


def in_half(out: Path, device: str) -> WorldTrainConfig:
    """As on a GPU."""
    return replace(carrying_world(out, device), dtype="bfloat16")


@pytest.mark.parametrize("recipe", [tiny_world, carrying_world, in_half])
def test_train_resume_and_deliver(
    recipe: Callable[[Path, str], WorldTrainConfig],
    load_script: LoadScript,
    episode_store: EpisodeStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(RECIPES, "tiny", Recipe(tiny_codec, recipe))
    load_script("gpu/pack.py").pack(episode_store.root, tmp_path / "pack", 1.0)
    train = load_script("gpu/train_world.py")
    monkeypatch.setattr(train, "PIECE", 20_000)
    for _ in range(2):  # the second call finds everything done
        train.run(tmp_path / "pack", tmp_path / "work", tmp_path / "out", 0.005, "tiny", "cpu")
    for part in ("codec", "world"):
        folder = tmp_path / "out" / part
        pieces = sorted(folder.glob("model.safetensors.*"))
        assert len(pieces) > 1
        (folder / "model.safetensors").write_bytes(b"".join(piece.read_bytes() for piece in pieces))
    network = load_diffusion_world(tmp_path / "out").config.network
    assert network == recipe(tmp_path, "cpu").network
    stages = {path.name for path in (tmp_path / "work").glob("*-steps.json")}
    first = {"carrier-steps.json", "direct-steps.json"}
    assert first & stages == (set() if recipe is tiny_world else first)


def test_the_roofline_page_is_what_the_script_makes(load_script: LoadScript) -> None:
    roofline = load_script("gpu/roofline.py")
    network = RECIPES["paper_608m"].world(Path("unused"), "cpu").network
    text = Path("docs/gpu.md").read_text(encoding="utf-8")
    between = text.split("<!-- gpu/roofline.py begins -->")[1].split("<!-- gpu/roofline.py ends")[0]
    assert between.strip() == roofline.page(network)


def test_the_roofline_counts_what_a_network_computes(load_script: LoadScript) -> None:
    """Products by the network's own count, weights by their number; and that each term binds
    where it must."""
    roofline = load_script("gpu/roofline.py")
    network = tiny_world(Path("unused"), "cpu").network
    found = {part.name: part for part in roofline.parts(network, roofline.Sampling(steps=3))}
    work = found["products"].flops + found["modulations"].flops
    assert work == 4 * network.flops_per_frame  # three steps, and once more when finished
    blocks = [p for name, p in DiT(network).named_parameters() if "blocks" in name]
    matrices = sum(p.numel() for p in blocks if p.ndim == 2 and len(p) != network.heads)
    sizes = roofline.parts(network, roofline.Sampling(steps=1, batch=1))
    weights = sum(part.bytes for part in sizes[:2]) / roofline.BYTES
    assert matrices < weights < 2 * matrices + 10**6
    both = roofline.parts(network, roofline.Sampling(cfg=3.0))
    once = roofline.parts(network, roofline.Sampling())
    assert both[0].flops == 2 * once[0].flops
    card = roofline.Card("slow", 1.0, 1000.0, 1.0)
    assert once[0].bound(card) == "matrix"
    assert once[0].bound(roofline.Card("narrow", 1000.0, 1e-3, 1.0)) == "bandwidth"
    decoder = roofline.decoder_part((16, 32, 32), 1)
    assert 5.5e11 < decoder.flops < 6.8e11  # 0.31 T multiply-adds at 256 x 256


KINDS = ("limits", "equality", "compile", "rollout", "decoder", "train")


def tiny_bench(script: ModuleType) -> Any:
    network = DiTConfig(
        (4, 4, 4),
        width=32,
        pairs=2,
        heads=2,
        action_size=10,
        previous_frame=False,
        initial_frame=False,
        positions="rotary_pixel",
        activation="gelu",
    )
    sampler = SamplerConfig(steps=3, window=12, keep=0)
    return script.Bench("cpu", network, sampler, "sigmoid_v", frames=4)


def test_every_path_of_the_benchmark_runs_and_goes_on(
    load_script: LoadScript, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = load_script("gpu/bench.py")
    monkeypatch.setattr(script, "SECONDS", 0.0)
    bench = tiny_bench(script)
    planned = list(script.planned())
    assert {row.kind for row in planned} == set(KINDS)
    asked = {(row.way, row.batch, row.chunk, row.cfg) for row in planned if row.kind == "rollout"}
    for cfg in (1.0, 3.0):
        for chunk in (1, 4, 8):
            assert {("ours", batch, chunk, cfg) for batch in (1, 8, 32, 64)} <= asked
    assert {way for way, *_ in asked} == {"ours", "compiled", "eager", "released"}
    rows = [replace(row, steps=2, batch=min(row.batch, 2)) for row in planned]
    # every kind and way, with each guidance and chunk, not all of them with each other
    rows = [
        row
        for row in dict.fromkeys(rows)
        if row.kind != "rollout" or row.chunk == 1 or (row.chunk, row.cfg) == (4, 1.0)
    ]
    script.run(bench, tmp_path, rows[:4], 1.0)
    with (tmp_path / "rows.jsonl").open("a") as file:
        file.write('{"asked": {"kind": "torn')  # a lease that ended in a line
    script.run(bench, tmp_path, rows, 1.0)
    found = script.read_rows(tmp_path)
    assert [line["asked"] for line in found] == [asdict(row) for row in rows]
    assert not [line["broke"] for line in found if "broke" in line]
    for line in found:
        if line["asked"]["kind"] == "equality":
            assert line["found"]["held"], line
            assert line["found"]["gap"] > 0 or line["asked"]["dtype"] == "float32"
        if line["asked"]["kind"] in ("rollout", "decoder"):
            assert line["found"]["frames_per_second"] > 0
    told = script.report(tmp_path)
    assert told.count("\n") == len(rows) + 1 and "share of tflops" in told


def test_a_row_that_breaks_is_written_down_and_the_others_go_on(
    load_script: LoadScript, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = load_script("gpu/bench.py")
    monkeypatch.setattr(script, "SECONDS", 0.0)

    def full(bench: Any, row: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 90 GiB")

    monkeypatch.setattr(script, "compile_time", full)
    rows = [script.Row("compile"), script.Row("limits")]
    script.run(tiny_bench(script), tmp_path, rows, 1.0)
    script.run(tiny_bench(script), tmp_path, rows, 1.0)
    first, second = script.read_rows(tmp_path)
    said = "OutOfMemoryError: CUDA out of memory. Tried to allocate 90 GiB"
    assert first["broke"] == said and "found" in second
    script.run(tiny_bench(script), tmp_path, [script.Row("decoder")], 0.0)
    assert len(script.read_rows(tmp_path)) == 2, "no row begins when the minutes are over"


def test_the_benchmark_needs_torch_numpy_and_safetensors_alone(repository: Path) -> None:
    """All that such a machine has: whatever else is imported is refused."""
    program = (
        "import sys; sys.path.insert(0, 'gpu');"
        "import torch, numpy, safetensors.torch;"
        "from importlib.abc import MetaPathFinder;"
        "had = {n.split('.')[0] for n in sys.modules} | sys.stdlib_module_names;"
        "ours = {'worldgym', 'roofline', 'sd_decoder', 'bench'};"
        "find = lambda self, name, path=None, target=None: ("
        "None if name.split('.')[0] in had | ours else exec(f'raise ImportError({name!r})'));"
        "sys.meta_path.insert(0, type('Refuses', (MetaPathFinder,), {'find_spec': find})());"
        "import bench"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=repository, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
