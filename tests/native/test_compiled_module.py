"""A compiled module computes what the module does, with the module's own weights, and refuses what
it would read wrongly."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from worldgym.errors import InputError
from worldgym.native import compiled_module
from worldgym.native.compiled_module import CompiledModule, NotKept, laid_out


class Adds(nn.Module):
    """Writes what it is given into a buffer of the caller, as the network does into its ring."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(12, 12)

    def forward(self, x: Tensor, kept: tuple[Tensor, ...], place: Tensor) -> Tensor:
        return self.layer(x) + kept[0].index_copy_(0, place, x).sum(0)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def given(rows: int = 1) -> tuple[Any, ...]:
    torch.manual_seed(1)
    return torch.randn(rows, 12), (torch.zeros(8, 12),), torch.arange(rows) + 2


def module() -> Adds:
    torch.manual_seed(0)
    return Adds().eval().requires_grad_(False)


def test_one_program_a_size() -> None:
    plain, compiled = module(), CompiledModule(module(), "adds", "eager")
    for rows in (1, 2, 1):
        wanted, found = given(rows), given(rows)
        with torch.inference_mode():
            assert torch.allclose(plain(*wanted), compiled(*found), atol=1e-6)
        assert torch.equal(wanted[1][0], found[1][0]), "written in place"
    assert compiled.programs == 2


@pytest.mark.skipif(not shutil.which("g++"), reason="no C++ compiler")
def test_machine_code_is_compiled_once_and_has_no_weights(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(NotKept), torch.inference_mode():
        CompiledModule(module(), "adds", "kept")(*given())
    other = module()
    other.layer.bias.fill_(5.0)
    for plain, backend in ((module(), "package"), (other, "package"), (other, "kept")):
        compiled = CompiledModule(plain, "adds", backend)  # type: ignore[arg-type]
        wanted, found = given(), given()
        with torch.inference_mode():
            assert torch.allclose(plain(*wanted), compiled(*found), atol=1e-6)
            assert torch.equal(wanted[1][0], found[1][0])
            plain.layer.bias.add_(1.0)
            assert torch.allclose(plain(*given()), compiled(*given()), atol=1e-6), "shared"
    assert capsys.readouterr().err.count("compiling the adds, once on this machine") == 1
    (program,) = tmp_path.rglob("program.pt2")
    kept = {path.name for path in program.parent.iterdir()}
    assert kept == {"program.pt2", "program.json"}, "no other file is left"


@pytest.mark.parametrize("change", ["name", "layers", "threads", "code", "torch"])
def test_what_a_program_was_compiled_for(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def form(name: str, net: nn.Module) -> object:
        size = tuple((x.shape, x.dtype, x.device) for x in (torch.zeros(1, 12),))
        return CompiledModule(net, name)._form(size, torch.device("cpu"))

    before = form("adds", module())
    assert before == form("adds", module()) and before != form("more", module())
    if change == "layers":
        assert form("adds", module().bfloat16()) != before
    elif change == "threads":
        monkeypatch.setattr(torch, "get_num_threads", lambda: 77)
        assert form("adds", module()) != before
    elif change == "code":
        monkeypatch.setattr(compiled_module, "_code", lambda: "other")
        assert form("adds", module()) != before
    elif change == "torch":
        monkeypatch.setattr(torch, "__version__", "99")
        assert form("adds", module()) != before


def test_what_the_compiler_writes_into_a_program_belongs_to_its_form() -> None:
    """It writes a bias of up to 8 numbers into the code."""
    size = tuple((x.shape, x.dtype, x.device) for x in (torch.zeros(1, 12),))
    for numbers, same in ((8, False), (9, True)):
        one, other = nn.Linear(12, numbers), nn.Linear(12, numbers)
        with torch.no_grad():
            one.bias.fill_(0.0)
            other.bias.fill_(1.0)
        forms = [CompiledModule(net, "")._form(size, torch.device("cpu")) for net in (one, other)]
        assert (forms[0] == forms[1]) == same


def test_what_would_be_read_wrongly_is_refused() -> None:
    compiled = CompiledModule(module(), "adds", "eager")
    x, kept, place = given(2)
    with pytest.raises(ValueError, match="in one piece"):
        compiled(x.T.contiguous().T, kept, place)
    shifted = torch.zeros(25)[1:].view(2, 12)
    with pytest.raises(ValueError, match="in one piece"):
        compiled(shifted, kept, place)
    assert torch.equal(compiled(laid_out(shifted), kept, place), compiled(x * 0, *given(2)[1:]))


def test_a_machine_that_cannot_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object, **__: object) -> None:
        raise RuntimeError("no C++ compiler\nfound")

    monkeypatch.setattr("torch._inductor.aoti_compile_and_package", refuses)
    with pytest.raises(InputError, match=r"cannot be compiled here \(no C\+\+ compiler found\)"):
        CompiledModule(module(), "adds")(*given())
