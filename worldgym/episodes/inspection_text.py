"""An inspection as text for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from worldgym.episodes.inspection_result import Inspection
from worldgym.io.text import amount, clean

SHOWN = 5  # instructions and broken episodes that are named


def inspection_text(found: Inspection) -> str:
    """A few lines: what there is, a table of the action numbers, alignment, what is broken,
    warnings last."""
    return clean("\n".join(_lines(found)))


def _lines(found: Inspection) -> Iterator[str]:
    yield (
        f"{found.kind}: {amount(found.episodes, 'episode')}, {len(found.read)} read, "
        f"{len(found.broken)} broken"
    )
    yield f"cameras: {', '.join(found.cameras)} (read: {found.camera})"
    if found.views:
        yield f"views: {', '.join(found.views)}"
    if found.lengths:
        low, middle, high = (int(x) for x in np.quantile(found.lengths, (0.0, 0.5, 1.0)))
        yield (
            f"frames: {_counts(found.sizes)}; {_counts(found.rates)}; length {low} to {high}, "
            f"median {middle}"
        )
        yield f"outcome: {_counts(found.outcomes)}"
    for text, count in found.instructions.most_common(SHOWN):
        yield f"  {count} x " + (f'"{text}"' if text else "no instruction")
    yield from _table(found)
    if found.alignment:
        for what, measured in (
            ("picture", found.alignment.pixels),
            ("states", found.alignment.states),
        ):
            if measured:
                lags = "  ".join(
                    f"{lag:+d}: {'-' if value is None else f'{value:.2f}'}"
                    for lag, value in measured.items()
                )
                yield (
                    f"motion of {what} from t to t + 1 against action t + lag, correlation  {lags}"
                )
    if found.resampling:
        yield found.resampling
    for name, reason in list(found.broken.items())[:SHOWN]:
        yield f"broken {name}: {reason}"
    for warning in found.warnings():
        yield f"warning: {warning}"


def _table(found: Inspection) -> Iterator[str]:
    if not found.actions:
        return
    columns = ("min", "q01", "mean", "std", "q99", "max")
    width = max(len(name) for name in found.names)
    yield " " * (width + 2) + "".join(f"{column:>10}" for column in columns)
    for i, name in enumerate(found.names):
        yield f"  {name:<{width}}" + "".join(
            f"{found.actions[column][i]:>10.4f}" for column in columns
        )


def _counts(counter: Counter[str]) -> str:
    return ", ".join(
        f"{key} ({count})" if len(counter) > 1 else key for key, count in counter.most_common()
    )
