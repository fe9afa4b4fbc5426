import json
import lzma
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from worldgym.errors import CheckpointError, InputError
from worldgym.io.checkpoint import (
    fingerprint,
    load_folder,
    pack_folder,
    read_config,
    reconfigure,
    save_folder,
)

CONFIG = {"kind": "toy", "width": 3}
TENSORS = {"w": torch.arange(6.0).reshape(2, 3) / 7, "steps": torch.tensor(5)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_folder(tmp_path / "toy", CONFIG, TENSORS, "# toy\n")
    return tmp_path / "toy"


def test_round_trip(folder: Path) -> None:
    config, tensors = load_folder(folder, "toy")
    assert config == CONFIG
    assert all(torch.equal(tensors[name], value) for name, value in TENSORS.items())
    assert (folder / "README.md").read_text() == "# toy\n"
    assert set(json.loads((folder / "manifest.json").read_text())) == {
        "config.json",
        "model.safetensors",
        "README.md",
    }
    assert [path.name for path in folder.parent.iterdir()] == ["toy"]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1))
def test_half_precision_keeps_eight_bits(
    tmp_path_factory: pytest.TempPathFactory, values: list[float]
) -> None:
    folder = tmp_path_factory.mktemp("half") / "toy"
    save_folder(
        folder, CONFIG, {"w": torch.tensor(values), "i": torch.tensor([300])}, "", half=True
    )
    tensors = load_folder(folder, "toy")[1]
    assert tensors["w"].dtype == torch.float32 and tensors["i"].tolist() == [300]
    torch.testing.assert_close(tensors["w"], torch.tensor(values), rtol=2**-8, atol=1e-37)


def test_saving_again_replaces_and_changes_the_fingerprint(folder: Path) -> None:
    before = fingerprint(folder)
    save_folder(folder, CONFIG, {"w": torch.zeros(1)}, "")
    assert load_folder(folder, "toy")[1]["w"].tolist() == [0.0]
    assert fingerprint(folder) != before
    assert [path.name for path in folder.parent.iterdir()] == ["toy"]


def test_a_kill_between_the_two_renames_is_mended(folder: Path) -> None:
    folder.rename(folder.with_name(".toy.older"))
    assert load_folder(folder, "toy")[0] == CONFIG


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "README.md", "manifest.json"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=name):
        load_folder(folder, "toy")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "README.md"])
def test_a_truncated_file_is_named(folder: Path, name: str) -> None:
    (folder / name).write_bytes((folder / name).read_bytes()[:-1])
    with pytest.raises(CheckpointError, match=f"{name}.*sha256"):
        load_folder(folder, "toy")


def test_packing_loses_nothing(folder: Path) -> None:
    before = fingerprint(folder)
    pack_folder(folder)
    pack_folder(folder)
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "config.json",
        "manifest.json",
        "model.safetensors.xz",
    ]
    assert fingerprint(folder) == before
    assert all(
        torch.equal(load_folder(folder, "toy")[1][name], value) for name, value in TENSORS.items()
    )


def test_packed_weights_that_are_cut_altered_or_too_large_are_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack_folder(folder)
    packed = folder / "model.safetensors.xz"
    whole = packed.read_bytes()
    packed.write_bytes(whole[:-9])
    with pytest.raises(CheckpointError, match="cannot be unpacked"):
        load_folder(folder, "toy")
    packed.write_bytes(lzma.compress(lzma.decompress(whole)[:-1]))
    with pytest.raises(CheckpointError, match=r"model\.safetensors.*sha256"):
        load_folder(folder, "toy")
    packed.write_bytes(whole)
    monkeypatch.setattr("worldgym.io.checkpoint.MAX_UNPACKED", 10)
    with pytest.raises(CheckpointError, match="unpacks to more"):
        load_folder(folder, "toy")


def test_weights_outside_the_manifest_are_refused(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["model.safetensors"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        load_folder(folder, "toy")


def test_wrong_kind_and_absent_folder(folder: Path) -> None:
    with pytest.raises(CheckpointError, match='holds a "toy", but a "world" is needed'):
        load_folder(folder, "world")
    with pytest.raises(CheckpointError, match="no such folder"):
        load_folder(folder / "absent", "toy")


def test_a_folder_of_something_else_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(InputError, match="not a checkpoint"):
        save_folder(tmp_path, CONFIG, TENSORS, "")
    save_folder(tmp_path.parent / f"{tmp_path.name}-toy", CONFIG, TENSORS, "")
    with pytest.raises(InputError, match="not a checkpoint"):
        reconfigure(tmp_path.parent / f"{tmp_path.name}-toy", tmp_path, {})
    assert (tmp_path / "letters.txt").read_text() == "dear"
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        save_folder(tmp_path / "file" / "toy", CONFIG, TENSORS, "")


def test_a_reader_between_the_two_renames_does_not_stop_the_writer(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename, read = Path.rename, list[str]()

    def watched(self: Path, target: Path) -> Path:
        if target == folder and not read and self.name != f".{folder.name}.older":
            read.append("once")
            read_config(folder)  # takes the gap for a kill's
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", watched)
    save_folder(folder, {**CONFIG, "width": 9}, TENSORS, "")
    assert read and read_config(folder)["width"] == 9
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


@pytest.mark.parametrize("packed", [False, True])
def test_other_settings_keep_the_weights(tmp_path: Path, packed: bool) -> None:
    source = tmp_path / "toy"
    save_folder(source, {**CONFIG, "sampler": {"steps": 4, "cfg": 1.0}}, TENSORS, "# toy\n")
    if packed:
        pack_folder(source)
    reconfigure(source, tmp_path / "copies" / "two", {"width": 5, "sampler": {"steps": 2}})
    config, tensors = load_folder(tmp_path / "copies" / "two", "toy")
    assert config == {"kind": "toy", "width": 5, "sampler": {"steps": 2, "cfg": 1.0}}
    assert all(torch.equal(tensors[name], value) for name, value in TENSORS.items())
    assert fingerprint(tmp_path / "copies" / "two") != fingerprint(source)
    reconfigure(source, tmp_path / "copies" / "two", {})
    assert fingerprint(tmp_path / "copies" / "two") == fingerprint(source)
    assert [path.name for path in (tmp_path / "copies").iterdir()] == ["two"]


@pytest.mark.parametrize(
    "name", ["config.json", "model.safetensors", "model.safetensors.xz", "manifest.json"]
)
def test_a_git_lfs_pointer_is_called_so(folder: Path, name: str) -> None:
    if name.endswith(".xz"):
        pack_folder(folder)
    (folder / name).write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n"
    )
    with pytest.raises(CheckpointError, match=rf"{name}: only git-lfs's pointer .* git lfs pull"):
        load_folder(folder, "toy")
