from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from worldgym.errors import InputError
from worldgym.io.run_records import TrialRecord
from worldgym.report.gallery_section import TrialCard, choose, make_cards


def record(policy: str = "a", group: str = "door", start: int = 0, **fields: Any) -> TrialRecord:
    known: dict[str, Any] = {
        "repeat": 0,
        "seed": 1,
        "score": 1.0,
        "truth": True,
        "video": "v.mp4",
        "reason": "seen",
    }
    return TrialRecord(policy, f"{group}/{start}", group, "do it", **{**known, **fields})


trials = st.lists(
    st.builds(
        record,
        policy=st.sampled_from("ab"),
        group=st.sampled_from(["door", "drawer"]),
        start=st.integers(0, 9),
        score=st.sampled_from([0.0, 0.5, 1.0, None]),
        truth=st.sampled_from([True, False, None]),
        video=st.sampled_from(["v.mp4", None]),
    ),
    max_size=40,
    unique_by=lambda r: r.key,
)


@given(trials, st.integers(0, 20))
def test_the_choice_is_spread_evenly_over_the_cells(trials: list[TrialRecord], limit: int) -> None:
    chosen = choose(trials, limit)
    filmed = [r for r in trials if r.video is not None]
    assert len(chosen) == min(limit, len(filmed))
    assert len({r.key for r in chosen}) == len(chosen)

    def count(records: list[TrialRecord], cell: tuple[str, str]) -> int:
        return sum((r.policy, r.group) == cell for r in records)

    taken = {cell: count(chosen, cell) for cell in {(r.policy, r.group) for r in filmed}}
    short = [n for cell, n in taken.items() if n < count(filmed, cell)]  # cells with more to show
    assert not short or max(taken.values()) <= min(short) + 1


def test_wrong_verdicts_come_first() -> None:
    trials = [record(start=i, score=float(i != 3)) for i in range(5)] + [
        record("b", start=i) for i in range(5)
    ]
    assert {r.task for r in choose(trials, 2)} == {"door/3", "door/0"}
    assert choose(trials, 2) == choose(trials[::-1], 2)


def test_cards_put_policies_on_one_initial_frame_beside_each_other(tmp_path: Path) -> None:
    trials = [record(policy, start=i) for policy in "ab" for i in range(2)] + [
        record("a", start=5, score=0.0)
    ]
    cards = make_cards(tmp_path, choose(trials, 10), ["b", "a"])
    assert [(c.record.task, c.record.policy) for c in cards] == [
        ("door/5", "a"), ("door/0", "b"), ("door/0", "a"), ("door/1", "b"), ("door/1", "a"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("score", "truth", "verdict", "against"),
    [
        (1.0, True, "success", "right"),
        (0.5, True, "partial", "wrong"),
        (0.0, None, "failure", "unknown"),
        (None, True, "unscored", "unknown"),
    ],
)
def test_verdicts_in_words(
    tmp_path: Path, score: float | None, truth: bool | None, verdict: str, against: str
) -> None:
    (card,) = make_cards(tmp_path, choose([record(score=score, truth=truth)], 1), ["a"])
    assert (card.verdict, card.against_truth) == (verdict, against)


@given(st.sets(st.tuples(st.text("ab-/ %2D"), st.text("c-/ %2D"), st.integers(0, 12)), min_size=2))
@example({("a-b", "c", 0), ("a", "b-c", 0)})
def test_no_two_trials_share_an_anchor(keys: set[tuple[str, str, int]]) -> None:
    made = [TrialRecord(p, t, "door", "do it", r, 1, score=1.0) for p, t, r in keys]
    anchors = {TrialCard(one, None, None).anchor for one in made}
    assert len(anchors) == len(keys)
    assert all(re.fullmatch(r"trial-[\w.~%-]+", anchor) for anchor in anchors)


def test_videos_are_carried_along_and_missing_ones_are_no_error(tmp_path: Path) -> None:
    (tmp_path / "v.mp4").write_bytes(b"moving")
    (card,) = make_cards(tmp_path, choose([record(truth_video="gone.mp4")], 1), ["a"])
    assert (
        card.video is not None
        and base64.b64decode(card.video.removeprefix("data:video/mp4;base64,")) == b"moving"
    )
    assert card.truth_video is None


def test_an_unreadable_video_is_named(tmp_path: Path) -> None:
    (tmp_path / "v.mp4").mkdir()
    with pytest.raises(InputError, match=r"v\.mp4: cannot be read"):
        make_cards(tmp_path, choose([record()], 1), ["a"])
