"""Sentences about the trials: which are missing or have no score and why, and their time and
cost."""

from __future__ import annotations

from worldgym.report.formats import NBSP, duration, listed, number_of
from worldgym.report.policy_sentences import NAMED
from worldgym.stats.failure_reasons import FailureReasons, ReasonCount
from worldgym.stats.planned_trials import Completeness
from worldgym.stats.success_counts import CellSummary
from worldgym.stats.summary import Summary

LACKING = 8  # policies on tasks whose missing trials are listed
NAMED_TRIALS = 2  # rows of them that a line names
REASONS = 3  # named for trials that have no score


def missing_sentence(summary: Summary) -> str:
    """How many planned trials the log lacks, by policy; empty where none."""
    plan = summary.completeness
    part = (
        f"This is shard {plan.shard} of a run; `worldgym run merge` joins the parts."
        if plan.shard
        else ""
    )
    return " ".join(filter(None, (part, _missing(summary, plan))))


def missing_lines(summary: Summary) -> list[str]:
    """`missing_sentence`, and a line for each policy on a task that lacks planned trials, the most
    lacking first; empty where nothing is missing."""
    cells = lacking_cells(summary)
    lines = [f"  {cell.policy} on {cell.task}: {_lacks(cell)}" for cell in cells[:LACKING]]
    if len(cells) > LACKING:
        lines.append(f"  and {len(cells) - LACKING} more of policy and task (see summary.json)")
    return [*filter(None, [missing_sentence(summary)]), *lines]


def lacking_cells(summary: Summary) -> list[CellSummary]:
    """Policies on tasks that lack planned trials, the most lacking first."""
    found = [cell for cell in summary.cells if cell.missing]
    return sorted(found, key=lambda cell: -cell.missing)


def absent_words(cell: CellSummary, most: int) -> str:
    """ "door/3, repeats 2 to 9; door/4, repeat 2; and more": trials that a cell lacks."""
    named = [
        f"{row.initial_frame}, repeat {row.first}"
        if row.first == row.last
        else f"{row.initial_frame}, repeats {row.first} to {row.last}"
        for row in cell.absent[:most]
    ]
    told = sum(row.last - row.first + 1 for row in cell.absent[:most])
    return "; ".join(named + (["and more"] if named and told < cell.missing else []))


def _lacks(cell: CellSummary) -> str:
    which = absent_words(cell, NAMED_TRIALS)
    done = cell.trials + cell.unscored
    return (
        f"{cell.planned} planned, {done} done, {cell.failed} failed, {cell.missing} missing"
        f"{f' ({which})' if which else ''}"
    )


def _missing(summary: Summary, plan: Completeness) -> str:
    edited = f"{number_of(plan.edited_missing, 'trial')} of edited tasks"
    if not plan.missing:
        are = "is" if plan.edited_missing == 1 else "are"
        return f"{edited} {are} missing." if plan.edited_missing else ""
    lacking = [policy for policy in summary.policies if policy.missing]
    by_policy = [f"{p.missing} of {p.planned} with {p.policy}" for p in lacking[:NAMED]]
    if len(lacking) > NAMED:
        by_policy.append(f"others with {len(lacking) - NAMED} more policies")
    known = (
        ""
        if plan.known
        else "; the log does not say what was planned, so this counts what other policies have"
    )
    also = f", and {edited}" if plan.edited_missing else ""
    are = "is" if plan.missing == 1 and not also else "are"
    return (
        f"{plan.missing} of {number_of(plan.planned, 'planned trial')}{also} {are} missing "
        f"({listed(by_policy)}{known})."
    )


def counts_sentence(summary: Summary) -> str:
    """What the rates are made of and what not."""
    scored = number_of(sum(policy.trials for policy in summary.policies), "scored trial")
    unscored = sum(policy.unscored for policy in summary.policies)
    failed = sum(policy.failed for policy in summary.policies)
    missing = sum(policy.missing for policy in summary.policies)
    return (
        f"{scored}; {unscored} unscored, {failed} failed and {missing} missing trials are in no "
        f"rate."
    )


def reasons_sentence(summary: Summary) -> str:
    """Why trials failed or have no score, the most frequent reasons first; empty where all have
    one."""
    return named_reasons(summary.reasons, "trial")


def named_reasons(reasons: FailureReasons, noun: str) -> str:
    """Of trials, or of other things that the noun names."""
    parts = [
        f"{what}: {_listed(rows, noun)}."
        for what, rows in (("Failed", reasons.failed), ("Unscored", reasons.unscored))
        if rows
    ]
    return " ".join(parts)


def _listed(rows: tuple[ReasonCount, ...], noun: str) -> str:
    told = "; ".join(f"{row.reason} ({number_of(row.trials, noun)})" for row in rows[:REASONS])
    return told + ("; and others" if len(rows) > REASONS else "")


def cost_sentence(summary: Summary) -> str:
    """What the verdicts cost; empty for a judge that does not vote."""
    spent = summary.expenses
    if not spent.votes:
        return ""
    return (
        f"{number_of(spent.votes, 'vote')} of the judge cost {spent.cost_usd:.2f}{NBSP}USD, of "
        f"which this run paid {spent.paid_usd:.2f}."
    )


def time_sentence(summary: Summary) -> str:
    """How long the rollouts took, by parts; empty where the log does not say."""
    spent = summary.expenses
    if not spent.seconds:
        return ""
    parts = ", ".join(f"{part} {duration(seconds)}" for part, seconds in spent.timing.items())
    return (
        f"{number_of(spent.attempts, 'attempt')} took {duration(spent.seconds)}"
        f"{f' ({parts})' if parts else ''}."
    )
