"""A module of torch as machine code: one program for each size of what it is given, compiled ahead
of time by torch.export and AOTInductor, and kept on the disk (`program_cache`).

A program contains only weights of a few numbers. It reads the others from the module's memory, so
one program serves all checkpoints of a size whose small weights are equal. Its inputs may be
changed in place, such as a ring of keys and values.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import threading
import warnings
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

import worldgym
from worldgym.errors import InputError
from worldgym.io.devices import device_name
from worldgym.native.processor import instructions
from worldgym.native.program_cache import Form, kept_or_made, kept_program, programs_folder

# "package": machine code, compiled where it is not kept yet.   "kept": machine code that is kept,
# or NotKept.   "eager": what the compiler is given, computed by torch's operations: for tests
Backend = Literal["package", "kept", "eager"]
Size = tuple[tuple[torch.Size, torch.dtype, torch.device], ...]
ROOMS = ("codecs", "native", "world")  # whose code is compiled
ALIGNED = 16  # bytes: programs may read so many at once
INLINED = 8  # numbers of a weight that the compiler may write into the program


class NotKept(Exception):
    """A program would have to be compiled first."""


class CompiledModule:
    """A module that takes tensors, and tuples of them, and gives one tensor; for inference."""

    def __init__(self, module: nn.Module, name: str, backend: Backend = "package") -> None:
        """module: its weights must stay what they are.   name: what it computes, as far as its
        layers and weights do not tell."""
        self._module = module
        self._name = name
        self._backend = backend
        self._programs: dict[Size, Callable[..., Tensor]] = {}
        self._lock = threading.Lock()

    @property
    def programs(self) -> int:
        """Compiled or loaded so far."""
        return len(self._programs)

    def __call__(self, *given: Any) -> Tensor:
        """InputError where there is no program for such sizes and none can be compiled; ValueError
        for a tensor that a program would read wrongly."""
        tensors = tree_leaves(given)
        for x in tensors:
            if not x.is_contiguous() or x.data_ptr() % ALIGNED:
                raise ValueError("a compiled program takes tensors in one piece, see `laid_out`")
        size = tuple((x.shape, x.dtype, x.device) for x in tensors)
        if size not in self._programs:
            with self._lock:
                if size not in self._programs:
                    self._programs[size] = self._program(given, size)
        return self._programs[size](*given)

    def _program(self, given: tuple[Any, ...], size: Size) -> Callable[..., Tensor]:
        if self._backend == "eager":
            found: Callable[..., Tensor] = _exported(self._module, given).module()
            return found
        device = size[0][2]
        form = self._form(size, device)
        if self._backend == "kept":
            path = kept_program(form)
            if path is None:
                raise NotKept
        else:
            path = kept_or_made(form, partial(self._compile, given))
        return _loaded(path, self._module, device)

    def _form(self, size: Size, device: torch.device) -> Form:
        weights = [
            [name, list(x.shape), str(x.dtype), x.tolist() if x.numel() <= INLINED else None]
            for name, x in self._module.state_dict().items()
        ]
        layers = hashlib.sha256(f"{self._module} {weights}".encode()).hexdigest()
        return {
            "name": self._name,
            "layers": layers,
            "given": [[list(shape), str(dtype)] for shape, dtype, _ in size],
            "machine": _machine(device),
            "torch": str(torch.__version__),
            "code": _code(),
        }

    def _compile(self, given: tuple[Any, ...], path: Path) -> None:
        from torch._inductor import aoti_compile_and_package
        from torch._inductor.utils import fresh_cache

        what = self._name.partition(" ")[0]
        print(
            f"worldgym: compiling the {what}, once on this machine (kept in {programs_folder()})",
            file=sys.stderr,
            flush=True,
        )
        settings = {"aot_inductor.package_constants_in_so": False}
        try:
            with warnings.catch_warnings(), fresh_cache(dir=str(path.parent)):
                warnings.simplefilter("ignore")  # torch's of itself
                exported = _exported(self._module, given)
                aoti_compile_and_package(
                    exported, package_path=str(path), inductor_configs=settings
                )
        except Exception as error:  # of a compiler: any
            reason = " ".join(str(error).split())[:200]
            raise InputError(
                f"the {what} cannot be compiled here ({reason}); choose --engine eager"
            ) from error


def batch_bucket(rows: int) -> int:
    """The smallest power of two of at least this many rows: programs are made for few batch
    sizes."""
    return 1 << max(rows - 1, 0).bit_length()


def laid_out(x: Tensor) -> Tensor:
    """Contiguous, at an address that a program may read."""
    x = x.contiguous()
    return x.clone() if x.data_ptr() % ALIGNED else x


def _exported(module: nn.Module, given: tuple[Any, ...]) -> torch.export.ExportedProgram:
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        return torch.export.export(module, given, strict=False)


def _loaded(path: Path, module: nn.Module, device: torch.device) -> Callable[..., Tensor]:
    """With the module's own weights. A program runs once at a time, so there are several for the
    threads of a CPU."""
    runners = os.cpu_count() or 1 if device.type == "cpu" else 1
    index = -1 if device.index is None else device.index
    # `torch._inductor.aoti_load_package` asks the compiler for 5 s what this processor can, and
    # reads the nesting of what is given from JSON at every call
    program = torch._C._aoti.AOTIModelPackageLoader(str(path), "model", False, runners, index)
    weights = module.state_dict()
    wanted = {name: weights[name] for name in program.get_constant_fqns()}
    program.load_constants(wanted, False, True, True)  # all of them, and where they lie

    def run(*given: Any) -> Tensor:
        (out,) = program.boxed_run(tree_leaves(given))
        drawn: Tensor = out
        return drawn

    return run


def _machine(device: torch.device) -> list[str]:
    """What machine code depends on."""
    if device.type == "cuda":
        return [device_name(device), str(torch.version.cuda)]
    threads = f"{torch.get_num_threads()} threads"
    return [device_name(device), platform.machine(), instructions(), threads]


@cache
def _code() -> str:
    """Digest of the source that programs are compiled from."""
    root = Path(worldgym.__file__).parent
    files = sorted(path for room in ROOMS for path in (root / room).glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
