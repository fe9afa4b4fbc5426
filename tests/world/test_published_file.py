"""A published file is checked before anything is made of it: bytes, formats, numbers; and what is
wrong is one sentence of ours."""

from __future__ import annotations

import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from worldgym.errors import CheckpointError, InputError
from worldgym.world.published_file import read_weights


def saved(file: Path, content: Any) -> Path:
    torch.save(content, file)
    return file


def refused(file: Path) -> str:
    with pytest.raises(CheckpointError) as error:
        read_weights(file)
    said = str(error.value)
    assert said.startswith(f"{file}: ") and "\n" not in said and "\x1b" not in said
    assert "weights_only" not in said and "torch.serialization" not in said
    return said


def test_weights_are_read_as_they_were_saved(tmp_path: Path) -> None:
    kinds = (torch.float32, torch.bfloat16, torch.float16)
    weights = {str(kind): torch.randn(3, 2).to(kind) for kind in kinds}
    found, branch = read_weights(saved(tmp_path / "a.pt", {"ema": weights, "model": {}}))
    assert branch == "ema" and found.keys() == weights.keys()
    assert all(torch.equal(found[name], weights[name]) for name in weights)


def test_every_flipped_byte_of_a_record_is_seen(tmp_path: Path) -> None:
    file = saved(tmp_path / "a.pt", {"w": torch.arange(64.0)})
    data = bytearray(file.read_bytes())
    begin = data.find(torch.arange(64.0).numpy().tobytes())
    for place in (begin, begin + 101, begin + 255):
        turned = bytearray(data)
        turned[place] ^= 0x10
        file.write_bytes(turned)
        assert "altered since it was saved" in refused(file)


def test_no_flipped_byte_of_a_file_is_a_traceback(tmp_path: Path) -> None:
    file = saved(tmp_path / "a.pt", {"w": torch.arange(8.0)})
    data = file.read_bytes()
    other = tmp_path / "b.pt"
    for place in range(len(data)):
        other.unlink(missing_ok=True)
        other.write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
        try:
            found, _ = read_weights(other)
        except CheckpointError as error:
            assert str(error).isprintable()
        else:  # a byte that fills up a record, or of one that is not read
            assert found["w"].tolist() == list(range(8))


@pytest.mark.parametrize("pickled", [b"\x80\x02h\x05.", b"\x80\x02u.", b"\x80\x02X\x01"])
def test_a_broken_pickle_is_refused_in_one_sentence(tmp_path: Path, pickled: bytes) -> None:
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("a/data.pkl", pickled)
        archive.writestr("a/version", "3\n")
    assert "altered since it was saved" in refused(tmp_path / "a.pt")


def test_a_name_that_a_terminal_obeys_is_not_shown_as_it_is(tmp_path: Path) -> None:
    file = saved(tmp_path / "a.pt", {"\x1b[31mw\n": torch.tensor(float("nan"))})
    assert "a.pt: ?[31mw? holds" in refused(file)


def test_advice_of_torch_is_not_shown(tmp_path: Path) -> None:
    with warnings.catch_warnings(action="ignore"):
        torch.jit.script(torch.nn.Linear(2, 2)).save(str(tmp_path / "a.pt"))
    with warnings.catch_warnings(record=True) as said:
        assert "not as torch.save writes files" in refused(tmp_path / "a.pt")
    assert not said


def test_a_file_without_checksums_is_read(tmp_path: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        file = saved(tmp_path / "a.pt", {"w": torch.ones(2)})
    finally:
        torch.serialization.set_crc32_options(True)
    assert read_weights(file)[0]["w"].tolist() == [1.0, 1.0]


class Odd:
    """No plain tensor."""


@pytest.mark.parametrize(
    ("weight", "said"),
    [
        (torch.eye(3).to_sparse(), "w is sparse, nested or quantized"),
        (torch.ones(1).expand(10**13), r"has fewer numbers in the file than its shape \[10000"),
        (torch.ones(2, device="meta"), "has fewer numbers in the file than its shape"),
        (torch.arange(3), "w holds int64, and only float32, bfloat16 and float16 are read"),
        (torch.ones(2, dtype=torch.float64), "w holds float64"),
        (torch.ones(2, dtype=torch.complex64), "w holds complex64"),
        (torch.tensor([1.0, float("nan")]), "w holds numbers that are not finite"),
        (torch.tensor([float("-inf")], dtype=torch.float16), "not finite"),
        ([1.0], "w is no tensor"),
        (Odd(), r"asks for [\w.]+\.Odd, which is no plain tensor, and nothing in the file is run"),
    ],
)
def test_odd_weights_are_refused_in_one_sentence(tmp_path: Path, weight: Any, said: str) -> None:
    assert re.search(said, refused(saved(tmp_path / "a.pt", {"model": {"w": weight}})))


def test_what_is_no_file_of_torch_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.pt"
    for content in (b"", b"not a checkpoint", b"PK\x03\x04cut short"):
        file.write_bytes(content)
        assert "no file that torch.save wrote" in refused(file)
    saved(file, {"w": torch.ones(10)})
    file.write_bytes(file.read_bytes()[:-40])
    assert "cut short" in refused(file)
    with pytest.raises(InputError, match="no such file"):
        read_weights(tmp_path / "b.pt")
