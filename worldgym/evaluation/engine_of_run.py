"""The engine that a run continues with."""

from __future__ import annotations

from pathlib import Path

from worldgym.io.run_log import LOG_NAME, has_begun, read_header
from worldgym.io.run_records import ENGINE_KEY
from worldgym.world.engine_choice import Engine, engine_told, known_engine


def engine_of_run(asked: str, run_dir: Path) -> Engine:
    """What was asked for; for "auto" that of the run that is there, so that no run mixes two
    unasked. InputError for another word."""
    engine = known_engine(asked)
    if engine != "auto" or not has_begun(run_dir):
        return engine
    return engine_told(read_header(run_dir / LOG_NAME).config.get(ENGINE_KEY))
