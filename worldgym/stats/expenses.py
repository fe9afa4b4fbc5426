"""What a run took: time by its parts, votes, tokens and money. Sums over every attempt, failed ones
included."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from worldgym.io.run_records import TrialRecord

PARTS = ("world", "decode", "policy", "judge")  # of the time, in the order in which they are shown


def expenses(records: Sequence[TrialRecord]) -> dict[str, Any]:
    """attempts; seconds: of the rollouts; timing: seconds by part, as far as the log knows them;
    votes, tokens_in, tokens_out; cost_usd: price of the verdicts, paid_usd: what this run paid for
    them.

    Verdicts that were waited for at the same time each count in full. Plain JSON.
    """
    votes = [vote for r in records for vote in r.votes]
    known = {part for r in records for part in r.timing}
    return {
        "attempts": len(records),
        "seconds": math.fsum(r.seconds for r in records),
        "timing": {
            part: math.fsum(r.timing.get(part, 0.0) for r in records)
            for part in (*PARTS, *sorted(known - set(PARTS)))
            if part in known
        },
        "votes": len(votes),
        "tokens_in": sum(vote.tokens_in for vote in votes),
        "tokens_out": sum(vote.tokens_out for vote in votes),
        "cost_usd": math.fsum(r.cost_usd for r in records),
        "paid_usd": math.fsum(r.paid_usd for r in records),
    }
