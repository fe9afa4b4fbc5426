"""What an inspection found: counts, statistics, and a sentence for everything that looks wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from worldgym.actions.embodiment import GRIPPER
from worldgym.episodes.action_statistics import Statistics
from worldgym.episodes.alignment import Alignment
from worldgym.episodes.quality import with_remedy
from worldgym.report.formats import hundredths
from worldgym.types import Frames

NAMED = 3  # episodes that a warning names


@dataclass
class Inspection:
    """episodes: listed.   read: names of those read.   broken: name => what is wrong.   lengths:
    frames of those read.

    actions: statistics a number.   outside: share of numbers beyond the convention's bounds, a
    number; empty without one.
    notes: what readers did to make episodes fit => number of episodes.   hints: what the format
    makes likely.
    issues: kind of fault => episode => detail (see quality.py).   contradictions: of the set's
    metadata.
    views: names of the views that are read, where there are several.   absent: view => number of
    episodes recorded without it. copies: episode => the one read before that it equals.
    first_still: share of episodes whose first action moves nothing. resampling: what
    `convert --fps` would do, where that was asked.
    """

    kind: str
    cameras: tuple[str, ...]
    camera: str
    episodes: int
    read: list[str] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)
    lengths: list[int] = field(default_factory=list)
    sizes: Counter[str] = field(default_factory=Counter)
    rates: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    instructions: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    hints: list[str] = field(default_factory=list)
    issues: dict[str, dict[str, str]] = field(default_factory=dict)
    contradictions: list[str] = field(default_factory=list)
    copies: dict[str, str] = field(default_factory=dict)
    resampling: str = ""
    views: tuple[str, ...] = ()
    absent: Counter[str] = field(default_factory=Counter)
    names: list[str] = field(default_factory=list)
    actions: Statistics = field(default_factory=dict)
    outside: list[float] = field(default_factory=list)
    expected: int | None = None
    first_still: float = 0.0
    alignment: Alignment | None = None
    sheet: Frames | None = None

    def warnings(self) -> list[str]:
        """One sentence for everything a user should look at before training."""
        return [
            *self._about_actions(),
            *self._about_pictures_and_texts(),
            *self.contradictions,
            *self._about_episodes(),
            *self.hints,
        ]

    def _about_actions(self) -> list[str]:
        out = (
            [f"{len(self.broken)} of {len(self.broken) + len(self.read)} episodes are broken"]
            if self.broken
            else []
        )
        if self.alignment and (sentence := self.alignment.warning()):
            out.append(sentence)
        if self.first_still >= 0.5:
            out.append(
                f"the first action moves nothing in {hundredths(self.first_still)}% of the "
                f"episodes: consider --drop-first"
            )
        if self.names and self.expected not in (None, len(self.names)):
            out.append(
                f"actions hold {len(self.names)} numbers, the convention {self.expected}: is it "
                f"the right convention?"
            )
        wide = [
            f"{name} {share:.1%}"
            for name, share in zip(self.names, self.outside, strict=False)
            if share > 0.01
        ]
        if wide:
            out.append(
                f"numbers beyond the convention's bounds ({', '.join(wide)}): is it the right "
                f"convention?"
            )
        return out + self._constant_grippers()

    def _about_pictures_and_texts(self) -> list[str]:
        out = []
        if len(self.sizes) > 1:
            out.append(
                f"frames of different sizes ({', '.join(self.sizes)}): give --size to convert them"
            )
        if self.read and set(self.instructions) == {""}:
            out.append(
                "no episode says what it does: a policy and a judge need one; give it with "
                "--instruction"
            )
        elif silent := self.instructions[""]:
            out.append(
                f"{silent} of {len(self.read)} episodes do not say what they do, so they become no "
                f"task: give an instruction for them with --instruction"
            )
        return out

    def _about_episodes(self) -> list[str]:
        out = [
            f"{with_remedy(kind)}: {_named(found, len(self.read))}"
            for kind, found in self.issues.items()
        ]
        if self.copies:
            pairs = [f"{name} as {first}" for name, first in list(self.copies.items())[:NAMED]]
            out.append(
                f"{len(self.copies)} of {len(self.read)} episodes equal another one "
                f"({_listed(pairs, len(self.copies))})"
            )
        out += [
            f"{note} ({count} of {len(self.read)} episodes)" for note, count in self.notes.items()
        ]
        out += [
            f"the view {view} is absent in {count} of {len(self.read)} episodes"
            for view, count in self.absent.items()
        ]
        return out

    def _constant_grippers(self) -> list[str]:
        """A gripper whose command never changes: recorded so, or read from the wrong column."""
        if not self.actions:
            return []
        low, high = self.actions["min"], self.actions["max"]
        return [
            f"{name} is {low[i]:g} in every action read: it never opens or closes, so no policy "
            f"trained on these recordings can grasp; is it the right column?"
            for i, name in enumerate(self.names)
            if name.endswith(GRIPPER) and low[i] == high[i]
        ]

    def to_json(self) -> dict[str, Any]:
        """Everything but the contact sheet."""
        data = {
            key: value for key, value in vars(self).items() if key not in ("sheet", "alignment")
        }
        data["alignment"] = asdict(self.alignment) if self.alignment else None
        return {**data, "warnings": self.warnings()}


def _named(found: Mapping[str, str], of: int) -> str:
    """ "3 of 10 episodes (a: 5 frames; b; ...)"."""
    each = [f"{name}: {detail}" if detail else name for name, detail in list(found.items())[:NAMED]]
    return f"{len(found)} of {of} episodes ({_listed(each, len(found))})"


def _listed(parts: Sequence[str], of: int) -> str:
    return "; ".join(parts) + ("; ..." if of > len(parts) else "")
