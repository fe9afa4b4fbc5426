"""RLDS sets as TFDS prepares them (Open X-Embodiment, Bridge V2, LIBERO), read without TensorFlow.

    SET/1.0.0/dataset_info.json                        name, splits, episodes per shard
    SET/1.0.0/features.json                            the shapes of everything
    SET/1.0.0/NAME-SPLIT.tfrecord-00000-of-00008       one record an episode

A record is flat: `steps/observation/image` holds the encoded image of every step, `steps/action`
all steps' numbers in a row. What metadata say of one episode (is_last, has_image_0) is not used: in
published sets it is often wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from worldgym.actions.conventions import load_convention
from worldgym.episodes.instructions import called
from worldgym.episodes.readers.keys import listed_keys, no_picture, wanted
from worldgym.episodes.readers.rlds_features import leaves_of, shard_path, shards_of
from worldgym.episodes.readers.rlds_layouts import LAYOUTS, RldsLayout
from worldgym.episodes.readers.tfrecord import (
    feature_values,
    parse_example,
    read_record,
    record_offsets,
)
from worldgym.episodes.recording import (
    AbsentCamera,
    Listed,
    Recording,
    RecordingFacts,
    SourceOptions,
    no_episode,
)
from worldgym.errors import InputError
from worldgym.io.files import read_json, unreadable
from worldgym.io.images import decode_image, resized, stack
from worldgym.io.text import clean
from worldgym.types import Actions, ActionSpec, Frames

STEPS = "steps/"
SEEN = "observation/"
TEXTS = tuple(
    STEPS + name
    for name in (
        # DROID has three wordings
        *("language_instruction", "language_instruction_2", "language_instruction_3"),
        *("observation/natural_language_instruction", "observation/instruction"),
    )
)
VERSION = re.compile(r"[0-9]{1,9}\.[0-9]{1,9}\.[0-9]{1,9}")


def prepared_set(root: Path) -> Path | None:
    """The folder if it holds a prepared version, or the newest version below it, as TFDS takes it;
    None where there is none."""
    if (root / "dataset_info.json").exists():
        return root
    versions = [
        path.parent
        for path in root.glob("*/dataset_info.json")
        if VERSION.fullmatch(path.parent.name)
    ]
    return max(
        versions, key=lambda version: [int(part) for part in version.name.split(".")], default=None
    )


class RldsSource:
    """`worldgym.episodes.recording.Source` over one prepared version of a set, every split of
    it."""

    kind = "rlds"

    def __init__(self, root: Path, options: SourceOptions = SourceOptions()) -> None:
        info = read_json(root / "dataset_info.json", "an RLDS dataset")
        features = read_json(root / "features.json", "an RLDS dataset")
        self.root = root
        self.options = options
        self.dataset = str(info.get("name", ""))
        if (form := str(info.get("fileFormat") or "tfrecord")) != "tfrecord":
            raise InputError(
                f"{root}: its shards are {clean(form)} files, and only tfrecord is read; write it "
                f"again with  tfds "
                f"convert_format --dataset_version_dir={root} --out_file_format=tfrecord "
                f"--out_dir=OUT"
            )
        try:
            self.leaves = dict(leaves_of(features, ""))
            self.shards = dict(shards_of(root, self.dataset, info))
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            raise InputError(
                f"{root}: dataset_info.json or features.json is damaged ({error}); download them "
                f"again"
            ) from error
        self.full = {
            _short(key): key for key in sorted(self.leaves, reverse=True) if key.startswith(STEPS)
        }
        self.scanned: dict[str, tuple[list[int], str]] = {}
        self.layout = LAYOUTS.get(self.dataset, RldsLayout(""))
        images = {
            _short(key): leaf
            for key, leaf in self.leaves.items()
            if leaf.image and key.startswith(STEPS)
        }
        self.cameras = tuple(sorted(images, key=lambda name: (name != self.layout.camera, name)))
        self.depth = {name for name, leaf in images.items() if leaf.depth or no_picture(name)}
        self.camera = options.choose(self.cameras, root, self.depth)
        name = options.convention or self.layout.convention
        self.spec: ActionSpec | None = load_convention(name) if name else None
        numbers = {
            _short(key)
            for key, leaf in self.leaves.items()
            if not leaf.image and key.startswith(STEPS)
        }
        self.actions = self._keys(options.action, numbers, "action", "--action") or list(
            self.layout.actions
        )
        self.states = self._keys(options.state, numbers, "state", "--state") or [
            key for key in ("state",) if key in numbers
        ]

    def _keys(self, named: str, there: set[str], what: str, option: str) -> list[str]:
        """Those named, which may begin with observation/ where it is left out of names here."""
        plain = ",".join(_short(STEPS + key.strip()) for key in named.split(","))
        return wanted(plain, (), there, what, option, f"{self.root}/features.json")

    def _long(self, name: str) -> str:
        """As records have it: "image" => "steps/observation/image"."""
        return self.full.get(name, STEPS + name)

    def listing(self) -> Sequence[Listed]:
        return [
            Listed(f"{shard}-{i:05d}") for shard, count in self.shards.items() for i in range(count)
        ]

    def read(self, name: str) -> Recording:
        record, where = self._record(name)
        features = parse_example(record, where)
        frames = self._frames(features, where)
        n = len(frames)
        actions = np.concatenate(
            [self._numbers(features, key, n, where) for key in self.actions], axis=1
        )
        there = [key for key in self.states if self._long(key) in features]
        states = (
            np.concatenate([self._numbers(features, key, n, where) for key in there], axis=1)
            if there
            else None
        )
        facts = {
            key.removeprefix("episode_metadata/"): clean(_text(features[key], where))
            for key in features
            if key.endswith("file_path")
        }
        instruction, told = self._called(features, n, where)
        told = replace(told, depth=self.camera in self.depth)
        if states is not None:
            told = self._known(told, states.shape[1])
        return Recording(
            frames, actions, states, instruction, where, self.options.fps, extras=facts, facts=told
        )

    def texts(self, name: str) -> Sequence[str]:
        """The instruction of each step of an episode."""
        record, where = self._record(name)
        features = parse_example(record, where)
        return next(
            (
                texts
                for key in TEXTS
                if key in features and any(texts := _texts(features[key], where))
            ),
            [],
        )

    def _frames(self, features: Mapping[str, memoryview], where: str) -> Frames:
        if self._long(self.camera) not in features:
            raise AbsentCamera(
                f"{where}: has no {self._long(self.camera)}, though features.json lists it; "
                f"download the shard again"
            )
        images = feature_values(features[self._long(self.camera)], where)
        if not isinstance(images, list):
            raise InputError(
                f"{where}: {self.camera} holds numbers, not encoded images; choose another camera"
            )
        size = self.options.size
        return stack(
            [
                resized(decode_image(data, f"{where}, frame {t}"), size)
                for t, data in enumerate(images)
            ],
            where,
        )

    def _called(
        self, features: Mapping[str, memoryview], n: int, where: str
    ) -> tuple[str, RecordingFacts]:
        """One text per step under the first key that has any; those under further keys are other
        wordings."""
        told = [
            texts for key in TEXTS if key in features and any(texts := _texts(features[key], where))
        ]
        if not told:
            return called(self.options, ())
        others = [next(filter(None, texts)) for texts in told[1:]]
        return (
            called(self.options, others, told[0])
            if len(told[0]) == n
            else called(self.options, (told[0][0], *others))
        )

    def _known(self, facts: RecordingFacts, size: int) -> RecordingFacts:
        """What is known of the states: of a published set their names; of another, whether its
        description speaks of joints."""
        if self.options.state == "" and self.layout.names:
            return (
                replace(facts, state_names=self.layout.names)
                if size == len(self.layout.names)
                else facts
            )
        said = " ".join(
            leaf.text for key, leaf in self.leaves.items() if _short(key) in self.states
        )
        joints = re.search("joint", said, re.IGNORECASE) and not re.search(
            "eef|end.effector|cartesian|pose", said, re.IGNORECASE
        )
        return (
            replace(facts, no_pose=f'features.json describes them as "{clean(said)[:80]}"')
            if joints
            else facts
        )

    def _record(self, name: str) -> tuple[bytes, str]:
        shard, _, index = name.rpartition("-")
        if shard not in self.shards or not index.isdecimal() or int(index) >= self.shards[shard]:
            raise no_episode(self.root, name)
        path = shard_path(self.root, self.dataset, shard)
        offsets, trouble = self._offsets(shard, path)
        if int(index) >= len(offsets):
            reason = trouble or f"holds {len(offsets)} records, fewer than dataset_info.json says"
            raise unreadable(path, f"{reason}; download the shard again")
        return read_record(path, offsets[int(index)]), f"{path}, record {int(index)}"

    def _offsets(self, shard: str, path: Path) -> tuple[list[int], str]:
        """Where the shard's records begin; it is scanned once, when its first episode is read."""
        if shard not in self.scanned:
            self.scanned[shard] = record_offsets(path)
        return self.scanned[shard]

    def _numbers(
        self, features: Mapping[str, memoryview], name: str, n: int, where: str
    ) -> Actions:
        """float32 [n, k]."""
        key = self._long(name)
        if key not in features:
            near = listed_keys(
                [name.removeprefix(STEPS) for name in features if name.startswith("steps/action")]
            )
            raise InputError(
                f"{where}: has no {key}; it holds {near or 'no action'}; name those that are the "
                f"action with --action"
            )
        values = feature_values(features[key], where)
        if isinstance(values, list) or len(values) == 0 or len(values) % n:
            raise InputError(
                f"{where}: {key} holds {len(values)} values for {n} frames; download the shard "
                f"again"
            )
        return values.reshape(n, -1).astype(np.float32)


def _short(key: str) -> str:
    """ "steps/observation/image" => "image", "steps/action" => "action"."""
    return key.removeprefix(STEPS).removeprefix(SEEN)


def _text(feature: memoryview, where: str) -> str:
    """The first text of a feature; a row of character codes (Language-Table) counts as text."""
    values = feature_values(feature, where)
    if isinstance(values, list):
        return values[0].decode("utf-8", "replace").strip() if values else ""
    return bytes(values[values > 0][:512].astype(np.uint8)).decode("utf-8", "replace").strip()


def _texts(feature: memoryview, where: str) -> list[str]:
    """One text per step, or the few there are; rows of character codes (Language-Table, 512 per
    step) count as one text."""
    values = feature_values(feature, where)
    return (
        [value.decode("utf-8", "replace") for value in values]
        if isinstance(values, list)
        else [_text(feature, where)]
    )
