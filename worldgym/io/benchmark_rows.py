"""Rows of a benchmark, each written down as soon as it is known, so that a run that ends early goes
on: OUT/rows.jsonl holds one line per row, what was asked, what was found, or why it broke."""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import torch

from worldgym.io.devices import device_name

ROWS_NAME = "rows.jsonl"
R = TypeVar("R")


def read_rows(out: Path) -> list[dict[str, Any]]:
    """A torn last line, of a run that ended in it, is left out."""
    path = out / ROWS_NAME
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def do_rows(
    out: Path,
    rows: Iterable[R],
    measure: Callable[[R], dict[str, Any]],
    device: str,
    minutes: float,
) -> None:
    """Does what OUT lacks of the rows, which are dataclasses, until the minutes are over; a row
    that has begun is finished. One that broke is not tried again unless its line is removed."""
    out.mkdir(parents=True, exist_ok=True)
    found = read_rows(out)
    whole = "".join(json.dumps(line) + "\n" for line in found)
    (out / ROWS_NAME).write_text(whole, encoding="utf-8")
    done = [line["asked"] for line in found]
    ends = time.monotonic() + 60.0 * minutes
    for row in dict.fromkeys(rows):
        if asdict(row) in done or time.monotonic() > ends:  # type: ignore[call-overload]
            continue
        started = time.perf_counter()
        line: dict[str, Any] = {"asked": asdict(row), "device": device_name(device)}  # type: ignore[call-overload]
        try:
            line["found"] = measure(row)
        except Exception as error:  # a row that breaks must not end the rest
            line["broke"] = " ".join(f"{type(error).__name__}: {error}".split())[:500]
        line["seconds"] = round(time.perf_counter() - started, 2)
        with (out / ROWS_NAME).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(json.dumps(line), file=sys.stderr, flush=True)
        gc.collect()
        if torch.device(device).type == "cuda":
            torch.cuda.empty_cache()
