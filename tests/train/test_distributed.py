from __future__ import annotations

import os
import socket
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.train.distributed import (
    ProcessGroup,
    Shards,
    process_group,
    rank_zero_first,
)

SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tiny_networks import tiny_codec, tiny_world
from worldgym.train.recipes import RECIPES, Recipe
from worldgym.train.training_requests import TrainRequest
from worldgym.train.codec_and_world import train_codec_and_world
if __name__ == "__main__":
    RECIPES["tiny"] = Recipe(tiny_codec, tiny_world)
    store, out, processes = Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
    request = TrainRequest((f"square={store}",), (store,), out, "tiny", processes=processes)
    train_codec_and_world(request)
"""


def test_alone_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    with process_group("cpu", 4) as device, rank_zero_first():
        assert device == "cpu" and ProcessGroup.current() == ProcessGroup(0, 1)


def test_torchrun_starts_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    with pytest.raises(InputError, match="leave out --processes 2"), process_group("cpu", 2):
        pass


@pytest.mark.parametrize(
    ("rank", "count", "rows"), [(0, 1, slice(0, 6)), (1, 2, slice(3, 6)), (2, 3, slice(4, 6))]
)
def test_rows_are_shared_equally(rank: int, count: int, rows: slice) -> None:
    assert ProcessGroup(rank, count).shard(6) == rows
    with pytest.raises(InputError, match="multiple"):
        ProcessGroup(0, 4).shard(6)


@given(st.lists(st.integers(1, 80), min_size=1, max_size=6), st.integers(1, 4))
def test_shares_do_not_overlap_and_are_about_equal(sizes: list[int], count: int) -> None:
    deal = Shards.balanced(sizes, sizes, count)
    for owner in range(count):
        own = sorted(
            (p.start, p.stop) for p, o in zip(deal.places, deal.owners, strict=True) if o == owner
        )
        assert all(before[1] == after[0] for before, after in pairwise(own))
        assert not own or (own[0][0] == 0 and own[-1][1] <= deal.length)
    assert all(p.stop - p.start == size for p, size in zip(deal.places, sizes, strict=True))
    equal = Shards.balanced([32] * (3 * count), [32] * (3 * count), count)
    assert all(equal.owners.count(owner) == 3 for owner in range(count))


# Writes down every batch that a process gets, and has one of them killed once.
KILLED = SCRIPT.replace(
    """if __name__ == "__main__":
""",
    """
import hashlib, os, signal
from worldgym.train import world_training
from dataclasses import replace
from worldgym.train.distributed import ProcessGroup

whole = world_training.make_batch

def noted(tables, config, step, group):
    batch = whole(tables, config, step, group)
    out = Path(sys.argv[3])
    drawn = b"".join(t.numpy().tobytes() for t in (batch.latents, batch.actions, batch.mask))
    with (out / f"batches-{group.rank}").open("a") as file:
        print(step, hashlib.sha256(drawn).hexdigest(), file=file)
    mark = out / "killed"
    if len(sys.argv) > 5 and step == 5 and group.rank == 1 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return batch

world_training.make_batch = noted

def longer(out, device):
    config = tiny_world(out, device)
    return replace(config, optimizer=replace(config.optimizer, steps=8))

if __name__ == "__main__":
""",
).replace("Recipe(tiny_codec, tiny_world)", "Recipe(tiny_codec, longer)")


@pytest.mark.slow
def test_a_worker_killed_mid_epoch_goes_on_with_the_same_batches(
    episode_store: EpisodeStore, tmp_path: Path
) -> None:
    """By torchrun, which starts both processes again: from the last state, in the same order, to
    the same bits."""
    script = tmp_path / "run.py"
    script.write_text(KILLED)
    for name, more in (("whole", ()), ("killed", ("kill",))):
        (tmp_path / name).mkdir()
        done = started(
            ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
            + ["--max-restarts", "5", str(script), str(Path(__file__).parents[1])]
            + [str(episode_store.root), str(tmp_path / name), "1", *more]
        )
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "killed" / "killed").exists() and not (tmp_path / "whole/killed").exists()
    for rank in range(2):
        whole, killed = (
            [
                line.split()
                for line in (tmp_path / name / f"batches-{rank}").read_text().splitlines()
            ]
            for name in ("whole", "killed")
        )
        assert [int(step) for step, _ in whole] == list(range(8))
        assert {tuple(line) for line in killed} == {tuple(line) for line in whole}
        steps = [int(step) for step, _ in killed]
        assert steps[6] in (2, 4), "from a state, not from the start"
        assert steps == [*range(6), *range(steps[6], 8)]
    weights = [
        load_file(tmp_path / name / "world" / "model.safetensors") for name in ("whole", "killed")
    ]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def how_started() -> dict[str, Any]:
    """Options of `subprocess.run`: one thread a process."""
    environment = os.environ | {
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "GLOO_SOCKET_IFNAME": "lo",
        "OMP_NUM_THREADS": "1",
    }
    return {"env": environment, "capture_output": True, "text": True, "timeout": 300}


def started(words: list[str]) -> subprocess.CompletedProcess[str]:
    """Python with these words."""
    return subprocess.run([sys.executable, *words], check=False, **how_started())


@pytest.mark.slow
def test_torchrun_trains_what_spawned_processes_train(
    episode_store: EpisodeStore, tmp_path: Path
) -> None:
    """Codec and world from nothing, by two processes each way: the same weights, and one of each
    file."""
    script = tmp_path / "run.py"
    tests = Path(__file__).parents[1]
    script.write_text(SCRIPT)
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    for out, starter, processes in (("spawned", [], "2"), ("torchrun", torchrun, "1")):
        command = [
            *starter,
            str(script),
            str(tests),
            str(episode_store.root),
            str(tmp_path / out),
            processes,
        ]
        done = started(command)
        assert done.returncode == 0, done.stderr
    spawned, found = (
        load_file(tmp_path / out / "world" / "model.safetensors") for out in ("spawned", "torchrun")
    )
    assert spawned.keys() == found.keys() and all(
        torch.equal(spawned[name], found[name]) for name in found
    )


@pytest.mark.slow
def test_tasks_of_a_ray_cluster_train_what_spawned_processes_train(
    episode_store: EpisodeStore, tmp_path: Path
) -> None:
    """A task for each of two nodes, that runs torchrun: what docs/world-model.md says of Ray."""
    ray = pytest.importorskip("ray", reason="the extra ray is not installed")
    script = tmp_path / "run.py"
    script.write_text(SCRIPT)
    words = [str(script), str(Path(__file__).parents[1]), str(episode_store.root)]
    done = started([*words, str(tmp_path / "spawned"), "2"])
    assert done.returncode == 0, done.stderr
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        head = f"127.0.0.1:{free.getsockname()[1]}"
    rendezvous = ["--nnodes", "2", "--rdzv-backend", "c10d", "--rdzv-endpoint", head]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "1"]
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        node = ray.remote(num_cpus=1)(subprocess.run)
        command = [*torchrun, *rendezvous, *words, str(tmp_path / "ray"), "1"]
        ends = ray.get([node.remote(command, **how_started()) for _ in range(2)])
    finally:
        ray.shutdown()
    assert [end.returncode for end in ends] == [0, 0], ends[0].stderr
    spawned, found = (
        load_file(tmp_path / out / "world" / "model.safetensors") for out in ("spawned", "ray")
    )
    assert spawned.keys() == found.keys() and all(
        torch.equal(spawned[name], found[name]) for name in found
    )
