"""Success rates with their intervals: policy by policy, and task by task."""

from __future__ import annotations

from worldgym.report.policy_sentences import all_tasks
from worldgym.report.section import ReportFacts, Section


def policies_section(facts: ReportFacts) -> Section:
    """One row per policy, for all tasks and, at the reader's choice, for each of them; how the
    world model agrees with the truth."""
    scopes = {
        policy.policy: [
            ("", policy),
            *((c.task, c) for c in facts.summary.cells if c.policy == policy.policy),
        ]
        for policy in facts.summary.policies
    }
    return Section(
        "policies",
        "Success rates",
        {"scopes": scopes, "measures": facts.summary.agreement},
        narrow=True,
    )


def tasks_section(facts: ReportFacts) -> Section:
    cells = {(c.policy, c.task): c for c in facts.summary.cells}
    return Section(
        "tasks",
        "Success rates by task",
        {
            "cells": cells,
            "totals": facts.summary.policies,
            "all_tasks": all_tasks(facts.summary),
        },
    )
