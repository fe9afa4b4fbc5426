"""Damaged files of every format give our own errors: no crash, no other exception, no hang, no
flood of memory.

Bytes are flipped, cut, doubled and set to extremes; JSON also gets other values in its places. The
fast test takes a few hundred inputs, the slow one 10,000 or more a parser; both repeat exactly from
their seeds.
"""

from __future__ import annotations

import json
import math
import resource
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from damage import mutated, with_other_value
from PIL import Image
from synthetic_sets import (
    WRITERS,
    example,
    record,
    recordings,
    rlds_features,
    write_lerobot_v2,
    write_lerobot_v3,
)

from worldgym.actions.conventions import convention, load_convention
from worldgym.episodes.recording import SourceOptions
from worldgym.episodes.sources import open_source
from worldgym.errors import WorldGymError
from worldgym.tasks.task_folder import load_tasks

pytest.importorskip("pyarrow", reason="the extra [data] is not installed")
pytest.importorskip("h5py", reason="the extra [data] is not installed")

MAX_SECONDS, MAX_GROWTH_KB = 5.0, 2**20
A_PARSER = 10_000  # inputs of the slow test, shared by the files that a parser reads

TARGETS: dict[
    str, tuple[str, str, str]
] = {  # what is mutated => (parser, set, the end of its file's path)
    "tfrecord": ("tfrecord", "rlds", "00001"),
    "tfrecord, checksums fixed": ("tfrecord", "rlds", "00001"),
    "dataset_info.json": ("json", "rlds", "dataset_info.json"),
    "features.json": ("json", "rlds", "features.json"),
    "lerobot v2.1 info.json": ("json", "lerobot_v2", "info.json"),
    "lerobot v3.0 info.json": ("json", "lerobot_v3", "info.json"),
    "episodes.jsonl": ("json", "lerobot_v2", "episodes.jsonl"),
    "parquet rows": ("parquet", "lerobot_v2", "episode_000000.parquet"),
    "parquet episodes": ("parquet", "lerobot_v3", "meta/episodes/chunk-000/file-000.parquet"),
    "mp4 of one episode": ("mp4", "mp4_npz", "000.mp4"),
    "mp4 of many episodes": (
        "mp4",
        "lerobot_v3",
        "observation.images.front/chunk-000/file-000.mp4",
    ),
    "npz": ("npz", "mp4_npz", "000.npz"),
    "hdf5": ("hdf5", "robomimic", "demos.hdf5"),
    "hdf5 of any camera": ("hdf5", "isaac", "recorded.hdf5"),
    "hdf5 of JPEG": ("hdf5", "robotwin", "episode0.hdf5"),
    "tasks.jsonl": ("json", "subtasks_v2", "tasks.jsonl"),
    "parquet tasks": ("parquet", "subtasks_v3", "tasks.parquet"),
    "annotation": ("json", "droid", "0.json"),
    "task image": ("png", "tasks", "a.png"),
    "task text": ("json", "tasks", "a.json"),
    "convention": ("json", "convention", "spec.json"),
}


def damage(what: str, data: bytes, rng: np.random.Generator) -> bytes:
    if what == "tfrecord, checksums fixed":
        return record(mutated(example(rlds_features(recordings(1)[0])), rng))
    if what.endswith(".jsonl") and rng.random() < 0.7:
        return with_other_value(data.splitlines()[0], rng) + b"\n"
    if what.endswith(".json") or what in ("annotation", "task text", "convention"):
        return with_other_value(data, rng) if rng.random() < 0.7 else mutated(data, rng)
    return mutated(data, rng)


def read_all(root: Path) -> None:
    """Opens whatever `root` holds, and reads all of it."""
    if root.name == "tasks":
        load_tasks(root)
    elif root.name == "convention":
        load_convention(str(root / "spec.json"))
    else:
        source = open_source(
            root,
            SourceOptions(
                convention="" if root.name in ("droid", "rlds") else "bridge_v2", subtasks="split"
            ),
        )
        for listed in source.listing()[:3]:
            try:
                source.read(listed.name)
            except WorldGymError:
                continue


@pytest.fixture(scope="session")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every synthetic set in a folder of its name."""
    root = tmp_path_factory.mktemp("fuzz")
    for kind in {kind for _, kind, _ in TARGETS.values()} & set(WRITERS):
        WRITERS[kind](root / kind, recordings(1 if kind == "rlds" else 2))
    write_lerobot_v2(root / "subtasks_v2", recordings(1), subtasks=True)
    write_lerobot_v3(root / "subtasks_v3", recordings(1), subtasks=True)
    (root / "tasks").mkdir()
    Image.fromarray(recordings(1)[0].frames[0]).save(root / "tasks" / "a.png")
    (root / "tasks" / "a.json").write_text(
        json.dumps({"instruction": "go", "steps": 3, "tags": ["x"], "group": "g"})
    )
    (root / "convention").mkdir()
    (root / "convention" / "spec.json").write_text(json.dumps(convention("viola").to_json()))
    return root


Attack = Callable[[str, int, int], None]


@pytest.fixture
def attack(sets: Path) -> Attack:
    """attack(what, seed, count): reads the set with a file damaged anew each time, and fixes it in
    the end."""

    def run(what: str, seed: int, count: int) -> None:
        _, kind, ending = TARGETS[what]
        (path,) = (path for path in (sets / kind).rglob("*") if str(path).endswith(ending))
        whole, rng = path.read_bytes(), np.random.default_rng(seed)
        try:
            for i in range(count):
                bad = damage(what, whole, rng)
                path.write_bytes(bad)
                began = time.process_time()
                try:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")  # of the libraries below, about the damage
                        read_all(sets / kind)
                except WorldGymError as error:
                    assert str(error), "an error without a sentence"
                except Exception as error:
                    raise AssertionError(
                        f"{what}, input {i} of seed {seed}: {type(error).__name__} {error}"
                    ) from error
                assert time.process_time() - began < MAX_SECONDS, (
                    f"{what}, input {i} of seed {seed} took too long"
                )
        finally:
            path.write_bytes(whole)
        read_all(sets / kind)

    return run


@pytest.mark.parametrize("what", sorted(TARGETS))
def test_damage_gives_our_errors(what: str, attack: Attack) -> None:
    attack(what, 0, 25)


@pytest.mark.slow
@pytest.mark.parametrize("what", sorted(TARGETS))
def test_much_damage_gives_our_errors(what: str, attack: Attack) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    files = sum(parser == TARGETS[what][0] for parser, _, _ in TARGETS.values())
    attack(what, 1, math.ceil(A_PARSER / files))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MAX_GROWTH_KB
