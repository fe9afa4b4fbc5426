"""Where the metadata of a LeRobot dataset contradict each other: counts, and segments that overlap.
Tables are not read."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from worldgym.episodes.readers.parquet import read_parquet
from worldgym.errors import InputError
from worldgym.io.files import read_json

Row = Mapping[str, Any]


def contradictions(root: Path) -> list[str]:
    """One sentence each; [] for datasets of other formats."""
    if not (root / "meta" / "info.json").exists():
        return []
    info = read_json(root / "meta" / "info.json", "a LeRobot dataset")
    rows = _listed(root)
    return [*_counts(info, rows), *_repeated(rows), *_overlaps(rows)]


def _listed(root: Path) -> list[Row]:
    """The list of episodes; damaged lines are the reader's to complain of."""
    jsonl = root / "meta" / "episodes.jsonl"
    try:
        if jsonl.exists():
            return [json.loads(line) for line in jsonl.read_text(encoding="utf-8").splitlines()]
        files = sorted((root / "meta" / "episodes").rglob("*.parquet"))
        return [row for path in files for row in read_parquet(path, _columns(path)).to_pylist()]
    except (OSError, ValueError, InputError):
        return []


def _columns(path: Path) -> list[str]:
    from pyarrow import parquet

    names = parquet.ParquetFile(path).schema_arrow.names
    return [name for name in names if not name.startswith(("stats/", "tasks"))]


def _counts(info: Row, rows: Sequence[Row]) -> Iterator[str]:
    found = {
        "total_episodes": len(rows),
        "total_frames": sum(int(row.get("length") or 0) for row in rows),
    }
    for key, count in found.items():
        if key in info and info[key] != count:
            yield f"info.json states {key} {info[key]}, its list of episodes has {count}"
    for row in rows:
        first = row.get("dataset_from_index")
        end = row.get("dataset_to_index")
        if first is not None and end is not None and end - first != row.get("length"):
            yield (
                f"episode {row.get('episode_index')} has {row.get('length')} frames, but its rows "
                f"are {first} to {end} of the "
                f"tables"
            )


def _repeated(rows: Sequence[Row]) -> Iterator[str]:
    numbers = Counter(str(row.get("episode_index")) for row in rows)
    if twice := [number for number, count in numbers.items() if count > 1]:
        yield (
            f"the list of episodes holds {len(twice)} numbers more than once "
            f"({', '.join(twice[:3])})"
        )


def _overlaps(rows: Sequence[Row]) -> Iterator[str]:
    """Episodes that share rows of the tables, or seconds of a video."""
    rowsof = [
        (row.get("dataset_from_index"), row.get("dataset_to_index"), row.get("episode_index"))
        for row in rows
    ]
    yield from _shared("rows of the tables", {"": rowsof}, 0.0)
    for key in sorted(
        {
            name.removesuffix("/from_timestamp")
            for row in rows
            for name in row
            if name.endswith("/from_timestamp")
        }
    ):
        files: dict[str, list[tuple[Any, Any, Any]]] = defaultdict(list)
        for row in rows:
            place = f"{row.get(f'{key}/chunk_index')}/{row.get(f'{key}/file_index')}"
            files[place].append(
                (
                    row.get(f"{key}/from_timestamp"),
                    row.get(f"{key}/to_timestamp"),
                    row.get("episode_index"),
                )
            )
        yield from _shared(f"seconds of {key}", files, 1e-3)


def _shared(
    what: str, files: Mapping[str, Sequence[tuple[Any, Any, Any]]], slack: float
) -> Iterator[str]:
    found = []
    for spans in files.values():
        known = sorted(span for span in spans if None not in span)
        for (_, end, one), (begin, _, other) in pairwise(known):
            if begin < end - slack:
                found.append(f"{one} and {other}")
    if found:
        yield (
            f"episodes share {what}: {', '.join(found[:3])}{' ...' if len(found) > 3 else ''} "
            f"({len(found)} in all)"
        )
