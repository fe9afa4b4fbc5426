"""What a person who compares two videos may know, and where the answers go. The page is
`worldgym.web.label_app`. It does not show which policies the videos are from. The order of the
pairs and the side of each video are drawn from the names of pair and labeller: they do not depend
on when, and in which order, the run's trials were written, and differ between labellers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

from worldgym.errors import InputError
from worldgym.io.video import video_facts
from worldgym.judges.human_preferences import (
    HumanAnswer,
    PairKey,
    Seen,
    append_answer,
    read_answers,
)
from worldgym.judges.label_session import (
    FPS,
    LabelConfig,
    SharedFile,
    browser_video,
    nameless,
)
from worldgym.judges.labels import Clip, frames_digest

LEFT, RIGHT, EQUAL, SKIP = "left", "right", "equal", "skip"


@dataclass(frozen=True)
class ClipPair:
    """clips: of the pair's first policy and of its second."""

    key: PairKey
    clips: tuple[Clip, Clip]

    @property
    def pixels(self) -> tuple[str, str]:
        """Digests of what a judge sees. InputError for a video that cannot be read."""
        one, other = (frames_digest(clip.rollout().frames) for clip in self.clips)
        return one, other


class PairSession:
    """One labeller and their pairs. Video 2 i is on the left of pair i, video 2 i + 1 on its
    right."""

    def __init__(self, pairs: Sequence[ClipPair], config: LabelConfig) -> None:
        """InputError without pairs or labeller."""
        if not pairs:
            raise InputError("no two policies share a trial with videos, so none can be compared")
        if not config.labeller.strip():
            raise InputError(
                "give the name of the person who compares; it is stored with each answer"
            )
        self.config = config
        self.pairs = sorted(pairs, key=lambda pair: self._draw("order", pair))
        self._place = {pair.key: i for i, pair in enumerate(self.pairs)}
        self.answered = list[int]()  # the last one last
        self._file = SharedFile(config.labels)
        self._refresh()

    def swapped(self, number: int) -> bool:
        """Whether the second policy's video is on the left."""
        return self._draw("side", self.pairs[number])[0] % 2 == 1

    def state(self) -> dict[str, Any]:
        """What the page may know: no name of a file, a policy or a task."""
        self._refresh()
        done = set(self.answered)
        following = next((i for i in range(len(self.pairs)) if i not in done), None)
        text = "" if following is None else self.pairs[following].clips[0].instruction
        return {
            "labeller": self.config.labeller,
            "pairs": len(self.pairs),
            "done": len(done),
            "next": following,
            "last": self.answered[-1] if self.answered else None,
            "instruction": text,
        }

    def done(self) -> str:
        """How far they are, in words."""
        self._refresh()
        return f"{len(self.answered)} of {len(self.pairs)} pairs answered"

    def video(self, number: int) -> bytes:
        """As a browser plays it. IndexError for a number that no video has, InputError without its
        name for one that cannot be read."""
        with nameless():
            return browser_video(self._clip(number).video)

    def fps(self, number: int) -> float:
        """Frames per second of a video."""
        with nameless():
            return video_facts(self._clip(number).video).fps or FPS

    def label(self, said: dict[str, Any]) -> None:
        """Appends the answer {"pair": i, "answer": "left", "right", "equal" or "skip"}, or takes
        one back: {"undo": i}. ValueError if it is out of form; InputError where another page has
        answered meanwhile, or for an answer about a video that cannot be read."""
        number, answer = said.get("pair", said.get("undo")), said.get("answer")
        if type(number) is not int or not 0 <= number < len(self.pairs):
            raise ValueError("pair")
        self._refresh()
        if said.keys() == {"undo"}:
            if number not in self.answered:
                raise InputError("there is nothing to take back: this pair has no answer")
            self._append(number, None, undone=True)
            self.answered.remove(number)
            return
        if answer not in (LEFT, RIGHT, EQUAL, SKIP):
            raise ValueError("answer")
        if number in self.answered:
            raise InputError(
                "this pair was answered meanwhile, in another tab or by another program, and that "
                "answer counts"
            )
        winner: str | None
        if answer in (LEFT, RIGHT):
            winner = "first" if (answer == LEFT) != self.swapped(number) else "second"
        else:
            winner = "tie" if answer == EQUAL else None
        self._append(number, winner)
        self.answered.append(number)

    def _append(self, number: int, winner: str | None, undone: bool = False) -> None:
        pair = self.pairs[number]
        key = pair.key
        with nameless():
            seen = Seen(pair.pixels if winner else ("", ""))  # a damaged video can be skipped
        answer = HumanAnswer(
            key.task, key.repeat, key.first, key.second, winner, self.config.labeller, seen, undone
        )
        append_answer(self.config.labels, answer)
        self._file.changed()  # by this answer

    def _clip(self, number: int) -> Clip:
        pair, side = divmod(number, 2)
        return self.pairs[pair].clips[side ^ self.swapped(pair)]

    def _refresh(self) -> None:
        """What this labeller has answered so far, here or elsewhere."""
        if self._file.changed():
            path = self.config.labels
            own = [
                answer.key
                for answer in (read_answers(path) if path.exists() else ())
                if answer.labeller == self.config.labeller
            ]
            self.answered = [self._place[key] for key in own if key in self._place]

    def _draw(self, what: str, pair: ClipPair) -> bytes:
        names = repr((what, self.config.labeller, *astuple(pair.key)))
        return hashlib.sha256(names.encode()).digest()
