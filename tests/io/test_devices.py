"""One option, one resolver: what its words mean, and what is said where a device is not there."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from worldgym.errors import InputError
from worldgym.io.devices import device_name, gpu_share, resolve_device
from worldgym.judges.load_judge import load_judge
from worldgym.policies.load_policy import load_policy
from worldgym.train.training_state import hold_settings
from worldgym.world.world_checkpoint import load_diffusion_world


def cards(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "H200")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def test_words(monkeypatch: pytest.MonkeyPatch) -> None:
    cards(monkeypatch, 0)
    assert resolve_device("auto") == resolve_device("cpu") == "cpu"
    cards(monkeypatch, 2)
    assert resolve_device("auto") == resolve_device("cuda") == "cuda"
    assert resolve_device("cuda:1") == "cuda:1"
    assert device_name("cuda:1") == "cuda: H200" and device_name(torch.device("cpu")) == "cpu"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert resolve_device("mps") == "mps" and resolve_device("auto") == "cuda"


@pytest.mark.parametrize(
    ("asked", "count", "said"),
    [
        ("cuda", 0, "device cuda: PyTorch sees no CUDA GPU on this machine"),
        ("cuda:7", 2, "device cuda:7: this machine has cuda:0, cuda:1 only; choose one of them"),
        ("mps", 1, "device mps: PyTorch sees no Apple GPU on this machine; choose cpu or auto"),
        ("gpu", 1, 'there is no device "gpu": it is one of auto, cpu, cuda, cuda:N or mps'),
        ("meta", 1, 'there is no device "meta"'),
        ("cuda:", 1, 'there is no device "cuda:"'),
        ("", 1, 'there is no device ""'),
    ],
)
def test_what_is_not_there_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, asked: str, count: int, said: str
) -> None:
    cards(monkeypatch, count)
    with pytest.raises(InputError) as wrong:
        resolve_device(asked)
    assert str(wrong.value).startswith(said) and "\n" not in str(wrong.value)


def test_the_share_of_a_gpu_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    cards(monkeypatch, 0)
    assert gpu_share() is None
    cards(monkeypatch, 1)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (0, 80 * 2**30))
    for reserved, share in ((0, None), (2**30, 0.03), (15 * 2**30, 0.22), (80 * 2**30, 1.0)):
        monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda reserved=reserved: reserved)
        assert gpu_share() == share


def test_every_loader_asks_before_it_reads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cards(monkeypatch, 0)
    nowhere = tmp_path / "nothing"
    for load in (load_diffusion_world, load_judge, load_policy):
        with pytest.raises(InputError, match="sees no CUDA GPU"):
            load(nowhere, device="cuda:0")


def test_a_training_goes_on_elsewhere_only_where_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hold_settings(tmp_path, {"batch": "24"}, "cpu")
    hold_settings(tmp_path, {"batch": "24"}, "cpu")
    with pytest.raises(InputError, match=r"began on cpu, and on cuda .* --other-device"):
        hold_settings(tmp_path, {"batch": "24"}, "cuda:1")
    assert not capsys.readouterr().err
    hold_settings(tmp_path, {"batch": "24"}, "cuda:1", other_device=True)
    assert "began on cpu, and continues on cuda" in capsys.readouterr().err
    with pytest.raises(InputError, match="another batch"):
        hold_settings(tmp_path, {"batch": "256"}, "cuda")
