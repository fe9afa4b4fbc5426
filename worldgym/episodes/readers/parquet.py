"""Tables of parquet files, which may be damaged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from worldgym.errors import InputError, MissingExtra
from worldgym.io.files import unreadable
from worldgym.types import Actions

if TYPE_CHECKING:
    from pyarrow import Table
    from pyarrow.parquet import ParquetFile

MAX_ROWS = 20_000_000  # read at once: a few bytes can claim any number


def read_parquet(path: Path, columns: Sequence[str], episode: int | None = None) -> Table:
    """Those of the columns that a parquet file has, all rows or those of one episode in the order
    of its frames.

    Row groups are read one by one in this thread, and found by the column itself. On damaged files
    pyarrow's scanner with a filter was seen to hang, and its row group statistics to abort the
    process.
    """
    try:
        import pyarrow
        from pyarrow import compute, parquet
    except ImportError as error:
        raise MissingExtra("pyarrow", "data", "reading a LeRobot dataset") from error
    try:
        with parquet.ParquetFile(path, pre_buffer=False) as file:
            if file.metadata.num_rows > MAX_ROWS:
                raise InputError(f"{path}: claims {file.metadata.num_rows} rows; download it again")
            there = [name for name in file.schema_arrow.names if name in columns]
            groups = (
                list(range(file.num_row_groups)) if episode is None else _groups_of(file, episode)
            )
            table = file.read_row_groups(groups, columns=there, use_threads=False)
            table.validate(full=True)  # texts that are no UTF-8 would fail when they are looked at
            if episode is None:
                return table
            return table.filter(compute.equal(table["episode_index"], episode)).sort_by(
                "frame_index"
            )
    except (OSError, KeyError, ValueError, pyarrow.ArrowException, OverflowError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise unreadable(path, f"not a readable table ({reason}); download it again") from error


def _groups_of(file: ParquetFile, episode: int) -> list[int]:
    """The row groups that hold rows of the episode."""
    index = file.read(columns=["episode_index"], use_threads=False)["episode_index"].to_numpy()
    ends = np.cumsum([file.metadata.row_group(g).num_rows for g in range(file.num_row_groups)])
    return [
        int(g)
        for g in np.unique(np.searchsorted(ends, np.flatnonzero(index == episode), side="right"))
        if g < len(ends)
    ]


def column_matrix(table: Table, column: str, where: str) -> Actions:
    """float32 [N, k] of a column of lists or of plain numbers."""
    try:
        values = np.array(table[column].to_pylist(), np.float32)
    except (TypeError, ValueError, KeyError) as error:
        raise InputError(
            f"{where}: {column} has rows of different lengths ({error}); re-export it"
        ) from error
    return values.reshape(len(table), -1) if len(table) else np.zeros((0, 0), np.float32)
