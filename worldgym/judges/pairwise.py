"""Which of two attempts did better? Both orders are asked; where they disagree it is a tie, and
that is counted.

For two failures a score says nothing; a comparison may still tell the better policy (arXiv
2506.00613)."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worldgym.errors import InputError, WorldGymError
from worldgym.judges.frame_selection import choose_frames, pictures
from worldgym.judges.rubric import UNSURE, Rubric
from worldgym.judges.vlm import VlmConfig, filled, prompt_digest, read_prompt
from worldgym.judges.voting import combine_votes, read_vote
from worldgym.servers.answer_texts import one_of
from worldgym.servers.model_client import Reading
from worldgym.servers.provider import Question
from worldgym.stats.preference_counts import PreferenceCounts
from worldgym.types import Rollout, Task, Vote

CHOICES = {"A": 1.0, "B": 0.0, "same": 0.5}


@dataclass(frozen=True)
class Preference:
    """winner: "first", "second", "tie", or None = undecided, for `reason`.   agreed: whether both
    orders said the same.

    votes: of the order first-second, then of second-first; score 1 = the first rollout, 0 = the
    second, 0.5 = the same."""

    winner: str | None
    agreed: bool
    reason: str
    votes: tuple[Vote, ...]
    cost_usd: float
    paid_usd: float
    provenance: dict[str, Any]


class PairwiseJudge:
    """Made from the description of a VLM judge; its rubric is not used."""

    def __init__(
        self,
        config: VlmConfig,
        budget_usd: float | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        """budget_usd, wait: as for a VlmJudge. InputError for a prompt, which would be that of a
        rubric."""
        if config.views:
            raise InputError(
                "a preference is asked about the main views of two videos; leave views out"
            )
        if config.prompt is not None:
            raise InputError(
                "the judge has its own prompt, and comparisons need their own: remove `prompt`"
            )
        self.config = config
        self.client = config.client(budget_usd, wait)
        self._prompt = read_prompt("preference")

    @property
    def name(self) -> str:
        """preference:MODEL:12 digits that change with the prompt and with all else that the answers
        depend on."""
        made = json.dumps(
            {**self.config.asking(), "prompt": prompt_digest(self._prompt)}, sort_keys=True
        )
        return f"preference:{self.config.server.model}:{prompt_digest(made)[:12]}"

    @property
    def concurrency(self) -> int:
        return self.config.server.concurrency

    def charge(self, folder: Path, paid_usd: float) -> None:
        """As a VlmJudge."""
        self.client.ledger.keep(folder, paid_usd)

    def compare(self, first: Rollout, second: Rollout, task: Task) -> Preference:
        """InputError if the rollouts are not of one task."""
        if first.trial.task.name != second.trial.task.name:
            raise InputError(
                f"{first.trial.task.name} and {second.trial.task.name} are two tasks; compare "
                f"rollouts of one"
            )
        forward, paid_forward = self._ask(first, second, task)
        try:
            swapped, paid_swapped = self._ask(second, first, task)
        except WorldGymError as error:
            error.paid_usd += paid_forward
            raise
        swapped = [
            Vote(
                None if v.score is None else 1.0 - v.score,
                v.reason,
                v.tokens_in,
                v.tokens_out,
                v.cost_usd,
            )
            for v in swapped
        ]
        scores = [combine_votes(votes, RUBRIC).score for votes in (forward, swapped)]
        votes = (*forward, *swapped)
        winner, agreed, reason = _winner(scores)
        return Preference(
            winner,
            agreed,
            reason,
            votes,
            sum(v.cost_usd for v in votes),
            paid_forward + paid_swapped,
            self._provenance(first, second),
        )

    def _ask(self, a: Rollout, b: Rollout, task: Task) -> tuple[list[Vote], float]:
        """Votes for video A and what they cost just now."""
        shown = tuple(
            picture
            for name, one in (("video A", a), ("video B", b))
            for picture in self._pictures(one, name)
        )
        question = Question(filled(self._prompt, task, RUBRIC), shown, RUBRIC.schema)
        answers = self.client.ask(
            question, self.config.votes, Reading(RUBRIC.read, RUBRIC.reminder)
        )
        return [read_vote(answer, RUBRIC) for answer in answers], sum(
            answer.paid_usd for answer in answers
        )

    def _pictures(self, rollout: Rollout, name: str) -> Sequence[Any]:
        return pictures(rollout.main, self._chosen_frames(rollout), self.config.frame_size, name)

    def _chosen_frames(self, rollout: Rollout) -> tuple[int, ...]:
        return choose_frames(self.config.frames, len(rollout.frames), self.config.max_frames)

    def _provenance(self, first: Rollout, second: Rollout) -> dict[str, Any]:
        return {
            "model": self.config.server.model,
            "prompt": prompt_digest(self._prompt),
            "frames": [list(self._chosen_frames(rollout)) for rollout in (first, second)],
            "frame_size": self.config.frame_size,
        }


def count_preferences(preferences: Sequence[Preference]) -> PreferenceCounts:
    won = Counter(preference.winner for preference in preferences)
    apart = sum(not preference.agreed and preference.winner == "tie" for preference in preferences)
    return PreferenceCounts(won["first"], won["second"], won["tie"], won[None], apart)


def _winner(scores: Sequence[float | None]) -> tuple[str | None, bool, str]:
    """Majorities for the first rollout in both orders => (winner, agreed, reason)."""
    one, other = scores
    if one is None or other is None:
        return None, False, "no majority in one of the two orders"
    if one != other:
        return "tie", False, "the two orders disagree"
    return {1.0: "first", 0.0: "second", 0.5: "tie"}[one], True, "both orders agree"


def _score(answer: Any) -> float | None:
    return CHOICES.get(one_of(answer["closer"], [*CHOICES, UNSURE]))


RUBRIC = Rubric(
    "preference", {"closer": {"type": "string", "enum": [*CHOICES, UNSURE]}}, False, "", _score
)
