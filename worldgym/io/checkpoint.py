"""Checkpoints of every kind: one folder, written whole or not at all, verified before use.

DIR/config.json         "kind" and everything needed to build the object
DIR/model.safetensors   weights; float tensors as bfloat16 if saved with half=True
DIR/README.md           model card
DIR/manifest.json       {file: sha256} of the three others

Instead of model.safetensors there may be model.safetensors.xz: the same bytes, packed to two
thirds. The manifest tells of the unpacked ones, so a checkpoint keeps its identity.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load, load_file, save_file
from torch import Tensor

from worldgym.errors import CheckpointError, InputError
from worldgym.io.files import not_fetched, read_json, sha256_file, write_atomic, write_json
from worldgym.io.migration import migrated_config

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
CARD = "README.md"
MANIFEST = "manifest.json"
PACKED = f"{WEIGHTS}.xz"
# Two bytes per weight: what the two have in common with their like two bytes before is what can be
# packed.
PACKING = [{"id": lzma.FILTER_LZMA2, "preset": 6, "lc": 3, "lp": 1, "pb": 1}]
T = TypeVar("T")
MAX_UNPACKED = 2**30  # bytes; packed checkpoints are small ones that travel with code


def save_folder(
    folder: Path,
    config: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    card: str,
    half: bool = False,
) -> None:
    """Writes a checkpoint, replacing an older one at the same place.

    config: JSON values with a "kind".   card: Markdown.   half: store float32 as bfloat16 (2 bytes
    per weight). InputError if the folder cannot be written or holds something that is not a
    checkpoint."""
    if "kind" not in config:
        raise ValueError('a checkpoint\'s config needs a "kind"')
    _check_replaceable(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    except OSError as error:
        raise InputError(
            f"cannot write {folder}: {error.strerror}; choose a writable folder"
        ) from error
    try:
        temporary.chmod(0o755)
        write_json(temporary / CONFIG, dict(config))
        write_atomic(temporary / CARD, card.encode())
        save_file(
            {name: _stored(tensor, half) for name, tensor in tensors.items()}, temporary / WEIGHTS
        )
        (temporary / WEIGHTS).chmod(0o644)  # safetensors writes for the owner alone
        write_json(
            temporary / MANIFEST,
            {name: sha256_file(temporary / name) for name in (CONFIG, WEIGHTS, CARD)},
        )
        _replace_folder(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def load_folder(folder: Path, kind: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """=> (config, tensors) of a verified checkpoint. Half-precision tensors come back as float32.

    CheckpointError if it is absent, incomplete, altered, or not of this kind.
    """
    packed = _unpacked(folder)
    _verify(folder, packed)
    config = read_config(folder)
    if config.get("kind") != kind:
        raise CheckpointError(
            f'{folder}: holds a "{config.get("kind")}", but a "{kind}" is needed; give another '
            f"folder"
        )
    try:
        tensors = load_file(folder / WEIGHTS) if packed is None else load(packed)
    except SafetensorError as error:
        raise CheckpointError(
            f"{folder / WEIGHTS}: not valid safetensors ({error}); save the checkpoint again"
        ) from error
    return config, {
        name: t.float() if t.dtype == torch.bfloat16 else t for name, t in tensors.items()
    }


def load_any(folder: Path, loaders: Mapping[str, Callable[[Path], T]], what: str) -> T:
    """The object in a folder, made by the loader of its kind.

    loaders: by kind.   what: "a codec", for the error. CheckpointError for a folder of another
    kind, and as `load_folder`."""
    kind = str(read_config(folder).get("kind"))
    if kind not in loaders:
        known = " or ".join(f'"{name}"' for name in loaders)
        raise CheckpointError(
            f'{folder}: holds a "{kind}", but {what} is needed ({known}); give another folder'
        )
    return loaders[kind](folder)


def read_config(folder: Path) -> dict[str, Any]:
    """config.json alone, unverified: enough to see of which kind a checkpoint is."""
    _restore(folder)
    return migrated_config(_read(folder, CONFIG))


def verify_folder(folder: Path) -> None:
    """CheckpointError unless every file of the manifest is there with its hash."""
    _verify(folder, _unpacked(folder))


def pack_folder(folder: Path) -> None:
    """Packs a checkpoint's weights to about two thirds, without loss."""
    verify_folder(folder)
    weights = folder / WEIGHTS
    if weights.exists():
        write_atomic(
            folder / PACKED,
            lzma.compress(weights.read_bytes(), format=lzma.FORMAT_XZ, filters=PACKING),
        )
        weights.unlink()


def reconfigure(folder: Path, out: Path, changes: Mapping[str, Any]) -> None:
    """Writes a copy of a checkpoint with the same weights and other settings, replacing an older
    copy at the same place.

    changes: of its config; an object's keys are replaced one by one, so {"sampler": {"steps": 2}}
    leaves the other settings."""
    verify_folder(folder)
    _check_replaceable(out)
    config = read_config(folder)
    for key, value in changes.items():
        config[key] = {**config[key], **value} if isinstance(value, Mapping) else value
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    try:
        shutil.copytree(folder, temporary, dirs_exist_ok=True)
        write_json(temporary / CONFIG, config)
        write_json(
            temporary / MANIFEST,
            _read(folder, MANIFEST) | {CONFIG: sha256_file(temporary / CONFIG)},
        )
        _replace_folder(temporary, out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _unpacked(folder: Path) -> bytes | None:
    """The weights file, if it lies there packed."""
    _restore(folder)
    path = folder / PACKED
    if not path.exists() or (folder / WEIGHTS).exists():
        return None
    try:
        with lzma.open(path) as file:
            data = file.read(MAX_UNPACKED + 1)
    except (OSError, EOFError, lzma.LZMAError) as error:
        reason = (
            not_fetched(path) or f"{path}: cannot be unpacked ({error}); copy the checkpoint again"
        )
        raise CheckpointError(reason) from error
    if len(data) > MAX_UNPACKED:
        raise CheckpointError(
            f"{path}: unpacks to more than {MAX_UNPACKED >> 20} MiB; ship such weights as {WEIGHTS}"
        )
    return data


def _verify(folder: Path, packed: bytes | None) -> None:
    manifest = _read(folder, MANIFEST)
    for name in sorted({CONFIG, WEIGHTS, *manifest}):
        path = folder / name
        if name == WEIGHTS and packed is not None:
            found = hashlib.sha256(packed).hexdigest()
        elif path.is_file():
            found = sha256_file(path)
        else:
            raise CheckpointError(
                f"{path}: missing, so the checkpoint is incomplete; copy or save it again"
            )
        if manifest.get(name) != found:
            altered = (
                f"{path}: its sha256 is not the manifest's (altered or cut short); copy or save "
                f"the checkpoint again"
            )
            raise CheckpointError(not_fetched(path) or altered)


def copy_folder(folder: Path, target: Path) -> Path:
    """Copies a checkpoint, unless `target` holds it; whole or not at all. CheckpointError if there
    is none in `folder`.

    InputError where `target` holds another.
    """
    read_config(folder)
    if (target / MANIFEST).exists():
        if fingerprint(target) != fingerprint(folder):
            raise InputError(
                f"{target} holds another checkpoint than {folder}; choose another --out, or remove "
                f"it"
            )
    else:
        temporary = target.with_name(f".{target.name}.part")
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.copytree(folder, temporary)
        temporary.rename(target)
    return target


def fingerprint(folder: Path) -> str:
    """12 hexadecimal digits that change with weights or config: identifies a loaded (so verified)
    model in logs and caches."""
    _read(folder, MANIFEST)
    return sha256_file(folder / MANIFEST)[:12]


def _stored(tensor: Tensor, half: bool) -> Tensor:
    kept = tensor.detach().cpu().contiguous()
    return kept.bfloat16() if half and kept.dtype == torch.float32 else kept


def _read(folder: Path, name: str) -> dict[str, Any]:
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: no such folder; give the folder of a checkpoint")
    try:
        return read_json(folder / name, "a checkpoint")
    except InputError as error:
        raise CheckpointError(str(error)) from error


def _older(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.older")


def _check_replaceable(folder: Path) -> None:
    if folder.exists() and not (folder / MANIFEST).exists():
        raise InputError(
            f"{folder} exists and is not a checkpoint; choose another folder or remove it"
        )


def _replace_folder(temporary: Path, folder: Path) -> None:
    """A folder cannot be renamed onto another: the old one steps aside first; `_restore` fixes a
    kill in between."""
    older = _older(folder)
    while True:
        if folder.exists():
            shutil.rmtree(older, ignore_errors=True)
            folder.rename(older)
        try:
            temporary.rename(folder)
            break
        except OSError:
            # else a reader took the gap for a kill's, and put the old one back
            if not folder.exists():
                raise
    shutil.rmtree(older, ignore_errors=True)


def _restore(folder: Path) -> None:
    if not folder.exists() and _older(folder).exists():
        _older(folder).rename(folder)


def config_markdown(config: Mapping[str, Any]) -> str:
    """The config as a Markdown block for a model card."""
    return f"```json\n{json.dumps(dict(config), indent=2)}\n```\n"
