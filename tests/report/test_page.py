from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_logs import header as small_header
from small_logs import run as small_run

import worldgym
from worldgym.errors import InputError
from worldgym.io.run_files import LOST_NAME
from worldgym.io.run_log import LOG_NAME, RunLog
from worldgym.io.run_records import RunHeader, TrialRecord
from worldgym.io.video import encode_mp4
from worldgym.report.page import SECTIONS, _paired, write_report, write_results
from worldgym.report.section import ReportOptions, Section
from worldgym.types import Vote

EVIL = '"><script>alert(1)</script>'
HEADER = RunHeader(
    config={"trials": 2, "note": EVIL},
    command=f"worldgym evaluate --out {EVIL}",
    policies=(
        {"name": "good", "spec": {"names": ["x"]}, "chunk": 4},
        {"name": EVIL, "spec": {}, "chunk": 1},
    ),
    world=f"world-1 {EVIL}",
    judge=f"judge-1 {EVIL}",
    run_seed=4711,
    environment={"python": "3.11.9", "torch": "2.13.0", "git_commit": None, "device": EVIL},
    started="2026-01-01T00:00:00+00:00",
)


class Page(HTMLParser):
    """Counts tags and collects attributes, as a browser would see them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text, self.tags, self.attributes = (
            text,
            list[str](),
            list[tuple[str, str, str | None]](),
        )
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def values(self, tag: str, name: str) -> list[str | None]:
        return [value for t, n, value in self.attributes if (t, n) == (tag, name)]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Two policies on two tasks of two initial frames: one success, one wrong, one unscored and one
    failed trial a policy."""
    log = RunLog.open(tmp_path, HEADER)
    frames = np.random.default_rng(0).integers(0, 255, (5, 16, 16, 3), np.uint8)
    (tmp_path / "v").mkdir()
    for i in range(2):
        (tmp_path / f"v/{i}.mp4").write_bytes(encode_mp4(frames[i:], 10))
    for policy in ("good", EVIL):
        for task, fields in enumerate(trial_fields()):
            group = ("door", EVIL)[task % 2]
            known: dict[str, Any] = {
                "repeat": 0,
                "seed": 100 + task,
                "truth": True,
                "video": "v/0.mp4",
                "truth_video": "v/1.mp4",
            }
            log.append(
                TrialRecord(policy, f"{group}/{task}", group, f"open {EVIL}", **{**known, **fields})
            )
    return tmp_path


def trial_fields() -> list[dict[str, Any]]:
    return [
        {
            "score": 1.0,
            "probability": 0.91,
            "flags": (f"flag {EVIL}",),
            "votes": (Vote(1.0, f"seen {EVIL}"), Vote(None, "refused: no")),
            "cost_usd": 0.0125,
            "provenance": {"model": EVIL, "prompt": "0123456789abcdef", "frames": [0, 3, 4]},
        },
        {"score": 0.0, "truth_video": None},
        {"score": None, "reason": f"too dark {EVIL}"},
        {"failure_reason": f"hung up {EVIL}", "video": None},
    ]


def page(run: Path, **options: int) -> Page:
    path = write_report(run, ReportOptions(**options))
    assert path == run / "report.html"
    return Page(path.read_text(encoding="utf-8"))


def test_the_page_is_whole_and_needs_no_network(run: Path) -> None:
    written = page(run)
    assert written.tags.count("script") == written.tags.count("style") == 1
    assert not {"link", "img", "iframe", "base", "form"} & set(written.tags)
    sources = [
        value
        for _, name, value in written.attributes
        if name in ("src", "href", "srcset", "action", "poster")
    ]
    assert sources and all(
        value is not None and value.startswith(("data:video/mp4;base64,", "#trial-"))
        for value in sources
    )
    assert "default-src 'none'" in str(written.values("meta", "content"))
    assert not re.search(r"https?://|@import|url\(", written.text)


def test_everything_from_the_log_is_escaped(run: Path) -> None:
    written = page(run)
    assert written.text.count("<script>") == 1
    assert "alert(1)</script>" not in written.text
    assert written.values("article", "data-policy").count(EVIL) == 3


def test_it_says_what_was_run_and_what_came_of_it(run: Path) -> None:
    text = page(run).text
    for fact in (
        "4711",
        "worldgym evaluate --out",
        "world-1",
        "judge-1",
        "3.11.9",
        "2.13.0",
        "101",
        "prefers-color-scheme",
    ):
        assert fact in text, fact
    assert "do not compare" not in text and "have the same success rate" in text
    assert "2 unscored, 2 failed and 0 missing" in text.replace("\N{NO-BREAK SPACE}", " ")
    for loss in ("too dark", "hung up", "flag "):
        assert loss in text
    assert "World model against truth" in text


def test_a_damaged_list_of_losses_does_not_stop_the_report(run: Path) -> None:
    (run / LOST_NAME).write_text('{"reason": "x"}\nnot JSON\n{}\n')
    write_results(run)
    assert "lost.jsonl cannot be read" in (run / "report.html").read_text()


def test_a_verdict_shows_its_votes_their_price_and_how_it_was_made(run: Path) -> None:
    text = page(run).text
    for fact in (
        "2 votes, 0.0125 USD",
        "<b>none</b> refused: no",
        "seen &#34;",
        "0123456789abcdef",
    ):
        assert text.count(fact) == 2, fact  # once a policy
    assert "4 votes of the judge cost 0.03" in text.replace("\N{NO-BREAK SPACE}", " ")


def test_videos_stand_in_pairs_with_filters(run: Path) -> None:
    written = page(run)
    assert written.tags.count("article") == 6
    assert written.tags.count("video") == 10  # two trials lack the true video, two failed
    for attribute in ("loop", "muted", "playsinline", "controls"):
        assert len(written.values("video", attribute)) == 10
    assert written.values("select", "data-filter") == ["verdict", "truth", "flags"]
    assert (
        written.values("button", "data-chip") == ["good", EVIL]
        and written.values("select", "id")[0] == "task"
    )
    assert written.values("article", "data-task").count("door") == 4
    assert [json.loads(str(flags)) for flags in written.values("article", "data-flags")].count(
        [f"flag {EVIL}"]
    ) == 2
    assert (
        sorted(map(str, written.values("article", "data-verdict")))
        == ["failure"] * 2 + ["success"] * 2 + ["unscored"] * 2
    )
    assert "6 of 8 trials are shown" in written.text


@pytest.mark.parametrize("limit", [0, 1, 4])
def test_the_number_of_videos_is_capped_and_said(run: Path, limit: int) -> None:
    written = page(run, gallery_trials=limit)
    assert written.tags.count("article") == limit
    assert f"{limit} of 8 trials are shown" in written.text


def test_a_run_without_truth_videos_or_trials_makes_a_page(tmp_path: Path) -> None:
    log = RunLog.open(tmp_path, HEADER)
    assert "No trial has been scored yet." in page(tmp_path).text
    log.append(TrialRecord("good", "door/1", "door", "open", repeat=0, seed=1, score=1.0))
    text = page(tmp_path).text
    assert "true success rates are unknown" in text
    assert "World model against truth" not in text
    assert "0 of 1 trials are shown" in text


def test_the_page_depends_on_the_log_alone(run: Path) -> None:
    assert page(run).text == page(run).text


def test_bad_input_gets_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=LOG_NAME):
        write_report(tmp_path)
    with pytest.raises(InputError, match="gallery_trials"):
        ReportOptions(gallery_trials=-1)


def test_sums_of_partial_credit_are_short(tmp_path: Path) -> None:
    scores = {"A": {"door": [0.1, 0.2, 0.0]}, "B": {"door": [0.7, 0.1, 0.1 + 0.2]}}
    with RunLog.open(tmp_path, small_header(["A", "B"])) as log:
        for one in small_run(scores):
            vote = (Vote(0.1 + 0.2, "half"),)
            log.append(replace(one, truth=True, video="v.mp4", votes=vote))
    text = page(tmp_path).text
    assert "<span>0.3/3</span>" in text and "<span>1.1/3</span>" in text
    assert "(0.3)" in text and "<b>0.3</b> half" in text
    assert not re.search(r"\d\.\d{12}", re.sub(r'data-\w+="[^"]*"|<script.*', "", text))


@pytest.mark.parametrize("room", ["report", "web"])
def test_a_choice_has_its_value_word_for_word(room: str) -> None:
    """Without "value" a browser takes the text, and several spaces in it for one."""
    for template in (Path(worldgym.__file__).parent / room / "templates").glob("*.html"):
        for option in re.findall(r"<option[^\n]*?</option>", template.read_text("utf-8")):
            assert "value=" in option or "{{" not in option, (template.name, option)


def test_narrow_sections_stand_in_pairs() -> None:
    def widths(narrow: str) -> str:
        made = _paired(
            [Section(str(i), "", narrow=letter == "n") for i, letter in enumerate(narrow)]
        )
        return "".join("n" if section.narrow else "w" for section in made)

    assert [widths(case) for case in ("nnw", "nw", "wnw", "nnnw", "nnnn", "n", "")] == [
        "nnw",
        "ww",
        "www",
        "nnww",
        "nnnn",
        "w",
        "",
    ]


def test_every_section_that_has_something_to_tell_is_there(run: Path) -> None:
    written = page(run)
    assert written.values("section", "id") == [
        "policies",
        "scatter",
        "order",
        "tasks",
        "flags",
        "gallery",
        "costs",
        "made",
    ]
    assert len(SECTIONS) == 11
    assert written.values("section", "class") == ["wide"] * 6


def test_checkpoints_flags_and_times_get_their_sections(tmp_path: Path) -> None:
    log = RunLog.open(tmp_path, replace(HEADER, policies=({"name": "g@1k"}, {"name": "g@2k"})))
    for policy, wins in (("g@1k", 3), ("g@2k", 8)):
        for i in range(10):
            fields: dict[str, Any] = {
                "score": float(i < wins),
                "seconds": 2.0,
                "timing": {"world": 1.5, "judge": 0.5},
            }
            flags = ("off the data",) if i == 0 else ()
            log.append(
                TrialRecord(policy, f"door/{i}", "door", "open", 0, i, flags=flags, **fields)
            )
    written = page(tmp_path)
    assert set(written.values("section", "id")) >= {"steps", "flags", "costs"}
    text = written.text.replace("\N{NO-BREAK SPACE}", " ")
    assert (
        "<h1>In the world model, g@2k comes first of 2 policies (success rate 80 %), but g@1k "
        "(30 %) may be as good or better.</h1>" in text
    )
    assert '<td>off the data</td><td>2</td><td data-value="1.0">100 %</td>' in text
    assert (
        "g@2k, world: 1.5 s per attempt" in text
        and "20 attempts took 40 s (world 30 s, judge 10 s)." in text
    )
