"""RLDS sets as TFDS prepares them (Open X-Embodiment, Bridge V2, LIBERO), read without TensorFlow.

    SET/1.0.0/dataset_info.json                        name, splits, episodes a shard
    SET/1.0.0/features.json                            the shapes of everything
    SET/1.0.0/NAME-SPLIT.tfrecord-00000-of-00008       one record an episode

A record is flat: `steps/observation/image` holds the encoded image of every step, `steps/action` all steps' numbers in a row.
What metadata say of one episode (is_last, has_image_0) is not used: in published sets it is often wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from worldgym.actions.conventions import load_convention
from worldgym.episodes.images import decode_image, fit, stack
from worldgym.episodes.readers.rlds_layouts import LAYOUTS, RldsLayout
from worldgym.episodes.readers.tfrecord import feature_values, parse_example, read_record, record_offsets
from worldgym.episodes.recording import Listed, Recording, SourceOptions, no_episode
from worldgym.errors import InputError
from worldgym.files import read_json
from worldgym.types import Actions, ActionSpec

IMAGES = "steps/observation/"
TEXTS = ("steps/language_instruction", "steps/observation/natural_language_instruction", "steps/observation/instruction")
MAX_EPISODES = 10_000_000  # a set that claims more is damaged
MAX_DEPTH = 20  # of nested features
VERSION = re.compile(r"[0-9]{1,9}\.[0-9]{1,9}\.[0-9]{1,9}")


def prepared_set(root: Path) -> Path | None:
    """The folder if it holds a prepared version, or the newest version below it, as TFDS takes it; None where there is none."""
    if (root / "dataset_info.json").exists():
        return root
    versions = [path.parent for path in root.glob("*/dataset_info.json") if VERSION.fullmatch(path.parent.name)]
    return max(versions, key=lambda version: [int(part) for part in version.name.split(".")], default=None)


class RldsSource:
    """`worldgym.episodes.recording.Source` over one prepared version of a set, every split of it."""

    kind = "rlds"

    def __init__(self, root: Path, options: SourceOptions = SourceOptions()) -> None:
        info = read_json(root / "dataset_info.json", "an RLDS data set")
        features = read_json(root / "features.json", "an RLDS data set")
        self.root, self.options, self.dataset = root, options, str(info.get("name", ""))
        try:
            self.shapes, self.shards = dict(_leaves(features, "")), dict(_shards(root, self.dataset, info))
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            raise InputError(f"{root}: dataset_info.json or features.json is damaged ({error}); download them again") from error
        self.scanned: dict[str, tuple[list[int], str]] = {}
        self.layout = LAYOUTS.get(self.dataset, RldsLayout(""))
        found = sorted(key.removeprefix(IMAGES) for key, shape in self.shapes.items() if shape is None and key.startswith(IMAGES))
        main = [name for name in found if name == self.layout.camera]
        self.cameras = tuple(main + [name for name in found if name not in main])
        self.camera = options.choose(self.cameras, root)
        name = options.convention or self.layout.convention
        self.spec: ActionSpec | None = load_convention(name) if name else None

    def listing(self) -> Sequence[Listed]:
        return [Listed(f"{shard}-{i:05d}") for shard, count in self.shards.items() for i in range(count)]

    def read(self, name: str) -> Recording:
        record, where = self._record(name)
        features = parse_example(record, where)
        images = feature_values(_one(features, IMAGES + self.camera, where), where)
        if not isinstance(images, list):
            raise InputError(f"{where}: {self.camera} holds numbers, not encoded images; choose another camera")
        frames = stack(
            [fit(decode_image(data, f"{where}, frame {t}"), self.options.size) for t, data in enumerate(images)], where
        )
        n = len(frames)
        actions = np.concatenate([self._numbers(features, f"steps/{key}", n, where) for key in self.layout.actions], axis=1)
        states = f"{IMAGES}state"
        facts = {
            key.removeprefix("episode_metadata/"): _text(features[key], where) for key in features if key.endswith("file_path")
        }
        return Recording(
            frames,
            actions,
            self._numbers(features, states, n, where) if states in features and states in self.shapes else None,
            next((_text(features[key], where) for key in TEXTS if key in features), ""),
            where,
            fps=self.options.fps,
            extras=facts,
        )

    def _record(self, name: str) -> tuple[bytes, str]:
        shard, _, index = name.rpartition("-")
        if shard not in self.shards or not index.isdecimal() or int(index) >= self.shards[shard]:
            raise no_episode(self.root, name)
        path = _shard_path(self.root, self.dataset, shard)
        offsets, trouble = self._offsets(shard, path)
        if int(index) >= len(offsets):
            reason = trouble or f"{path}: holds {len(offsets)} records, fewer than dataset_info.json says"
            raise InputError(f"{reason}; download the shard again")
        return read_record(path, offsets[int(index)]), f"{path}, record {int(index)}"

    def _offsets(self, shard: str, path: Path) -> tuple[list[int], str]:
        """Where the shard's records begin; it is scanned once, when its first episode is read."""
        if shard not in self.scanned:
            self.scanned[shard] = record_offsets(path)
        return self.scanned[shard]

    def _numbers(self, features: Mapping[str, memoryview], key: str, n: int, where: str) -> Actions:
        """float32 [n, k]."""
        if key not in features:
            near = ", ".join(sorted(name.removeprefix("steps/") for name in features if name.startswith("steps/action")))
            raise InputError(f"{where}: has no {key}; it holds {near or 'no action'}, a layout that is not known")
        values = feature_values(features[key], where)
        if isinstance(values, list) or len(values) == 0 or len(values) % n:
            raise InputError(f"{where}: {key} holds {len(values)} values for {n} frames; download the shard again")
        return values.reshape(n, -1).astype(np.float32)


def _one(features: Mapping[str, memoryview], key: str, where: str) -> memoryview:
    if key not in features:
        raise InputError(f"{where}: has no {key}, though features.json lists it; download the shard again")
    return features[key]


def _text(feature: memoryview, where: str) -> str:
    """The first text of a feature; a row of character codes (Language-Table) counts as text."""
    values = feature_values(feature, where)
    if isinstance(values, list):
        return values[0].decode("utf-8", "replace").strip() if values else ""
    return bytes(values[values > 0][:512].astype(np.uint8)).decode("utf-8", "replace").strip()


def _leaves(feature: Any, path: str, depth: int = 0) -> Iterator[tuple[str, tuple[int, ...] | None]]:
    """(flat name, shape a step, None for images) of everything in features.json."""
    if not isinstance(feature, dict) or depth > MAX_DEPTH:
        raise InputError(f"features.json: {path or 'its top'} is not a feature; download the set again")
    if "featuresDict" in feature:
        for name, inner in feature["featuresDict"].get("features", {}).items():
            yield from _leaves(inner, f"{path}/{name}" if path else name, depth + 1)
    elif "sequence" in feature:
        yield from _leaves(feature["sequence"].get("feature"), path, depth + 1)
    elif "image" in feature:
        yield path, None
    elif "tensor" in feature:
        yield path, tuple(int(size) for size in feature["tensor"].get("shape", {}).get("dimensions", []))


def _shards(root: Path, dataset: str, info: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """("train-00000", episodes in it) of every shard that dataset_info.json names."""
    total = 0
    for split in info.get("splits", []):
        for i, count in enumerate(split.get("shardLengths", [])):
            total += int(count)
            if total > MAX_EPISODES or int(count) < 0:
                raise InputError(f"{root}/dataset_info.json: claims {total} episodes; download the set again")
            yield f"{split['name']}-{i:05d}", int(count)
    if not total:
        raise InputError(f"{root}/dataset_info.json: lists no episode of {dataset or 'the set'}; download the set again")


def _shard_path(root: Path, dataset: str, shard: str) -> Path:
    split, _, index = shard.rpartition("-")
    pattern = re.compile(re.escape(f"{dataset}-{split}.tfrecord-{index}-of-") + r"\d{5}")
    found = [path for path in sorted(root.iterdir()) if pattern.fullmatch(path.name)]
    return found[0] if found else root / f"{dataset}-{split}.tfrecord-{index}-of-?????"
