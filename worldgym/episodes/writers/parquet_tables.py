"""The tables of a LeRobot dataset as parquet files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from worldgym.errors import MissingExtra

if TYPE_CHECKING:
    from pyarrow import Table

# what pandas notes of a table whose index is the column "task": lerobot looks tasks up by it
PANDAS_INDEX = json.dumps(
    {
        "index_columns": ["task"],
        "column_indexes": [],
        "columns": [
            {
                "name": "task_index",
                "field_name": "task_index",
                "pandas_type": "int64",
                "numpy_type": "int64",
                "metadata": None,
            },
            {
                "name": "task",
                "field_name": "task",
                "pandas_type": "unicode",
                "numpy_type": "object",
                "metadata": None,
            },
        ],
        "pandas_version": "2.2.0",
    }
).encode()


def write_table(table: Table, path: Path) -> None:
    """Writes one file and the folders above it."""
    from pyarrow import parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, path, compression="snappy")


def pyarrow_module() -> Any:
    """The library. MissingExtra where it is not installed."""
    try:
        import pyarrow
    except ImportError as error:
        raise MissingExtra("pyarrow", "data", "writing a LeRobot dataset") from error
    return pyarrow
