"""Rows of a benchmark, each written as soon as it is known, so that a run that ends early can be
continued: OUT/rows.jsonl holds one line per row: what was asked, what was found, or why it
broke."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import torch

from worldgym.io.devices import device_name
from worldgym.io.jsonl import LineFile, each_line, json_line

ROWS_NAME = "rows.jsonl"
R = TypeVar("R")


def read_rows(out: Path) -> list[dict[str, Any]]:
    """A torn last line, of a run that ended in it, is left out."""
    path = out / ROWS_NAME
    if not path.exists():
        return []
    remedy = "remove the line, and its row is measured again"
    return [line.data for line in each_line(path, "rows of a benchmark", remedy)]


def do_rows(
    out: Path,
    rows: Iterable[R],
    measure: Callable[[R], dict[str, Any]],
    device: str,
    minutes: float,
) -> None:
    """Does what OUT lacks of the rows, which are dataclasses, until the minutes are over; a row
    that has begun is finished. One that broke is not tried again unless its line is removed."""
    done = [line["asked"] for line in read_rows(out)]
    ends = time.monotonic() + 60.0 * minutes
    with LineFile(out / ROWS_NAME) as file:
        for row in dict.fromkeys(rows):
            asked: dict[str, Any] = asdict(row)  # type: ignore[call-overload]
            if asked in done or time.monotonic() > ends:
                continue
            started = time.perf_counter()
            line: dict[str, Any] = {"asked": asked, "device": device_name(device)}
            try:
                found = measure(row)
                json_line(found)  # figures that JSON lacks break a row too
                line["found"] = found
            except Exception as error:  # a row that breaks must not end the rest
                line["broke"] = " ".join(f"{type(error).__name__}: {error}".split())[:500]
            line["seconds"] = round(time.perf_counter() - started, 2)
            file.append(line)
            print(json_line(line).decode(), end="", file=sys.stderr, flush=True)
            gc.collect()
            if torch.device(device).type == "cuda":
                torch.cuda.empty_cache()
