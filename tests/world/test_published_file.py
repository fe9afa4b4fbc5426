"""A published file is checked before anything is made of it: bytes, formats, numbers; and what is
wrong is one sentence of ours."""

from __future__ import annotations

import re
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
        (torch.eye(3).to_sparse(), "w is sparse or quantized"),
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
