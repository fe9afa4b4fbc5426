"""What a run does with a judge that breaks, costs money, or is exchanged for another afterwards."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import worldgym.evaluation.batch_records as batch_module
from worldgym.errors import (
    BudgetSpent,
    InputError,
    JudgeOutage,
    JudgeStopped,
    SameFailure,
    WorldGymError,
)
from worldgym.evaluation.plan import EvaluateConfig
from worldgym.evaluation.provenance import Origin
from worldgym.evaluation.rejudge import RejudgeConfig, clips_of_run, rejudge
from worldgym.evaluation.rollout import roll_out
from worldgym.evaluation.run import evaluate_parts
from worldgym.io.run_log import ATTEMPTS, read_log
from worldgym.io.run_records import results
from worldgym.io.user_code import Failure
from worldgym.judges.judging import judge_each
from worldgym.judges.label_session import LabelConfig, LabelSession
from worldgym.judges.load_judge import load_judge
from worldgym.report.terminal import print_summary
from worldgym.stats.failure_reasons import FailureReasons, ReasonCount
from worldgym.tasks.task_folder import load_tasks
from worldgym.testing import FakeJudge, FakePolicy, FakeWorld
from worldgym.types import Rollout, Task, Trial, Verdict, Vote

POLICIES = [FakePolicy(level=0.1, name="low"), FakePolicy(level=0.9, chunk=2, name="high")]


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    """Three tasks of one group."""
    folder = tmp_path / "tasks" / "door"
    folder.mkdir(parents=True)
    for i in range(3):
        frame = np.random.default_rng(i).integers(0, 256, (16, 24, 3)).astype(np.uint8)
        Image.fromarray(frame).save(folder / f"{i}.png")
        (folder / f"{i}.json").write_text(
            json.dumps({"instruction": "open the door", "steps": 4, "partial_credit": "ajar"})
        )
    return folder.parent


def run(out: Path, tasks: Path, judge: FakeJudge) -> dict[str, object]:
    return evaluate_parts(
        EvaluateConfig(out, 3, batch=3),
        FakeWorld(),
        POLICIES,
        load_tasks(tasks),
        judge,
        Origin({"tasks": str(tasks)}),
    )


@dataclass(frozen=True)
class Moody(FakeJudge):
    """Votes, costs a dollar a verdict, and breaks as told: `breaks` times on door/1, or for good at
    the n-th call."""

    breaks: int = 0
    raises: Exception | None = None
    at: int = 10**9
    calls: list[str] = field(default_factory=list)

    def __call__(self, rollout: Rollout, task: Task) -> Verdict:
        self.calls.append(f"{rollout.policy}:{task.name}")
        if self.calls.count("high:door/1") <= self.breaks and self.calls[-1] == "high:door/1":
            raise JudgeOutage("the line is dead")
        if self.raises is not None and len(self.calls) >= self.at:
            raise self.raises
        plain = super().__call__(rollout, task)
        votes = (Vote(plain.score, "seen", 10, 2, 0.4), Vote(None, "refused: no", 10, 0, 0.6))
        return replace(
            plain,
            votes=votes,
            cost_usd=1.0,
            paid_usd=1.0,
            provenance={"model": "m", "frames": [0, 4]},
        )


def test_the_log_keeps_votes_price_and_provenance(tasks: Path, tmp_path: Path) -> None:
    summary = run(tmp_path / "run", tasks, Moody())
    header, records = read_log(tmp_path / "run" / "log.jsonl")
    assert header.config["judge"] == {"threshold": 0.5, "band": 0.0}
    assert records[0].votes == (
        Vote(0.0, "seen", 10, 2, 0.4),
        Vote(None, "refused: no", 10, 0, 0.6),
    )
    assert records[0].provenance == {"model": "m", "frames": [0, 4]}
    spent = summary.expenses
    assert (spent.votes, spent.cost_usd, spent.paid_usd) == (12, 6.0, 6.0)


def test_a_judge_that_breaks_is_asked_again_without_another_rollout(
    tasks: Path, tmp_path: Path
) -> None:
    judge = Moody(breaks=2)
    run(tmp_path / "run", tasks, judge)
    _, records = read_log(tmp_path / "run" / "log.jsonl")
    broken = [record for record in records if record.key == ("high", "door/1", 0)]
    assert [(record.attempt, record.failure_reason, record.score) for record in broken] == [
        (1, "the line is dead", None),
        (2, "the line is dead", None),
        (3, None, 1.0),
    ]
    assert len(judge.calls) == 6 + 2  # nobody else is judged again


def test_a_judge_whose_numbers_no_log_can_hold_fails_the_trial_alone(
    tasks: Path, tmp_path: Path
) -> None:
    odd = Verdict(1.0, "fake-judge", provenance={"tokens": 3})

    class Odd(FakeJudge):
        def __call__(self, rollout: Rollout, task: Task) -> Verdict:
            if task.name == "door/1":
                return replace(odd, provenance={"tokens": np.int64(3)})
            return super().__call__(rollout, task)

    summary = run(tmp_path / "run", tasks, Odd())
    assert [(p.trials, p.failed) for p in summary.policies] == [(2, 1), (2, 1)]
    _, records = read_log(tmp_path / "run" / "log.jsonl")
    reasons = {r.failure_reason or "" for r in records if r.task == "door/1"}
    told = "TypeError: Object of type int64 is not JSON serializable"
    assert len(reasons) == 1 and reasons.pop().startswith(told)


def test_the_time_of_a_rollout_counts_once_however_often_the_judge_broke(
    tasks: Path, tmp_path: Path
) -> None:
    run(tmp_path / "run", tasks, Moody(breaks=1))
    _, records = read_log(tmp_path / "run" / "log.jsonl")
    broken = [r for r in records if r.failure_reason]
    assert broken and all(r.seconds == 0.0 and not r.timing for r in broken)
    assert all(r.seconds > 0.0 and r.timing for r in results(records).finished)


def test_a_video_that_is_gone_costs_its_trial_alone(tasks: Path, tmp_path: Path) -> None:
    run(tmp_path / "run", tasks, FakeJudge())
    video = tmp_path / "run" / "videos" / "high" / "door" / "1-0.mp4"
    data = video.read_bytes()
    video.unlink()
    config = RejudgeConfig(tmp_path / "run", tmp_path / "again")
    summary = rejudge(config, FakeJudge())
    assert [(p.trials, p.failed) for p in summary.policies] == [(3, 0), (2, 1)]
    video.write_bytes(data)
    assert [(p.trials, p.failed) for p in rejudge(config, FakeJudge()).policies] == [
        (3, 0),
        (3, 0),
    ]


def test_a_judge_that_stays_broken_fails_the_trial_alone(tasks: Path, tmp_path: Path) -> None:
    run(tmp_path / "run", tasks, Moody(breaks=99))
    outcome = results(read_log(tmp_path / "run" / "log.jsonl")[1])
    assert [(r.key, r.attempt, r.score) for r in outcome.failed] == [
        (("high", "door/1", 0), ATTEMPTS, None)
    ]
    assert outcome.failed[0].video and len(outcome.finished) == 5


@pytest.mark.parametrize("again", [False, True])
def test_stops_after_ten_equal_failures(tasks: Path, tmp_path: Path, again: bool) -> None:
    dead = Moody(raises=JudgeOutage("at most 1 image"), at=0)
    if again:
        run(tmp_path / "run", tasks, FakeJudge())
    with pytest.raises(SameFailure, match="10 times in a row: at most 1 image"):
        if again:
            rejudge(RejudgeConfig(tmp_path / "run", tmp_path / "again"), dead)
        else:
            run(tmp_path / "run", tasks, dead)
    out = tmp_path / ("again" if again else "run")
    outcome = results(read_log(out / "log.jsonl")[1])
    assert sum(r.attempt for r in outcome.failed if r.failure_reason == "at most 1 image") == 10
    assert (out / "summary.json").exists()


@pytest.mark.parametrize(
    "stop", [JudgeOutage("at most 1 image"), JudgeStopped("no key"), BudgetSpent("no money")]
)
def test_what_ran_is_judged_and_not_made_again(
    tasks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: WorldGymError
) -> None:
    """Also what was still to be judged when the run stopped; and the judge sees every pixel as it
    was."""
    run(tmp_path / "whole", tasks, FakeJudge())
    with contextlib.suppress(SameFailure, JudgeStopped):
        run(tmp_path / "run", tasks, Moody(raises=stop, at=2))
    ran = {record.key for record in read_log(tmp_path / "run" / "log.jsonl")[1] if record.video}
    assert len(ran) >= 3 and list((tmp_path / "run" / "unjudged").rglob("*.npy"))
    made: list[str] = []

    def counted(world: object, policy: object, trials: Sequence[Trial], _: None) -> list[Rollout]:
        made.extend(trial.key for trial in trials)
        return roll_out(world, policy, trials)  # type: ignore[arg-type]

    monkeypatch.setattr(batch_module, "roll_out", counted)
    run(tmp_path / "run", tasks, FakeJudge())
    assert len(made) == 6 - len(ran) and not list((tmp_path / "run" / "unjudged").rglob("*.npy"))
    finished, expected = (
        results(read_log(tmp_path / name / "log.jsonl")[1]).finished for name in ("run", "whole")
    )
    assert {(r.key, r.score, r.probability, r.steps) for r in finished} == {
        (r.key, r.score, r.probability, r.steps) for r in expected
    }


def test_what_ran_but_is_damaged_is_made_again(tasks: Path, tmp_path: Path) -> None:
    with pytest.raises(JudgeStopped):
        run(tmp_path / "run", tasks, Moody(raises=JudgeStopped("no key"), at=2))
    for kept in (tmp_path / "run" / "unjudged").rglob("*.npy"):
        kept.write_bytes(b"torn")
    run(tmp_path / "run", tasks, FakeJudge())
    assert len(results(read_log(tmp_path / "run" / "log.jsonl")[1]).finished) == 6


def test_a_spent_budget_leaves_the_rest_to_the_next_start(tasks: Path, tmp_path: Path) -> None:
    run(tmp_path / "whole", tasks, Moody())
    summary = run(tmp_path / "run", tasks, Moody(raises=BudgetSpent("budget spent"), at=3))
    outcome = results(read_log(tmp_path / "run" / "log.jsonl")[1])
    assert (len(outcome.finished), len(outcome.failed)) == (2, 4)
    assert {record.failure_reason for record in outcome.failed} == {"budget spent"}
    assert summary.policies[1].trials == 0
    run(tmp_path / "run", tasks, Moody())
    finished, expected = (
        results(read_log(tmp_path / name / "log.jsonl")[1]).finished for name in ("run", "whole")
    )
    assert {replace(r, attempt=1) for r in map(strip, finished)} == {
        replace(r, attempt=1) for r in map(strip, expected)
    }


def strip(record):  # type: ignore[no-untyped-def]
    """Without what cannot be hashed."""
    return replace(record, provenance=(), votes=())


def test_a_wrong_key_stops_the_run(tasks: Path, tmp_path: Path) -> None:
    with pytest.raises(JudgeStopped, match="wrong key") as stopped:
        run(tmp_path / "run", tasks, Moody(raises=JudgeStopped("wrong key"), at=2))
    outcome = results(read_log(tmp_path / "run" / "log.jsonl")[1])
    assert len(outcome.finished) == 1 and {r.failure_reason for r in outcome.failed} == {
        "wrong key"
    }
    # in the same program, which still holds the error and all it refers to
    run(tmp_path / "run", tasks, Moody())
    assert len(results(read_log(tmp_path / "run" / "log.jsonl")[1]).finished) == 6
    assert stopped.value.args


def test_verdicts_come_in_order_whatever_runs_at_once(tasks: Path) -> None:
    task = load_tasks(tasks)[0]
    frames = [np.full((2, 1, 16, 24, 3), 12 * i, np.uint8) for i in range(20)]
    rollouts = [Rollout(Trial(task, 0, 0), "p", f, np.zeros((1, 3), np.float32)) for f in frames]
    one, many = (list(judge_each(FakeJudge(concurrency=n), rollouts)) for n in (1, 7))
    assert one == many and not any(isinstance(verdict, Failure) for verdict in one)


def test_judged_again_without_rollouts(tasks: Path, tmp_path: Path) -> None:
    run(tmp_path / "run", tasks, FakeJudge())
    strict = FakeJudge(threshold=0.99, name="strict")
    summary = rejudge(RejudgeConfig(tmp_path / "run", tmp_path / "again", command="c"), strict)
    assert summary.judge == "strict" and sum(p.successes for p in summary.policies) == 0
    header, records = read_log(tmp_path / "again" / "log.jsonl")
    old_header, old = read_log(tmp_path / "run" / "log.jsonl")
    assert header.world == old_header.world and header.config["rejudged"]["judge"] == "fake-judge"
    assert [(r.key, r.seed, r.steps) for r in records] == [(r.key, r.seed, r.steps) for r in old]
    assert all(
        (tmp_path / "again" / str(r.video)).read_bytes()
        == (tmp_path / "run" / str(r.video)).read_bytes()
        for r in records
    )
    before = (tmp_path / "again" / "log.jsonl").read_bytes()
    rejudge(RejudgeConfig(tmp_path / "run", tmp_path / "again"), strict)
    assert (tmp_path / "again" / "log.jsonl").read_bytes() == before


def test_judged_again_the_trust_report_of_the_world_still_counts(
    tasks: Path, tmp_path: Path
) -> None:
    run(tmp_path / "run", tasks, FakeJudge())
    check = {
        "world": "fake-world",
        "tasks": {"door": {"colour": "red", "reason": "shuffled actions succeed"}},
    }
    (tmp_path / "run" / "trust.json").write_text(json.dumps(check))
    summary = rejudge(RejudgeConfig(tmp_path / "run", tmp_path / "again"), FakeJudge())
    assert (
        summary.trust is not None
        and summary.trust.left_out == ("door",)
        and {policy.trials for policy in summary.policies} == {0}
    )


def test_judging_again_resumes_after_a_budget(tasks: Path, tmp_path: Path) -> None:
    run(tmp_path / "run", tasks, FakeJudge())
    config = RejudgeConfig(tmp_path / "run", tmp_path / "again")
    summary = rejudge(config, Moody(raises=BudgetSpent("budget spent"), at=4))
    assert sum(p.failed for p in summary.policies) == 3
    summary = rejudge(config, Moody())
    assert (
        sum(p.failed for p in summary.policies),
        sum(p.trials for p in summary.policies),
    ) == (0, 6)


def test_a_trial_that_a_judge_broke_on_is_mended_by_another(tasks: Path, tmp_path: Path) -> None:
    run(tmp_path / "run", tasks, Moody(breaks=99))
    summary = rejudge(RejudgeConfig(tmp_path / "run", tmp_path / "again"), FakeJudge())
    assert sum(p.trials for p in summary.policies) == 6


def test_what_cannot_be_judged_again_is_named(tasks: Path, tmp_path: Path) -> None:
    run(tmp_path / "run", tasks, FakeJudge())
    with pytest.raises(InputError, match="is the run itself"):
        rejudge(RejudgeConfig(tmp_path / "run", tmp_path / "run"), FakeJudge())
    with pytest.raises(InputError, match="--tasks"):
        rejudge(RejudgeConfig(tmp_path / "run", tmp_path / "again", tmp_path / "none"), FakeJudge())
    rejudge(RejudgeConfig(tmp_path / "run", tmp_path / "again"), FakeJudge())
    with pytest.raises(InputError, match="judge"):
        rejudge(RejudgeConfig(tmp_path / "run", tmp_path / "again"), FakeJudge(name="other"))
    changed = tasks / "door" / "1.json"
    changed.write_text(changed.read_text().replace("open the door", "shut the door"))
    with pytest.raises(InputError, match='now reads "shut the door"'):
        rejudge(RejudgeConfig(tmp_path / "run", tmp_path / "third"), FakeJudge())


@pytest.fixture
def labelled(tasks: Path, tmp_path: Path) -> Iterator[Path]:
    """A run and labels of all its videos: everything of "high" is a success."""
    run(tmp_path / "run", tasks, FakeJudge())
    clips = clips_of_run(tmp_path / "run")
    assert len(clips) == 6 and {clip.partial_credit for clip in clips} == {"ajar"}
    server = LabelSession(clips, LabelConfig(tmp_path / "run" / "labels.jsonl", "anna"))
    for i, clip in enumerate(server.clips):
        server.label({"item": i, "score": 1 if "high" in str(clip.video) else 0})
    yield tmp_path / "run"


def test_labels_are_verdicts_like_any_other(labelled: Path, tmp_path: Path) -> None:
    summary = rejudge(
        RejudgeConfig(labelled, tmp_path / "human"),
        load_judge(labelled / "labels.jsonl", finished=True),
    )
    assert [(p.policy, p.successes, p.trials) for p in summary.policies] == [
        ("low", 0, 3),
        ("high", 3, 3),
    ]
    _, records = read_log(tmp_path / "human" / "log.jsonl")
    assert all(record.judge.startswith("human:") and record.votes for record in records)


@dataclass(frozen=True)
class Foresighted(FakeJudge):
    """Knows before the first frame what it cannot judge."""

    def check(self, tasks: Sequence[Task]) -> None:
        raise InputError(f"no list of criteria for {tasks[0].name}")


def test_what_is_known_to_be_wrong_is_told_before_the_first_frame(
    tasks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path / "done", tasks, FakeJudge())
    monkeypatch.setattr(batch_module, "roll_out", lambda *_: pytest.fail("a frame was made"))
    with pytest.raises(InputError, match="no list of criteria for door/0"):
        run(tmp_path / "run", tasks, Foresighted())
    with pytest.raises(InputError, match="no list of criteria for door/0"):
        rejudge(RejudgeConfig(tmp_path / "done", tmp_path / "again"), Foresighted())
    assert not (tmp_path / "run").exists() and not (tmp_path / "again").exists()


def test_the_terminal_names_why_trials_have_no_score(
    tasks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = run(tmp_path / "run", tasks, Moody(breaks=99))
    assert summary.reasons == FailureReasons(failed=(ReasonCount("the line is dead", 1),))
    print_summary(summary)
    assert "Failed: the line is dead (1 trial)." in " ".join(
        capsys.readouterr().out.replace("\xa0", " ").split()
    )
