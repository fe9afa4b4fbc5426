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
    cameras: those that were read.   left_out: the set's other ones."""

    written: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    issues: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    twice: int = 0
    clipped: ClippedCount = field(default_factory=ClippedCount)
    cameras: tuple[str, ...] = ()
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
            kept = (
                f"one camera is kept, {self.cameras[0]}"
                if len(self.cameras) == 1
                else f"kept are the cameras {', '.join(self.cameras)}"
            )
            out.append(
                f"{kept}; left out: {', '.join(self.left_out)} (--camera chooses one, --views "
                f"several)"
            )
        return out
