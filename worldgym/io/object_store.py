"""A folder in an object store ("s3://BUCKET/FOLDER"), by fsspec. An object appears whole or not at
all, and cannot be appended to.

Credentials come from where the store's library looks for them (environment, ~/.aws, the machine's
role); an address that contains some is refused, because addresses are kept in logs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from worldgym.errors import InputError, MissingExtra
from worldgym.io.files import atomic_file
from worldgym.io.user_code import Failure, attempt

ADDRESS = re.compile(r"([a-z][a-z0-9+]*)://(.+)")
BLOCK = 2**23  # bytes in memory at once
EXTRAS = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
}
T = TypeVar("T")


class StoreFault(InputError):
    """The store cannot be reached, or refuses."""


class ObjectExists(InputError):
    """An object that was to be new is there."""


def is_store(place: str | Path) -> bool:
    """Whether it is the address of an object store, and no path."""
    return isinstance(place, str) and ADDRESS.fullmatch(place) is not None


class ObjectStore:
    """One folder of a store. Names are relative to it. StoreFault, in one sentence, for whatever
    the store or its library raises."""

    def __init__(self, url: str) -> None:
        """MissingExtra where the library of such addresses is not installed."""
        found = ADDRESS.fullmatch(url)
        if found is None or not found[2].strip("/"):
            raise InputError(f'"{url}" is no folder of a store: give one like s3://BUCKET/FOLDER')
        scheme, place = found[1], found[2]
        if "@" in place.partition("/")[0]:
            raise InputError(
                f"an address with credentials in it would be kept in logs: leave them out of "
                f"{scheme}://... and give them by the environment"
            )
        self.url = url.rstrip("/")
        self._fs, self._root = self._opened(scheme)

    def _opened(self, scheme: str) -> tuple[Any, str]:
        try:
            from fsspec.core import url_to_fs
        except ImportError as error:
            raise MissingExtra("fsspec", "s3", f"{scheme}:// addresses") from error
        made = attempt(partial(url_to_fs, self.url))
        if not isinstance(made, Failure):
            made[0].invalidate_cache()
            return made[0], str(made[1]).rstrip("/")
        if isinstance(made.error, ImportError):
            package = EXTRAS.get(scheme, f"fsspec's library for {scheme}")
            if package == "s3fs":
                raise MissingExtra(package, "s3", f"{scheme}:// addresses") from made.error
            raise InputError(f"{self.url} needs the package {package}: install it with pip")
        raise InputError(
            f"{self.url}: {made.reason}; give an address like s3://BUCKET/FOLDER"
        ) from made.error

    def names(self, below: str = "") -> dict[str, int]:
        """Sizes in bytes of all objects below a folder, by name; empty where nothing is there."""
        place = f"{self._root}/{below}".rstrip("/")

        def listed() -> dict[str, int]:
            self._fs.invalidate_cache()
            try:
                found = self._fs.find(place, detail=True)
            except FileNotFoundError:
                return {}
            return {str(name): int(told["size"]) for name, told in found.items()}

        start = len(self._root) + 1
        return {name[start:]: size for name, size in self._call(listed).items()}

    def blocks(self, name: str) -> Iterator[bytes]:
        """The bytes of an object, a few megabytes at a time."""
        file = self._call(partial(self._fs.open, self._at(name), "rb", block_size=BLOCK))
        try:
            while data := self._call(partial(file.read, BLOCK)):
                yield data
        finally:
            file.close()

    def fetch(self, name: str, path: Path) -> None:
        """Into a file, whole or not at all."""
        with atomic_file(path) as file:
            for data in self.blocks(name):
                file.write(data)

    def put(self, name: str, path: Path) -> None:
        """A file as an object, replacing one of this name."""
        if path.stat().st_size <= BLOCK:
            self._call(partial(self._fs.pipe_file, self._at(name), path.read_bytes()))
            return

        def copy() -> None:
            to = self._fs.open(self._at(name), "wb", block_size=BLOCK, autocommit=False)
            with path.open("rb") as file:
                while data := file.read(BLOCK):
                    to.write(data)
            to.close()
            to.commit()  # not before is there anything

        self._call(copy)

    def put_new(self, name: str, data: bytes) -> None:
        """An object that is not there yet. ObjectExists where it is."""
        made = attempt(partial(self._fs.pipe_file, self._at(name), data, mode="create"))
        if not isinstance(made, Failure):
            return
        if isinstance(made.error, FileExistsError) or "PreconditionFailed" in made.reason:
            raise ObjectExists(f"{self.url}/{name} is there already")
        raise self._fault(made)

    def remove(self, names: Iterable[str]) -> None:
        for name in names:
            self._call(partial(self._fs.rm_file, self._at(name)))

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _call(self, call: Callable[[], T]) -> T:
        made = attempt(call)
        if isinstance(made, Failure):
            raise self._fault(made)
        return made

    def _fault(self, failure: Failure) -> StoreFault:
        return StoreFault(f"{self.url} cannot be used: {failure.first_line}")
