"""The instruction of an episode: its wordings, the texts of its frames, and one episode per subtask
if requested.

Axes legend: N recorded frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from worldgym.episodes.recording import (
    Listed,
    Recording,
    RecordingFacts,
    Source,
    SourceOptions,
    no_episode,
)
from worldgym.io.text import clean
from worldgym.types import ActionSpec

NAMED = {
    "": "all are joined",
    "join": "all are joined",
    "first": "the first one counts",
    "last": "the last one counts",
    "split": "all are joined",
}


def called(
    options: SourceOptions, wordings: Sequence[str], texts: Sequence[str] = ()
) -> tuple[str, RecordingFacts]:
    """=> (the episode's instruction, what is known of it: texts, wordings and notes).

    wordings: texts of the whole episode, each of which says all of it.   texts: of each frame, N;
    "" where none is given."""
    known = tuple(dict.fromkeys(filter(None, map(_plain, wordings))))
    each = tuple(map(_plain, texts))
    order = [text for text, _ in groupby(filter(None, each))]
    if len(order) > 1:
        note = (
            f"the instruction changes within the episode: {NAMED[options.subtasks]} (--subtasks "
            f"chooses)"
        )
        notes = () if options.subtasks == "split" else (note,)  # then each part has its own
        return named_by(options.subtasks, order), RecordingFacts(
            texts=each, wordings=known, notes=notes
        )
    if order:
        known = tuple(dict.fromkeys((*order, *known)))
    if not known:
        return _plain(options.instruction), RecordingFacts()
    chosen = known[min(options.wording, len(known)) - 1]
    number = known.index(chosen) + 1
    several = (
        f"the instruction is worded in several ways: number {number} is taken (--wording chooses)"
    )
    return chosen, RecordingFacts(wordings=known, notes=(several,) if len(known) > 1 else ())


def subtasks(options: SourceOptions, tasks: Sequence[str]) -> tuple[str, RecordingFacts]:
    """As `called`, of an episode with several subtasks of which no file says where they begin."""
    known = tuple(dict.fromkeys(filter(None, map(_plain, tasks))))
    if len(known) < 2:
        return called(options, known)
    note = (
        f"several instructions, and no file says where each begins: {NAMED[options.subtasks]} "
        f"(--subtasks chooses)"
    )
    return named_by(options.subtasks, known), RecordingFacts(wordings=known, notes=(note,))


def named_by(rule: str, order: Sequence[str]) -> str:
    """One text of several subtasks, in their order."""
    return order[0] if rule == "first" else order[-1] if rule == "last" else ", then ".join(order)


def _plain(text: str) -> str:
    """On one line."""
    return " ".join(clean(text).split())


def stretches(texts: Sequence[str]) -> list[tuple[int, int, str]]:
    """(first frame, last frame + 1, text) of each run of frames with one text; frames without any
    belong to the run before."""
    out: list[tuple[int, int, str]] = []
    for t, text in enumerate(map(_plain, texts)):
        if out and (not text or text == out[-1][2] or not out[-1][2]):
            out[-1] = (out[-1][0], t + 1, out[-1][2] or text)
        else:
            out.append((t, t + 1, text))
    return out


@dataclass
class SplitSource:
    """A source with an episode a subtask. texts(name): of each frame of an episode, read without
    decoding any; () = not known."""

    source: Source
    texts: Callable[[str], Sequence[str]]
    parts: dict[str, tuple[str, int, int, str]] = field(default_factory=dict)
    whole: set[str] | None = None  # names of the episodes that are not split; None = not listed yet

    @property
    def kind(self) -> str:
        return self.source.kind

    @property
    def cameras(self) -> tuple[str, ...]:
        return self.source.cameras

    @property
    def camera(self) -> str:
        return self.source.camera

    @property
    def spec(self) -> ActionSpec | None:
        return self.source.spec

    def listing(self) -> Sequence[Listed]:
        listing = [listed for whole in self.source.listing() for listed in self._listed(whole)]
        self.whole = {listed.name for listed in listing} - set(self.parts)
        return listing

    def read(self, name: str) -> Recording:
        if self.whole is None:
            self.listing()
        if name in (self.whole or ()):
            return self.source.read(name)
        if name not in self.parts:
            raise no_episode(self.kind, name)
        whole, first, last, text = self.parts[name]
        return part(self.source.read(whole), first, last, text)

    def _listed(self, whole: Listed) -> Iterator[Listed]:
        found = stretches(self.texts(whole.name))
        if len(found) < 2:
            yield whole
            return
        for number, (first, last, text) in enumerate(found, start=1):
            name = f"{whole.name}-{number}"
            self.parts[name] = (whole.name, first, last, text)
            yield Listed(name, last - first + int(number < len(found)))


def part(recording: Recording, first: int, last: int, text: str) -> Recording:
    """Frames first to last, the one that its last action leads to included. Only the last part has
    the episode's outcome."""
    end = min(last + 1, len(recording.frames))
    facts = recording.facts
    times = None if facts.times is None else facts.times[first:end]
    return replace(
        recording,
        frames=recording.frames[first:end],
        others={
            name: None if frames is None else frames[first:end]
            for name, frames in recording.others.items()
        },
        actions=recording.actions[first : last if last < len(recording.frames) else None],
        states=None if recording.states is None else recording.states[first:end],
        instruction=text,
        source=f"{recording.source}, frames {first} to {end - 1}",
        success=recording.success if last >= len(recording.frames) else None,
        facts=replace(facts, texts=(), wordings=(text,), times=times),
    )
