"""Where a policy or a world comes from and how it is to be read:
KIND:PLACE?option=value&option=value."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl

from worldgym.errors import InputError, did_you_mean
from worldgym.io.files import digest_of_files, sha256_file

SECONDS = re.compile(r"[0-9]{1,5}(\.[0-9]{1,3})?")
YES, NO = ("yes", "true", "1"), ("no", "false", "0")


@dataclass(frozen=True)
class NamedSource:
    """ "openvla:weights/7b?convention=bridge_v2" is of the kind "openvla", lies at "weights/7b",
    and has one option.   what: that it names, for messages: "policy", "world"."""

    text: str
    kind: str
    place: str
    options: Mapping[str, str]
    what: str = "policy"

    @staticmethod
    def parse(text: str, what: str = "policy") -> NamedSource:
        """InputError for options that are not option=value, or given twice."""
        kind, _, rest = text.partition(":")
        place, asked, query = rest.partition("?")
        try:
            pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True) if asked else []
        except ValueError as error:
            raise InputError(
                f'{what} "{text}": {error}; options look like ?option=value&option=value'
            ) from error
        if len(dict(pairs)) < len(pairs):
            raise InputError(f'{what} "{text}": an option is given twice; leave one out')
        return NamedSource(text, kind, place, dict(pairs), what)

    @property
    def identity(self) -> str:
        """Kind, options and a digest of the files, wherever they lie; the text itself where the
        place is no folder."""
        if not os.path.isdir(self.place):
            return self.text
        options = "&".join(f"{name}={value}" for name, value in sorted(self.options.items()))
        return f"{self.kind}:{digest_of_files(Path(self.place))}?{options}"

    def code(self, files: Sequence[Path] = ()) -> str:
        """12 hexadecimal digits of the contents of these files and of those that the options name;
        "" where there are none."""
        named = [
            Path(value)
            for value in self.options.values()
            if 0 < len(value) < 4096 and os.path.exists(value)
        ]
        found = [
            digest_of_files(path) if path.is_dir() else sha256_file(path)
            for path in (*files, *named)
            if path.exists()
        ]
        return hashlib.sha256("".join(found).encode()).hexdigest()[:12] if found else ""

    def check_options(self, *known: str) -> None:
        if unknown := [name for name in self.options if name not in known]:
            hint = did_you_mean(unknown[0], known)
            raise InputError(
                f'{self.what} "{self.text}": the unknown option "{unknown[0]}"{hint}; options are '
                f"{', '.join(known) or 'none'}"
            )

    def needed(self, name: str, what: str) -> str:
        """The option's value. InputError saying `what` it is where it is missing."""
        if not self.options.get(name):
            joint = "&" if self.options else "?"
            raise InputError(
                f'{self.what} "{self.text}" does not say {what}: add {joint}{name}=...'
            )
        return self.options[name]

    def names(self, name: str) -> tuple[str, ...]:
        """ "a,b" => ("a", "b"); () where the option is missing."""
        return tuple(part for part in self.options.get(name, "").split(",") if part)

    def whole(self, name: str, default: int, most: int) -> int:
        value = self.options.get(name, str(default))
        if not (
            value.isascii() and value.isdecimal() and len(value) < 10 and 1 <= int(value) <= most
        ):
            raise InputError(
                f'{self.what} "{self.text}": {name} is "{value}"; give a whole number from 1 '
                f"to {most}"
            )
        return int(value)

    def seconds(self, name: str, default: float) -> float:
        value = self.options.get(name, str(default))
        if not SECONDS.fullmatch(value) or float(value) == 0.0:
            raise InputError(
                f'{self.what} "{self.text}": {name} is "{value}"; give seconds above 0'
            )
        return float(value)

    def flag(self, name: str) -> bool:
        value = self.options.get(name, "no").lower()
        if value not in YES + NO:
            raise InputError(f'{self.what} "{self.text}": {name} is "{value}"; give yes or no')
        return value in YES
