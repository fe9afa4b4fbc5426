"""A run that grows by policies, trials or tasks: what two of its headers must agree on, and the
joint header, which is appended to the log (docs/log.md). What identifies a trial cannot change:
world, judge, seed, the contents of its task, and its policy. The list of planned trials may grow,
and never shrinks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from worldgym.io.run_records import (
    CHECKPOINTS_KEY,
    CONTENTS_KEY,
    EDITS_KEY,
    PLANNED_KEY,
    TASKS_KEY,
    RunHeader,
)

SHARD_KEY = "shard"
FOLDER_KEY = "tasks"  # in `config`: the folder of the tasks; their contents identify them
RESIZED_KEY = "resized"
Plan = Mapping[str, Mapping[str, Mapping[str, int]]]  # see `planned_repeats`


def growth_difference(
    before: RunHeader, now: RunHeader, may_differ: Collection[str] = ()
) -> str | None:
    """Why `now` is not an extension of the same run, in words; None if it is.

    may_differ: see `RunHeader.difference`."""
    both = before.config, now.config
    free = {FOLDER_KEY, EDITS_KEY}
    # a part of a run has trials by their places in the whole plan, so its plan cannot change
    if SHARD_KEY not in before.config and all(PLANNED_KEY in config for config in both):
        free |= {"trials", PLANNED_KEY}
    return _shared(before, now, free).difference(_shared(now, before, free), may_differ)


def joined_header(before: RunHeader, now: RunHeader) -> RunHeader:
    """The header of both: policies and truths of `before` first. Both must have no difference."""
    old, new = before.config, now.config
    config = {**new, **old}
    known = _names(before)
    if PLANNED_KEY in old and PLANNED_KEY in new:
        config["trials"] = max(old.get("trials", 0), new.get("trials", 0))
        edits = {**old.get(EDITS_KEY, {}), **new.get(EDITS_KEY, {})}
        config[PLANNED_KEY] = _joined_plan(old[PLANNED_KEY], new[PLANNED_KEY], edits)
        config |= {EDITS_KEY: edits} if edits else {}
    elif PLANNED_KEY not in old:  # trials that ran are not in the new one's plan
        config.pop(PLANNED_KEY, None)
    for key in (CONTENTS_KEY, RESIZED_KEY):
        if key in old and key in new:
            config[key] = {**old[key], **new[key]}
    if CHECKPOINTS_KEY in new:
        # an older log does not tell what its own policies were
        added = {n: i for n, i in new[CHECKPOINTS_KEY]["policies"].items() if n not in known}
        told = old.get(CHECKPOINTS_KEY, new[CHECKPOINTS_KEY])
        policies = old.get(CHECKPOINTS_KEY, {}).get("policies", {})
        config[CHECKPOINTS_KEY] = {**told, "policies": {**policies, **added}}
    if set(old.get(CONTENTS_KEY, ())) <= set(new.get(CONTENTS_KEY, ())):
        config |= {key: new[key] for key in (TASKS_KEY, FOLDER_KEY) if key in new}
    truths = {_truth_key(truth): truth for truth in (*now.truths, *before.truths)}
    return replace(
        now,
        config=config,
        policies=(*before.policies, *(p for p in now.policies if p["name"] not in known)),
        truths=tuple(truths.values()),
    )


def trials_of(header: RunHeader) -> int | None:
    """How many trials were planned for a policy, edited tasks included; None where an older log
    does not tell."""
    told: Plan | None = header.config.get(PLANNED_KEY)
    if told is None:
        return None
    return sum(
        count for kind in told.values() for tasks in kind.values() for count in tasks.values()
    )


def _shared(one: RunHeader, other: RunHeader, free: Collection[str]) -> RunHeader:
    """What both headers speak of.   free: keys of `config` that may differ."""
    names = _names(one) & _names(other)
    truths = {_truth_key(truth) for truth in one.truths} & {_truth_key(t) for t in other.truths}
    config = {key: value for key, value in one.config.items() if key not in free}
    if CONTENTS_KEY in config and CONTENTS_KEY in other.config:
        config[CONTENTS_KEY] = _of(config[CONTENTS_KEY], other.config[CONTENTS_KEY])
    if RESIZED_KEY in config or RESIZED_KEY in other.config:
        tasks = other.config.get(CONTENTS_KEY, config.get(RESIZED_KEY, {}))
        config[RESIZED_KEY] = _of(config.get(RESIZED_KEY, {}), tasks)
    if CHECKPOINTS_KEY in config:
        checkpoints = config[CHECKPOINTS_KEY]
        told = names & other.config.get(CHECKPOINTS_KEY, checkpoints)["policies"].keys()
        config[CHECKPOINTS_KEY] = {**checkpoints, "policies": _of(checkpoints["policies"], told)}
    return replace(
        one,
        config=config,
        policies=tuple(policy for policy in one.policies if policy["name"] in names),
        truths=tuple(sorted((t for t in one.truths if _truth_key(t) in truths), key=_truth_key)),
    )


def _joined_plan(old: Plan, new: Plan, edits: Mapping[str, str]) -> dict[str, Any]:
    """Every task as often as either has it; an edited task whose original is there too enters no
    rate."""
    both = [plan[kind] for plan in (old, new) for kind in ("tasks", "edited")]
    counts: dict[tuple[str, str], int] = {}
    for groups in both:
        for group, tasks in groups.items():
            for task, count in tasks.items():
                counts[group, task] = max(counts.get((group, task), 0), count)
    names = {task for _, task in counts}
    edited = {t for plan in (old, new) for tasks in plan["edited"].values() for t in tasks}
    edited |= {task for task, original in edits.items() if original in names}
    joined: dict[str, dict[str, dict[str, int]]] = {"tasks": {}, "edited": {}}
    for (group, task), count in counts.items():
        joined["edited" if task in edited else "tasks"].setdefault(group, {})[task] = count
    return joined


def _names(header: RunHeader) -> set[str]:
    return {str(policy["name"]) for policy in header.policies}


def _truth_key(truth: Mapping[str, Any]) -> tuple[str, str]:
    return str(truth["policy"]), str(truth["group"])


def _of(values: Mapping[str, Any], keys: Collection[str]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key in keys}
