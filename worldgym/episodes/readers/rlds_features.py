"""What the two JSON files of a set that TensorFlow Datasets prepared say of it: its features and
its shards."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worldgym.errors import InputError

MAX_EPISODES = 10_000_000  # a set that claims more is damaged
MAX_DEPTH = 20  # of nested features


@dataclass(frozen=True)
class Leaf:
    """image: whether encoded.   depth: of one channel, or of more than 8 bits.   text: its
    description."""

    image: bool
    depth: bool
    text: str


def leaves_of(feature: Any, path: str, depth: int = 0) -> Iterator[tuple[str, Leaf]]:
    """Every image and table of numbers in features.json by its flat name."""
    if not isinstance(feature, dict) or depth > MAX_DEPTH:
        raise InputError(
            f"features.json: {path or 'its top'} is not a feature; download the set again"
        )
    if "featuresDict" in feature:
        for name, inner in feature["featuresDict"].get("features", {}).items():
            yield from leaves_of(inner, f"{path}/{name}" if path else name, depth + 1)
    elif "sequence" in feature:
        yield from leaves_of(feature["sequence"].get("feature"), path, depth + 1)
    elif "image" in feature or "tensor" in feature:
        form = feature["image" if "image" in feature else "tensor"]
        sizes = [int(size) for size in form.get("shape", {}).get("dimensions", [])]
        single = (len(sizes) == 3 and sizes[2] == 1) or form.get("dtype", "uint8") != "uint8"
        yield path, Leaf("image" in feature, single, str(feature.get("description") or ""))


def shards_of(root: Path, dataset: str, info: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """("train-00000", episodes in it) of every shard that dataset_info.json names."""
    total = 0
    for split in info.get("splits", []):
        for i, count in enumerate(split.get("shardLengths", [])):
            total += int(count)
            if total > MAX_EPISODES or int(count) < 0:
                raise InputError(
                    f"{root}/dataset_info.json: claims {total} episodes; download the set again"
                )
            yield f"{split['name']}-{i:05d}", int(count)
    if not total:
        raise InputError(
            f"{root}/dataset_info.json: lists no episode of {dataset or 'the set'}; download the "
            f"set again"
        )


def shard_path(root: Path, dataset: str, shard: str) -> Path:
    split, _, index = shard.rpartition("-")
    pattern = re.compile(re.escape(f"{dataset}-{split}.tfrecord-{index}-of-") + r"\d{5}")
    found = [path for path in sorted(root.iterdir()) if pattern.fullmatch(path.name)]
    return found[0] if found else root / f"{dataset}-{split}.tfrecord-{index}-of-?????"
