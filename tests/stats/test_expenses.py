from __future__ import annotations

import json
from collections.abc import Sequence

from worldgym.io.json_form import to_json
from worldgym.io.run_records import TrialRecord
from worldgym.stats.expenses import ExpenseTally, RunExpenses
from worldgym.types import Vote


def tallied(records: Sequence[TrialRecord], *policies: str) -> RunExpenses:
    tally = ExpenseTally()
    for record in records:
        tally.add(record.policy, record)
    return tally.of(policies)


def test_every_attempt_counts() -> None:
    votes = (Vote(1.0, "", 100, 10, 0.5), Vote(None, "refused", 100, 1, 0.25))
    ran = {
        "seconds": 3.0,
        "timing": {"judge": 0.5, "world": 2.0, "video": 0.25},
        "votes": votes,
        "cost_usd": 0.75,
        "paid_usd": 0.5,
    }
    records = [
        TrialRecord("a", "t/1", "t", "do it", 0, 1, failure_reason="gone", seconds=1.0),
        TrialRecord("a", "t/1", "t", "do it", 0, 1, attempt=2, score=1.0, **ran),  # type: ignore[arg-type]
    ]
    found = tallied(records)
    assert found == RunExpenses(
        policies=(),
        attempts=2,
        seconds=4.0,
        timing={"world": 2.0, "judge": 0.5, "video": 0.25},
        votes=2,
        tokens_in=200,
        tokens_out=11,
        cost_usd=0.75,
        paid_usd=0.5,
    )
    assert list(found.timing) == ["world", "judge", "video"]
    of_run = tallied(records, "a", "b")
    assert [row.policy for row in of_run.policies] == ["a", "b"]
    assert (of_run.votes, of_run.policies[0].votes, of_run.policies[1].attempts) == (2, 2, 0)


def test_nothing_took_nothing() -> None:
    assert json.loads(json.dumps(to_json(tallied([]))))["timing"] == {}
