"""Filters and orders of the gallery, against the same said of whole records."""

from __future__ import annotations

from pathlib import Path

import pytest
from app_runs import fill, header, trial

from worldgym.report.gallery_section import TrialCard
from worldgym.types import Vote
from worldgym.web.log_index import LogIndex
from worldgym.web.trial_gallery import PAGE, GalleryQuery, gallery_page, known_flags


@pytest.fixture
def index(tmp_path: Path) -> LogIndex:
    records = [
        trial(
            policy,
            group,
            start,
            score=(0.0, 0.5, 1.0, None)[start % 4],
            reason="" if start % 4 < 3 else "dark",
            probability=(0.5, 0.1, 0.95, None)[start % 4],
            truth=(True, False, None)[start % 3],
            flags=("no motion",) if start % 5 == 0 else (),
            votes=tuple(Vote(float(i < start % 3)) for i in range(3)),
            video=None,
            truth_video=None,
        )
        for policy in ("good", "poor")
        for group in ("door", "drawer")
        for start in range(20)
    ]
    one = LogIndex(fill(tmp_path, header(frames=20), records))
    one.update()
    return one


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"policy": "poor"},
        {"task": "door", "policy": "good"},
        {"verdict": "unscored"},
        {"verdict": "partial", "truth": "wrong"},
        {"truth": "unknown"},
        {"truth": "right"},
        {"flag": "no motion"},
        {"uncertainty": "uncertain"},
        {"policy": "nobody"},
        {"verdict": "'; drop"},
    ],
)
def test_filters_keep_what_they_say(index: LogIndex, asked: dict[str, str]) -> None:
    def kept(card: TrialCard) -> bool:
        r = card.record
        uncertain = r.probability is not None and 1 - 2 * abs(r.probability - 0.5) >= 0.5
        return all(
            {
                "policy": r.policy == value,
                "task": r.group == value,
                "verdict": card.verdict == value,
                "truth": card.against_truth == value,
                "flag": value in r.flags,
                "uncertainty": uncertain,
            }[name]
            for name, value in asked.items()
        )

    wanted = [
        row for row in range(index.attempts) if kept(TrialCard(index.record(row), None, None))
    ]
    found = list[int]()
    page = gallery_page(index, GalleryQuery.of(asked))
    for number in range(page.pages):
        found += gallery_page(index, GalleryQuery.of({**asked, "page": str(number)})).rows
    assert sorted(found) == wanted and page.found == len(wanted) and page.of == 80


def test_orders(index: LogIndex) -> None:
    def first(sort: str) -> list[TrialCard]:
        rows = gallery_page(index, GalleryQuery.of({"sort": sort})).rows
        return [TrialCard(index.record(row), None, None) for row in rows]

    assert all(card.record.probability == 0.5 for card in first("uncertainty")[:20])
    assert all(card.against_truth == "wrong" for card in first("wrong")[:10])
    assert {card.record.repeat for card in first("newest")} == {0}
    assert first("newest")[0].record.key == index.record(index.attempts - 1).key
    dissent = [{vote.score for vote in card.record.votes} for card in first("disagreement")]
    assert all(said == {0.0, 1.0} for said in dissent)
    by_task = [(c.record.group, c.record.task, c.record.policy) for c in first("task")]
    assert by_task == sorted(by_task) and len(by_task) == PAGE


@pytest.mark.parametrize("page", ["-1", "x", "99999999", "9" * 40, "²"])
def test_pages_that_are_not_there_are_the_nearest(index: LogIndex, page: str) -> None:
    assert gallery_page(index, GalleryQuery.of({"page": page})).rows
    assert known_flags(index) == ["no motion"]
