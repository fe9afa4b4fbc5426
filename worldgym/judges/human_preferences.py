"""Which of two videos did better, answered by people: a file of comparisons in the format of a
model's, and people as a `PairwiseJudge`.

A file of preferences is JSON Lines, append-only, each line as in OUT/comparisons.jsonl of `worldgym
judge prefer` with "labeller" and "time" besides; the last line of a labeller on a pair counts, and
one with "undone" takes the answer back. `provenance` holds the digests of both videos' pixels: an
answer belongs to what was seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from worldgym.errors import InputError
from worldgym.io.jsonl import CHECKSUM, append_line, read_lines
from worldgym.io.records import from_mapping
from worldgym.judges.labels import frames_digest
from worldgym.judges.majority import most_said
from worldgym.judges.pairwise import PairwiseJudge, Preference
from worldgym.judges.vlm import VlmConfig
from worldgym.types import Rollout, Task, Vote

SCORES = {"first": 1.0, "second": 0.0, "tie": 0.5, None: None}  # of a vote, by winner
SWAPPED = {"first": "second", "second": "first", "tie": "tie", None: None}


@dataclass(frozen=True, order=True)
class PairKey:
    """A trial of two policies; `first` is the one whose name sorts first."""

    task: str
    repeat: int
    first: str
    second: str


@dataclass(frozen=True)
class Seen:
    """Digests of the pixels of both videos; "" where the labeller cannot tell."""

    pixels: tuple[str, str]


@dataclass(frozen=True)
class HumanAnswer:
    """One line of a file of preferences. winner: "first", "second", "tie", or None = cannot
    tell."""

    task: str
    repeat: int
    first: str
    second: str
    winner: str | None
    labeller: str
    provenance: Seen
    undone: bool = False

    def __post_init__(self) -> None:
        if self.winner not in SCORES:
            raise ValueError(f'"winner" is {self.winner}; it is "first", "second", "tie" or null')
        if self.first >= self.second:
            raise ValueError(f'"first" is {self.first}, which must sort before "second"')

    @property
    def key(self) -> PairKey:
        return PairKey(self.task, self.repeat, self.first, self.second)


def comparison_row(
    task: str, repeat: int, first: str, second: str, said: Mapping[str, Any]
) -> dict[str, Any]:
    """A line of a file of comparisons. said: a `Preference` or a `Failure`, as JSON."""
    return {"task": task, "repeat": repeat, "first": first, "second": second, **said}


def append_answer(path: Path, answer: HumanAnswer) -> None:
    """Writes one line through to the disk."""
    cannot = "" if answer.winner else "the labeller cannot tell"
    vote = Vote(SCORES[answer.winner], cannot)
    provenance = {"pixels": list(answer.provenance.pixels)}
    said = asdict(Preference(answer.winner, True, cannot, (vote,), 0.0, 0.0, provenance))
    row = comparison_row(answer.task, answer.repeat, answer.first, answer.second, said)
    time = datetime.now(UTC).isoformat(timespec="seconds")
    undone = {"undone": True} if answer.undone else {}
    append_line(path, {**row, "labeller": answer.labeller, "time": time, **undone})


def read_answers(path: Path) -> list[HumanAnswer]:
    """The last answer of each labeller on each pair, in the order in which they were given. Those
    taken back are left out. InputError for a file or line that cannot be read."""
    remedy = f'fix the line, and remove its "{CHECKSUM}"'
    last = dict[tuple[PairKey, str], HumanAnswer]()
    for line in read_lines(path, "a file of people's preferences", remedy):
        answer = line.read(lambda data: from_mapping(HumanAnswer, data, more=True))
        last.pop((answer.key, answer.labeller), None)
        if not answer.undone:
            last[answer.key, answer.labeller] = answer
    return list(last.values())


class HumanPairwise:
    """People's preferences instead of a `PairwiseJudge`'s; the majority of those who could tell
    counts."""

    concurrency = 1

    def __init__(self, answers: list[HumanAnswer], name: str) -> None:
        self.name = name
        self._by_pair = dict[PairKey, list[HumanAnswer]]()
        for answer in answers:
            self._by_pair.setdefault(answer.key, []).append(answer)

    @classmethod
    def read(cls, path: Path) -> HumanPairwise:
        """InputError if the file cannot be read, or holds no answer."""
        answers = read_answers(path)
        if not answers:
            raise InputError(
                f"{path}: holds no preference; give some: worldgym judge label --pairs"
            )
        people = ", ".join(sorted({answer.labeller for answer in answers}))
        return cls(answers, f"people: {people}")

    def charge(self, folder: Path, paid_usd: float) -> None:
        """As a PairwiseJudge; people are not paid here."""

    def compare(self, first: Rollout, second: Rollout, task: Task) -> Preference:
        """Undecided where nobody compared these very videos, or the majority cannot be told.
        `agreed` is always true: each person sees one order, drawn at random."""
        swap = first.policy > second.policy
        pair = (second, first) if swap else (first, second)
        names = (one.policy for one in pair)
        pixels = tuple(frames_digest(one.frames) for one in pair)
        answers = [
            answer
            for answer in self._by_pair.get(PairKey(task.name, first.trial.repeat, *names), ())
            if answer.winner is None or answer.provenance.pixels == pixels
        ]
        winners = [SWAPPED[answer.winner] if swap else answer.winner for answer in answers]
        winner, reason = _majority(winners)
        votes = tuple(Vote(SCORES[winner]) for winner in winners)
        labellers = [answer.labeller for answer in answers]
        return Preference(winner, True, reason, votes, 0.0, 0.0, {"labellers": labellers})


def load_pairwise(path: Path, budget_usd: float | None = None) -> PairwiseJudge | HumanPairwise:
    """A model (.toml), or people's preferences (.jsonl), which cost nothing: InputError with a
    budget."""
    if path.suffix != ".jsonl":
        return PairwiseJudge(VlmConfig.read(path), budget_usd)
    if budget_usd is not None:
        raise InputError(f"{path}: these preferences cost nothing; remove --budget")
    return HumanPairwise.read(path)


def _majority(winners: list[str | None]) -> tuple[str | None, str]:
    """Winner, and the reason."""
    if not winners:
        return None, "these videos have not been compared"
    said = most_said(winners)
    if said is None:
        return None, "the labellers cannot tell, or disagree"
    return said[0], f"{said[1]} of {len(winners)} labellers"
