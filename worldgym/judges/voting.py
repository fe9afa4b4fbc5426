"""From replies to votes, from votes to a verdict. Pure functions.

Majority: the score with the most readable votes. A tie is unscored. Graded rubrics
take the median. A verdict needs more than half of the votes to be readable. Nothing unreadable,
refused or cut off ever counts as a failure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

from worldgym.judges.majority import most_said
from worldgym.judges.rubric import UNSURE, Rubric
from worldgym.servers.model_client import Answer, reading
from worldgym.types import Vote

MAX_REASON = 2000  # characters of a vote's reasoning kept in the log


@dataclass(frozen=True)
class VoteResult:
    """probability: mean of the readable votes of a counted rubric.   progress: median of those of a
    graded one."""

    score: float | None
    reason: str
    probability: float | None = None
    progress: float | None = None


def read_vote(answer: Answer, rubric: Rubric) -> Vote:
    """The vote in one answer; without a score, and with the reason, where it was refused, cut off,
    unreadable or unsure."""
    reply = answer.reply
    score = None
    if reply.ending == "refused":
        reason = f"refused: {reply.text}"
    elif reply.ending == "length":
        reason = (
            f"cut off after {reply.tokens_out if reply.tokens_out is not None else 'its last'} "
            f"tokens"
        )
    elif not reply.text.strip():
        reason = "empty reply"
    else:
        try:
            score, reason = reading(reply, rubric.read)
        except ValueError as fault:
            reason = f"unreadable ({fault}): {reply.text}"
        else:
            reason = reason if score is not None else f"{UNSURE}: {reason}"
    return Vote(score, reason[:MAX_REASON], answer.tokens_in, answer.tokens_out, answer.price_usd)


def combine_votes(votes: Sequence[Vote], rubric: Rubric) -> VoteResult:
    """votes: at least one."""
    scores = [vote.score for vote in votes if vote.score is not None]
    if 2 * len(scores) <= len(votes):
        kinds = Counter(
            vote.reason.split(":")[0].split(" (")[0] for vote in votes if vote.score is None
        )
        why = ", ".join(f"{kind} ({count})" for kind, count in kinds.most_common())
        return VoteResult(
            None,
            f"{len(scores)} of {len(votes)} votes have a score, and more than half must: {why}",
        )
    if rubric.graded:
        middle = median(scores)
        return VoteResult(
            middle, f"median of {len(scores)} votes: {_shown(scores)}", progress=middle
        )
    share = fmean(scores)
    said = most_said(scores)
    if said is None:
        return VoteResult(None, f"the votes tie: {_shown(scores)}", probability=share)
    best, most = said
    return VoteResult(
        best,
        f"{most} of {len(votes)} votes: {_shown(scores)}. {_reason(votes, best)}".strip(),
        probability=share,
    )


def _shown(scores: Sequence[float]) -> str:
    return ", ".join(f"{score:g}" for score in scores)


def _reason(votes: Sequence[Vote], score: float) -> str:
    """The first reasoning on the winning side."""
    return next((vote.reason for vote in votes if vote.score == score and vote.reason), "")
