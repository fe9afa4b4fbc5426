"""A page of a run's trials: filtered, sorted and cut from the index; only what is shown is read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

import numpy as np
import numpy.typing as npt

from worldgym.io.run_records import TrialRecord
from worldgym.report.gallery_section import TrialCard
from worldgym.web.log_index import VERDICTS, LogIndex

PAGE = 24
SORTS = ("task", "uncertainty", "disagreement", "wrong", "newest")
AGAINST_TRUTH = ("right", "wrong", "unknown")
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class GalleryQuery:
    """ "" = all. page counts from 0."""

    policy: str = ""
    task: str = ""
    verdict: str = ""
    truth: str = ""
    flag: str = ""
    uncertainty: str = ""
    sort: str = "task"
    page: int = 0

    @staticmethod
    def of(asked: Mapping[str, str]) -> GalleryQuery:
        """From the address of a page; what it does not know counts as not asked."""
        number = asked.get("page", "0")
        sort = asked.get("sort", "task")
        return GalleryQuery(
            **{
                name: asked.get(name, "") for name in ("policy", "task", "verdict", "truth", "flag")
            },
            uncertainty=asked.get("uncertainty", ""),
            sort=sort if sort in SORTS else "task",
            page=min(int(number), 10**7) if number.isdecimal() and len(number) < 9 else 0,
        )


@dataclass(frozen=True)
class GalleryPage:
    """rows: those of the page, in order.   found: how many the filters leave.   of: all trials."""

    rows: tuple[int, ...]
    found: int
    of: int
    page: int

    @property
    def pages(self) -> int:
        return max(1, -(-self.found // PAGE))


def gallery_page(index: LogIndex, query: GalleryQuery) -> GalleryPage:
    every = index.rows()
    rows = every[_wanted(index, every, query)]
    rows = rows[_order(index, rows, query.sort)]
    page = min(query.page, max(0, -(-len(rows) // PAGE) - 1))
    shown = rows[page * PAGE : (page + 1) * PAGE]
    return GalleryPage(tuple(map(int, shown)), len(rows), len(every), page)


def _wanted(index: LogIndex, rows: Rows, query: GalleryQuery) -> npt.NDArray[np.bool_]:
    kept = np.ones(len(rows), np.bool_)
    for name, names, text in (
        ("policy", index.policies, query.policy),
        ("group", index.groups, query.task),
    ):
        if text:
            number = names.find(text)
            kept &= index.column(name, rows) == (-1 if number is None else number)
    if query.verdict:
        code = VERDICTS.index(query.verdict) if query.verdict in VERDICTS else -1
        kept &= index.column("verdict", rows) == code
    if query.truth:
        code = AGAINST_TRUTH.index(query.truth) if query.truth in AGAINST_TRUTH else -1
        kept &= _against_truth(index, rows) == code
    if query.flag:
        with_flag = [
            number
            for number, flags in enumerate(index.flags.texts)
            if query.flag in listed_flags(flags)
        ]
        kept &= np.isin(index.column("flags", rows), with_flag)
    if query.uncertainty:  # the judge's probability is nearer to one half than to 0 or 1
        kept &= index.column("uncertainty", rows) >= 0.5
    return kept


def listed_flags(text: str) -> list[str]:
    """Flags behind a number of the index."""

    return [str(flag) for flag in json.loads(text)]


def known_flags(index: LogIndex) -> list[str]:
    return sorted({flag for text in index.flags.texts for flag in listed_flags(text)})


def _against_truth(index: LogIndex, rows: Rows) -> npt.NDArray[np.int64]:
    """Number in AGAINST_TRUTH of each row."""
    verdicts = index.column("verdict", rows)
    truths = index.column("truth", rows)
    known = (truths > 0) & np.isin(verdicts, (0, 1, 2))
    right = (verdicts == 0) == (truths == 1)
    return np.where(known, np.where(right, 0, 1), 2)


def _order(index: LogIndex, rows: Rows, sort: str) -> npt.NDArray[np.int64]:
    """Always whole: what ties is ordered by task, initial frame, repeat and policy."""
    keys = [index.column("policy", rows), index.column("repeat", rows)]
    keys += [index.tasks.ranks[index.column("task", rows)]]
    keys += [index.groups.ranks[index.column("group", rows)]]
    if sort in ("uncertainty", "disagreement"):
        keys.append(-index.column(sort, rows))
    elif sort == "wrong":
        keys.append(_against_truth(index, rows) != 1)
    elif sort == "newest":
        keys.append(-rows)
    return np.lexsort(keys)


def trial_address(run: str, record: TrialRecord) -> str:
    """Of a trial's own page."""
    asked = {"run": run, "policy": record.policy, "task": record.task, "repeat": record.repeat}
    return f"/trial?{urlencode(asked)}"


def video_address(run: str, row: int, kind: str) -> str:
    """kind: "world" or "truth"."""
    return f"/video?{urlencode({'run': run, 'row': row, 'kind': kind})}"


def trial_card(run: str, row: int, record: TrialRecord) -> TrialCard:
    return TrialCard(
        record,
        None if record.video is None else video_address(run, row, "world"),
        None if record.truth_video is None else video_address(run, row, "truth"),
        trial_address(run, record),
    )
