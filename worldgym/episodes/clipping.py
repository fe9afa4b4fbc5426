"""How much the bounds of a target convention clip from actions that are converted to it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from worldgym.actions.convert import Clipped
from worldgym.errors import InputError


@dataclass(frozen=True)
class ClippedCount:
    """actions: converted.   touched: of them with a number that was clipped.   numbers: name => how
    often.

    metres: motion that was taken away, summed over all actions; None where it cannot be said in
    metres."""

    actions: int = 0
    touched: int = 0
    numbers: Counter[str] = field(default_factory=Counter)
    metres: float | None = None

    @staticmethod
    def of(made: Clipped) -> ClippedCount:
        per_number = made.touched.sum(axis=0)
        numbers = {
            name: int(count)
            for name, count in zip(made.spec.names, per_number, strict=True)
            if count
        }
        return ClippedCount(
            len(made.actions), int(made.touched.any(axis=1).sum()), Counter(numbers), made.metres
        )

    def plus(self, other: ClippedCount) -> ClippedCount:
        known = [metres for metres in (self.metres, other.metres) if metres is not None]
        metres = sum(known) if known else None
        return ClippedCount(
            self.actions + other.actions,
            self.touched + other.touched,
            self.numbers + other.numbers,
            metres,
        )

    @property
    def share(self) -> float:
        return self.touched / self.actions if self.actions else 0.0

    def sentence(self) -> str:
        """How many and how much; "" where nothing was clipped."""
        if not self.touched:
            return ""
        each = ", ".join(f"{name} {count}" for name, count in self.numbers.most_common())
        moved = f", {100 * self.metres:.1f} cm of motion in all" if self.metres is not None else ""
        return (
            f"{self.touched} of {self.actions} actions ({self.share:.1%}) are out of bounds and "
            f"are clipped: {each}{moved}"
        )

    def check(self, most: float, where: str) -> None:
        """InputError where a larger share than `most` is clipped."""
        if self.share > most:
            raise InputError(
                f"{where}: {self.sentence()}; choose another --to-convention, or allow it with "
                f"--most-clipped {self.share:.2g}"
            )
