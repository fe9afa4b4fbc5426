"""Tables of numbers for a terminal of any width: names are folded, columns go to further tables, a
number is never broken."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

BETWEEN = 2  # characters that a column takes beside its content
HEADING = 12  # characters of a word of a heading that are kept together
NARROWEST = 8  # characters of the rows' names


@dataclass(frozen=True)
class Grid:
    """corner: heading of the rows' names.   rows: (name, cells) each; a cell may have several
    lines.   ruled: a line between."""

    title: str
    corner: str
    columns: Sequence[str]
    rows: Sequence[tuple[Text, Sequence[Text]]]
    ruled: bool = False

    def print(self, console: Console) -> None:
        """As few tables as fit, each no wider than the console unless one column of numbers alone
        is."""
        widths = [self._width(j) for j in range(len(self.columns))]
        names = self._names(widths, console.width)
        parts = _parts(widths, console.width - 1 - names - BETWEEN)
        for i, part in enumerate(parts):
            console.print(
                Text(
                    self.title
                    if len(parts) == 1
                    else f"{self.title} (table {i + 1} of {len(parts)})",
                    "italic",
                )
            )
            width = console.width
            needed = 1 + sum(w + BETWEEN for w in (names, *(widths[j] for j in part)))
            # where there is no room for one number, it is not cut all the same
            console.width = max(width, needed)
            console.print(self._table(part, names, widths))
            console.width = width

    def _names(self, widths: Sequence[int], width: int) -> int:
        """Characters of the rows' names, which are folded first."""
        return min(
            max([len(self.corner), *(len(name.plain) for name, _ in self.rows)]),
            max(NARROWEST, width // 3, width - 1 - BETWEEN - sum(w + BETWEEN for w in widths)),
            max(NARROWEST, width - 1 - 2 * BETWEEN - max(widths, default=0)),
        )

    def _width(self, column: int) -> int:
        """What its widest number and the words of its heading need."""
        numbers = [len(line) for _, cells in self.rows for line in cells[column].plain.split("\n")]
        return max([*numbers, *(min(len(word), HEADING) for word in _words(self.columns[column]))])

    def _table(self, part: Sequence[int], names: int, widths: Sequence[int]) -> Table:
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_lines=self.ruled)
        table.add_column(self.corner, width=names, no_wrap=True)
        for column in part:
            heading = Text(folded(self.columns[column], widths[column]))
            table.add_column(heading, width=widths[column], justify="right", no_wrap=True)
        for name, cells in self.rows:
            table.add_row(
                Text(folded(name.plain, names), name.style), *(cells[column] for column in part)
            )
        return table


def folded(name: str, width: int) -> str:
    """A name in lines of at most `width` characters, broken between its words where that is
    possible."""
    lines = [""]
    for word in _words(name):
        if lines[-1] and len(lines[-1] + word.rstrip()) > width:
            lines.append("")
        lines[-1] += word
        while len(lines[-1].rstrip()) > width:
            lines[-1:] = [lines[-1][:width], lines[-1][width:]]
    return "\n".join(line.rstrip() for line in lines)


def _words(name: str) -> list[str]:
    """ "door-open v2" => ["door-", "open ", "v2"]."""
    return re.findall(r"[^-_/@. ]*[-_/@. ]|[^-_/@. ]+$", name) or [name]


def _parts(widths: Sequence[int], room: int) -> list[list[int]]:
    """Columns in order, in as few parts as have room for them, and these as even as possible."""
    fewest = len(_filled(widths, room))
    for least in range(max(widths, default=0) + BETWEEN, max(room, 0) + 1):
        if len(parts := _filled(widths, least)) == fewest:
            return parts
    return _filled(widths, room)


def _filled(widths: Sequence[int], room: int) -> list[list[int]]:
    parts = list[list[int]]()
    left = 0
    for column, width in enumerate(widths):
        if not parts or left < width + BETWEEN:
            parts.append([])
            left = room
        parts[-1].append(column)
        left -= width + BETWEEN
    return parts or [[]]
