"""A run grows by policies, trials and tasks, in any order, to the records of one planned whole."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from logs import rewrite

from worldgym.errors import InputError, SpecMismatch
from worldgym.evaluation.merge import merge
from worldgym.evaluation.plan import EvaluateConfig
from worldgym.evaluation.provenance import Origin
from worldgym.evaluation.run import evaluate_parts
from worldgym.io.run_log import LOG_NAME, each_outcome, read_header, read_log
from worldgym.io.run_records import EDITS_KEY, PLANNED_KEY, TrialRecord
from worldgym.policies.load_policy import Loaded
from worldgym.policies.policy_protocol import Needs
from worldgym.stats.summary import Summary
from worldgym.testing import FAKE_SPEC, FakeJudge, FakePolicy, FakeWorld
from worldgym.types import Task
from worldgym.web.live_counts import LiveCounts
from worldgym.web.log_index import LogIndex

LEVELS = {"low": 0.1, "middle": 0.6, "high": 0.9}
FRAMES = np.random.default_rng(0).integers(0, 256, (9, 16, 24, 3), np.uint8)
GROUPS = "abc"


@dataclass(frozen=True)
class Step:
    """What one start of a run asks for."""

    policies: tuple[str, ...]
    trials: int
    groups: str


def tasks(groups: str = GROUPS) -> list[Task]:
    return [
        Task(f"{group}/{i}", group, FRAMES[3 * GROUPS.index(group) + i], f"do {group}", 3)
        for group in groups
        for i in range(3)
    ]


def run(out: Path, step: Step, known: Sequence[Task] | None = None, **changes: object) -> Summary:
    config = replace(EvaluateConfig(out, step.trials, batch=4), **changes)  # type: ignore[arg-type]
    policies = [FakePolicy(level=LEVELS[name], name=name) for name in step.policies]
    told = known if known is not None else tasks(step.groups)
    return evaluate_parts(config, FakeWorld(), policies, told, FakeJudge())


WHOLE = Step(tuple(LEVELS), 4, GROUPS)


def by_key(out: Path) -> dict[tuple[str, str, int], tuple[TrialRecord, bytes, bytes]]:
    found = {}
    for record in read_log(out / LOG_NAME)[1]:
        assert record.video is not None and record.key not in found, "a trial ran twice"
        files = [(out / name).read_bytes() for name in (record.video, str(record.actions_file))]
        found[record.key] = (record, *files)
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    run(out, WHOLE)
    return out


steps = st.builds(
    Step,
    st.lists(st.sampled_from(list(LEVELS)), min_size=1, max_size=3, unique=True).map(tuple),
    st.integers(1, 4),
    st.sets(st.sampled_from(GROUPS), min_size=1).map(lambda names: "".join(sorted(names))),
)


@settings(max_examples=5, deadline=None)
@given(grown=st.lists(steps, min_size=1, max_size=4))
def test_any_order_of_growing_gives_the_records_of_the_whole(
    whole: Path, grown: list[Step]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        for step in (*grown, WHOLE):
            run(out, step)
        assert by_key(out) == by_key(whole)
        header, wanted = (read_header(place / LOG_NAME) for place in (out, whole))
        assert header.difference(wanted) is None
        summary, single = (Summary.read(place) for place in (out, whole))
        assert summary.completeness == single.completeness
        cells = {(cell.policy, cell.task): cell for cell in single.cells}
        assert {(cell.policy, cell.task): cell for cell in summary.cells} == cells


def test_a_smaller_start_runs_nothing_and_leaves_the_log_alone(tmp_path: Path) -> None:
    run(tmp_path, WHOLE)
    before = (tmp_path / LOG_NAME).read_bytes()
    summary = run(tmp_path, Step(("high",), 2, "b"))
    assert (tmp_path / LOG_NAME).read_bytes() == before
    assert summary.completeness.planned == 36 and len(summary.policies) == 3


def test_what_a_larger_plan_lacks_is_missed(tmp_path: Path) -> None:
    run(tmp_path, Step(("low",), 2, "ab"))
    summary = run(tmp_path, Step(("high",), 3, "bc"))
    planned = {(cell.policy, cell.task): (cell.planned, cell.missing) for cell in summary.cells}
    assert planned == {
        ("low", "a"): (2, 0),
        ("low", "b"): (3, 1),
        ("low", "c"): (3, 3),
        ("high", "a"): (2, 2),
        ("high", "b"): (3, 0),
        ("high", "c"): (3, 0),
    }


def test_rows_of_a_batch_stay_those_it_began_with(tmp_path: Path) -> None:
    seen = set()

    class Watched(FakeWorld):
        def reset(self, frames, seeds):  # type: ignore[no-untyped-def]
            seen.add(len(frames))
            return super().reset(frames, seeds)

    for trials in (1, 4):
        config = EvaluateConfig(tmp_path, trials, batch=32)
        evaluate_parts(config, Watched(), [FakePolicy(name="p")], tasks(), FakeJudge())
    assert seen == {3}
    elsewhere = FakePolicy(name="far", needs=Needs(elsewhere=True))
    seen.clear()
    evaluate_parts(
        EvaluateConfig(tmp_path, 4, batch=32), Watched(), [elsewhere], tasks(), FakeJudge()
    )
    assert seen == {2}, "two halves of four rows"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seed": 3}, "run_seed is 0 there and 3 now"),
        ({"batch": 5}, "config.batch is 4 there and 5 now"),
        ({"shard": (1, 2)}, "config.shard is None there and '1/2' now"),
    ],
)
def test_what_must_agree_is_named(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    run(tmp_path, WHOLE)
    before = (tmp_path / LOG_NAME).read_bytes()
    with pytest.raises(InputError) as refused:
        run(tmp_path, WHOLE, **changes)
    assert said in str(refused.value) and "grows by policies, trials and tasks" in str(
        refused.value
    )
    assert (tmp_path / LOG_NAME).read_bytes() == before


def test_a_policy_that_has_changed_is_named(tmp_path: Path) -> None:
    for name, identity in (("low", "1"), ("high", "2")):
        origin = Origin({"checkpoints": {"codec": "c", "policies": {name: identity}}})
        config = EvaluateConfig(tmp_path, 1)
        evaluate_parts(config, FakeWorld(), [FakePolicy(name=name)], tasks(), FakeJudge(), origin)
    told = read_header(tmp_path / LOG_NAME).config["checkpoints"]["policies"]
    assert told == {"low": "1", "high": "2"}
    origin = Origin({"checkpoints": {"codec": "c", "policies": {"low": "3", "new": "4"}}})
    policies = [FakePolicy(name="low"), FakePolicy(name="new")]
    with pytest.raises(InputError, match=r"checkpoints\.policies\.low is '1' there and '3' now"):
        evaluate_parts(
            EvaluateConfig(tmp_path, 1), FakeWorld(), policies, tasks(), FakeJudge(), origin
        )


def test_a_policy_has_its_identity_in_any_world(tmp_path: Path) -> None:
    def named(identity: str, name: str = "low") -> Origin:
        loaded = Loaded(FakePolicy(name=name), identity)
        return Origin.of_parts([loaded], {}, "cpu")

    def start(out: Path, origin: Origin, name: str = "low") -> None:
        config = EvaluateConfig(out, 1)
        evaluate_parts(config, FakeWorld(), [FakePolicy(name=name)], tasks(), FakeJudge(), origin)

    start(tmp_path, named("1"))
    with pytest.raises(InputError, match=r"checkpoints\.policies\.low is '1' there and '3' now"):
        start(tmp_path, named("3"))
    start(tmp_path / "other", named("3"))
    with pytest.raises(InputError, match=r"checkpoints\.policies\.low is '1' there and '3' now"):
        merge([tmp_path, tmp_path / "other"], tmp_path / "merged")
    older = tmp_path / "older"  # a log that does not tell
    start(older, Origin())
    start(older, named("1"))
    start(older, named("2", "high"), "high")
    start(older, named("3"))
    with pytest.raises(InputError, match=r"checkpoints\.policies\.high is '2' there and '4' now"):
        start(older, named("4", "high"), "high")
    assert len(by_key(older)) == 6


def test_a_task_that_has_changed_is_named_and_others_may_come(tmp_path: Path) -> None:
    run(tmp_path, Step(("low",), 3, "a"))
    known = tasks("ab")
    known[1] = replace(known[1], steps=4)
    with pytest.raises(InputError, match=r"config\.task_sha256\.a/1 is"):
        run(tmp_path, Step(("low",), 3, "ab"), known)
    wrong = replace(FakePolicy(name="new"), spec=replace(FAKE_SPEC, unit="furlong"))
    with pytest.raises(SpecMismatch):
        evaluate_parts(EvaluateConfig(tmp_path, 3), FakeWorld(), [wrong], tasks("a"), FakeJudge())
    assert "b/0" not in (tmp_path / LOG_NAME).read_text()


def test_edited_twins_that_come_later_enter_no_rate(tmp_path: Path) -> None:
    """Whichever of the two comes first."""
    (original,) = tasks("a")[:1]
    twin = replace(original, name="a/0+dark", nominal="a/0", axis="light", frame=FRAMES[8])
    for first, second in ((original, twin), (twin, original)):
        out = tmp_path / first.name.replace("/", "-")
        run(out, Step(("low",), 2, ""), [first])
        summary = run(out, Step(("low",), 2, ""), [second])
        header = read_header(out / LOG_NAME)
        assert header.config[PLANNED_KEY] == {
            "tasks": {"a": {"a/0": 2}},
            "edited": {"a": {"a/0+dark": 2}},
        }
        assert header.config[EDITS_KEY] == {"a/0+dark": "a/0"}
        assert (summary.completeness.missing, summary.completeness.edited_missing) == (0, 0)
        assert summary.completeness.planned == 2


def test_a_shard_takes_policies_and_no_other_trials(tmp_path: Path) -> None:
    run(tmp_path, Step(("low",), 3, "a"), shard=(1, 2))
    run(tmp_path, Step(("high",), 3, "a"), shard=(1, 2))
    with pytest.raises(InputError, match=r"config\.trials is 3 there and 4 now"):
        run(tmp_path, Step(("low",), 4, "a"), shard=(1, 2))


def older(out: Path, version: int) -> None:
    """The log as a version before runs grew wrote it."""
    lacking = ("task_sha256",) if version == 4 else ("task_sha256", "planned")

    def change(line: dict[str, object]) -> dict[str, object]:
        if line["type"] != "header":
            return line
        config = {k: v for k, v in dict(line["config"]).items() if k not in lacking}  # type: ignore[call-overload]
        return {**line, "version": version, "config": config}

    rewrite(out / LOG_NAME, change)


def test_runs_of_older_versions_grow_as_far_as_their_headers_tell(tmp_path: Path) -> None:
    run(tmp_path, Step(("low",), 2, "ab"))
    older(tmp_path, 4)
    run(tmp_path, Step(("low", "high"), 3, "ab"))
    with pytest.raises(InputError, match=r"config\.tasks_sha256"):
        run(tmp_path / "x", Step(("low",), 2, "ab"))
        older(tmp_path / "x", 4)
        run(tmp_path / "x", Step(("low",), 2, "abc"))
    assert len(by_key(tmp_path)) == 12
    out = tmp_path / "3"
    run(out, Step(("low",), 2, "ab"))
    older(out, 3)
    run(out, Step(("high",), 2, "ab"))
    with pytest.raises(InputError, match=r"config\.trials is 2 there and 3 now"):
        run(out, Step(("low",), 3, "ab"))


def test_every_reader_takes_a_log_that_grew_while_it_looked(tmp_path: Path) -> None:
    run(tmp_path, Step(("low",), 1, "a"))
    counts = LiveCounts(LogIndex(tmp_path))
    counts.refresh()
    assert counts.planned == 1
    run(tmp_path, WHOLE)
    counts.refresh()
    assert counts.planned == counts.done == 36 and len(counts.cells) == 9
    assert all(cell.planned == 4 for cell in counts.cells)
    header, outcomes = each_outcome(tmp_path / LOG_NAME)
    assert len(header.policies) == 3 and len(list(outcomes)) == 36


def test_a_torn_or_damaged_header_in_the_middle(tmp_path: Path) -> None:
    run(tmp_path, Step(("low",), 1, "a"))
    data = (tmp_path / LOG_NAME).read_bytes()
    run(tmp_path, WHOLE)
    grown = (tmp_path / LOG_NAME).read_bytes()
    place = grown.index(b'{"type": "header"', 1)
    for torn in (place, place + 30, grown.index(b"\n", place)):
        (tmp_path / LOG_NAME).write_bytes(grown[:torn])
        assert read_log(tmp_path / LOG_NAME)[0].policies[-1]["name"] == "low"
    assert data == grown[:place]
    (tmp_path / LOG_NAME).write_bytes(grown.replace(b'"run_seed": 0', b'"run_seed": 1'))
    with pytest.raises(InputError, match=r"line 1: its checksum is wrong"):
        read_header(tmp_path / LOG_NAME)
    (tmp_path / LOG_NAME).write_bytes(
        grown[:place] + grown[place:].replace(b'"run_seed": 0', b'"run_seed": 1')
    )
    with pytest.raises(InputError, match=r"line 3: its checksum is wrong"):
        read_header(tmp_path / LOG_NAME)


def test_the_header_in_force_says_both_commands(tmp_path: Path) -> None:
    """Every header stays in the log, with its command and its environment."""
    run(tmp_path, Step(("low",), 1, "a"), command="first")
    run(tmp_path, Step(("high",), 1, "a"), command="second")
    lines = (json.loads(line) for line in (tmp_path / LOG_NAME).read_text().splitlines())
    assert [line["command"] for line in lines if line["type"] == "header"] == ["first", "second"]
    assert read_header(tmp_path / LOG_NAME).command == "second"
