"""What a conversion did, and what a user should know of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from worldgym.episodes.clipping import ClippedCount
from worldgym.episodes.quality import with_remedy


@dataclass
class Converted:
    """written: names.   kept: names of those that were in the store before.   skipped: name => what
    was wrong.

    issues: kind => number of episodes written that have it.   twice: number of them that equal
    another one written.
    notes: what was done to read them => number of episodes written.
    camera: the one that was read.   left_out: the set's other cameras, which no store holds yet."""

    written: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    issues: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    twice: int = 0
    clipped: ClippedCount = field(default_factory=ClippedCount)
    camera: str = ""
    left_out: tuple[str, ...] = ()

    def sentences(self) -> list[str]:
        """What a user should know of the episodes that were written."""
        out = [
            f"{text}: {count} of {len(self.written)} episodes"
            for found in (self.issues, self.notes)
            for text, count in ((with_remedy(kind), n) for kind, n in found.most_common())
        ]
        out += (
            [f"{self.twice} of {len(self.written)} episodes are equal to another one"]
            if self.twice
            else []
        )
        out += [self.clipped.sentence()] if self.clipped.touched else []
        if self.left_out:
            out.append(
                f"one camera is kept, {self.camera}; left out: {', '.join(self.left_out)} "
                f"(--camera chooses)"
            )
        return out
