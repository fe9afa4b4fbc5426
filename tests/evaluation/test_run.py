"""An evaluation resumes to the log of an uninterrupted one, isolates a bad trial, and refuses what
cannot work."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from worldgym.errors import InputError, SpecMismatch
from worldgym.evaluation.export import export
from worldgym.evaluation.load_parts import _trust_beside
from worldgym.evaluation.plan import EvaluateConfig
from worldgym.evaluation.provenance import Origin, environment
from worldgym.evaluation.run import evaluate_parts
from worldgym.io.run_log import ATTEMPTS, read_log
from worldgym.policies.load_policy import Loaded
from worldgym.policies.policy_protocol import Needs
from worldgym.report.page import write_report
from worldgym.stats.summarize import summarize
from worldgym.tasks.task_folder import load_tasks
from worldgym.tasks.write_tasks import to_png
from worldgym.testing import FAKE_SPEC, FakeJudge, FakePolicy, FakeWorld
from worldgym.types import Task

# lone surrogates and control characters too
ANY_TEXT = st.text(st.characters(codec=None), max_size=20)
POLICIES = [FakePolicy(level=0.1, name="low"), FakePolicy(level=0.7, chunk=3, name="high")]


def tasks() -> list[Task]:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (6, 16, 24, 3)).astype(np.uint8)
    return [
        Task(f"{group}/{i}", group, frames[3 * g + i], f"do {group}", 4)
        for g, group in enumerate("ab")
        for i in range(3)
    ]


def run(out: Path, policies=POLICIES, origin=None, **changes):  # type: ignore[no-untyped-def]
    config = replace(EvaluateConfig(out, trials=4, batch=3), **changes)
    return evaluate_parts(config, FakeWorld(), policies, tasks(), FakeJudge(), origin)


def test_everything_is_written(tmp_path: Path) -> None:
    summary = run(tmp_path)
    header, records = read_log(tmp_path / "log.jsonl")
    assert header.world == "fake-world" and header.judge == "fake-judge"
    assert len(records) == 2 * 2 * 4
    assert all((tmp_path / record.video).stat().st_size > 0 for record in records if record.video)
    assert json.loads((tmp_path / "summary.json").read_text()) == summary.to_json()
    by_policy = {policy.policy: policy for policy in summary.policies}
    assert by_policy["high"].successes == 8 and by_policy["low"].successes == 0


def test_resumed_at_any_byte_equals_uninterrupted(tmp_path: Path) -> None:
    run(tmp_path / "whole")
    _, expected = read_log(tmp_path / "whole" / "log.jsonl")
    data = (tmp_path / "whole" / "log.jsonl").read_bytes()
    header = data.index(b"\n") + 1
    for seed in range(12):
        cut = int(np.random.default_rng(seed).integers(header, len(data)))
        folder = tmp_path / f"cut-{seed}"
        folder.mkdir()
        (folder / "log.jsonl").write_bytes(data[:cut])
        run(folder)
        assert read_log(folder / "log.jsonl")[1] == expected


def test_batches_are_filled_up_so_that_every_call_has_one_shape(tmp_path: Path) -> None:
    rows = set()

    class Watched(FakeWorld):
        def reset(self, frames, seeds):  # type: ignore[no-untyped-def]
            rows.add(len(frames))
            return super().reset(frames, seeds)

    evaluate_parts(
        EvaluateConfig(tmp_path, trials=4, batch=3), Watched(), POLICIES, tasks(), FakeJudge()
    )
    assert rows == {3}


def test_results_do_not_depend_on_the_batch(tmp_path: Path) -> None:
    records = []
    for batch in (1, 3, 50):
        run(tmp_path / str(batch), batch=batch)
        records.append(read_log(tmp_path / str(batch) / "log.jsonl")[1])
    assert records[0] == records[1] == records[2]


def test_a_run_out_of_time_stops_between_batches_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path / "whole")
    stopped = run(tmp_path / "cut", max_minutes=0.0)
    assert "0 minutes are over" in capsys.readouterr().err
    assert sum(cell.trials + cell.failed for cell in stopped.cells) < 16
    run(tmp_path / "cut")
    assert (
        read_log(tmp_path / "cut" / "log.jsonl")[1] == read_log(tmp_path / "whole" / "log.jsonl")[1]
    )


def test_a_finished_run_runs_nothing_again(tmp_path: Path) -> None:
    run(tmp_path)
    before = (tmp_path / "log.jsonl").read_bytes()
    run(tmp_path)
    assert (tmp_path / "log.jsonl").read_bytes() == before


class Stumbling(FakePolicy):
    """Breaks on one task: for good, or `fails` times."""

    left: ClassVar[list[int]] = [0]

    def reset(self, trials):  # type: ignore[no-untyped-def]
        if any(trial.task.name == "a/1" for trial in trials) and self.left[0]:
            self.left[0] -= len({trial.key for trial in trials}) == 1
            raise ConnectionError("server gone")
        return super().reset(trials)


def test_a_failed_trial_is_isolated_and_counted_apart(tmp_path: Path) -> None:
    Stumbling.left[0] = 1000
    summary = run(tmp_path, [Stumbling(level=0.9)], trials=3)
    _, records = read_log(tmp_path / "log.jsonl")
    failed = [record for record in records if record.failure_reason]
    assert [record.attempt for record in failed] == list(range(1, ATTEMPTS + 1))
    assert {record.task for record in failed} == {"a/1"}
    assert str(failed[0].failure_reason).startswith("ConnectionError: server gone at test_run.py")
    cell = next(cell for cell in summary.cells if cell.task == "a")
    assert (cell.trials, cell.failed, cell.unscored, cell.successes) == (2, 1, 0, 2)


def test_the_time_of_rows_that_fill_up_a_batch_is_that_of_its_trials(tmp_path: Path) -> None:
    class Slow(FakeWorld):
        def reset(self, frames, seeds):  # type: ignore[no-untyped-def]
            time.sleep(0.05)
            return super().reset(frames, seeds)

    started = time.perf_counter()
    # 4 trials a policy, in batches of 2 and with one fault of one each
    config = EvaluateConfig(tmp_path, trials=2, batch=3)
    Stumbling.left[0] = 1
    summary = evaluate_parts(config, Slow(), [Stumbling(level=0.9)], tasks(), FakeJudge())
    took = time.perf_counter() - started
    batches = 0.05 * 3  # a whole one and two trials apart
    assert batches <= summary.expenses.seconds <= took
    assert batches <= summary.expenses.timing["world"] <= took


@pytest.mark.parametrize("batch", [0, -1])
def test_a_batch_holds_something(tmp_path: Path, batch: int) -> None:
    with pytest.raises(InputError, match=f"--batch is {batch}"):
        EvaluateConfig(tmp_path, trials=1, batch=batch)


@pytest.mark.parametrize("batch", [1, 3, 4, 5])
def test_halves_of_a_batch_are_alike_for_a_policy_that_computes_elsewhere(
    tmp_path: Path, batch: int
) -> None:
    rows = list[int]()

    class Watched(FakeWorld):
        def reset(self, frames, seeds):  # type: ignore[no-untyped-def]
            rows.append(len(frames))
            return super().reset(frames, seeds)

    policy = replace(POLICIES[0], needs=Needs(elsewhere=True))
    evaluate_parts(
        EvaluateConfig(tmp_path, trials=5, batch=batch), Watched(), [policy], tasks(), FakeJudge()
    )
    assert len(set(rows)) == 1 and 2 * rows[0] <= max(batch, 2)


def test_the_trust_report_is_found_however_the_world_is_named(tmp_path: Path) -> None:
    (tmp_path / "w" / "world").mkdir(parents=True)
    for place in ("w", "w/world"):
        (tmp_path / place / "trust.json").touch()
        assert {_trust_beside(tmp_path / name) for name in ("w", "w/world")} == {
            tmp_path / place / "trust.json"
        }
        (tmp_path / place / "trust.json").unlink()
    (tmp_path / "trust.json").touch()  # of something else
    assert _trust_beside(tmp_path / "w") is None and _trust_beside(tmp_path / "w" / "world") is None


def test_a_run_of_edited_tasks_may_stop_anywhere(tmp_path: Path) -> None:
    """The second policy may have met nothing but edited twins by then."""
    twins = [
        replace(t, name=f"0/{t.name}", group=f"0/{t.group}", nominal=t.name, axis="light")
        for t in tasks()
    ]
    config = EvaluateConfig(tmp_path, trials=3, batch=3)
    evaluate_parts(config, FakeWorld(), POLICIES, twins + tasks(), FakeJudge())
    lines = (tmp_path / "log.jsonl").read_bytes().splitlines(keepends=True)
    for count in range(1, len(lines) + 1):
        (tmp_path / "log.jsonl").write_bytes(b"".join(lines[:count]))
        text = write_report(tmp_path).read_text()
    assert "0/a" in text
    (tmp_path / "log.jsonl").write_bytes(b"".join(lines[: 1 + 12 + 3]))
    summary = evaluate_parts(
        replace(config, max_minutes=0.0), FakeWorld(), POLICIES, twins + tasks(), FakeJudge()
    )
    assert [policy.policy for policy in summary.policies] == ["low", "high"]
    assert summary.policies[1].trials == 0 and summary.policies[1].rate is None


def test_every_start_has_its_attempts(tmp_path: Path) -> None:
    for start in (1, 2):
        Stumbling.left[0] = 1000
        run(tmp_path, [Stumbling(level=0.9)], trials=3)
        _, records = read_log(tmp_path / "log.jsonl")
        assert [r.attempt for r in records if r.failure_reason] == list(
            range(1, start * ATTEMPTS + 1)
        )


@pytest.mark.parametrize("field", ["frame", "instruction", "steps", "partial_credit", "rubric"])
def test_a_run_is_not_resumed_with_other_tasks(tmp_path: Path, field: str) -> None:
    run(tmp_path)
    changed, other = tasks(), {"frame": np.zeros((16, 24, 3), np.uint8), "steps": 5}
    extras = {"extras": {"rubric": ["it is open"]}}
    changed[-1] = replace(
        changed[-1], **(extras if field == "rubric" else {field: other.get(field, "other")})
    )
    with pytest.raises(InputError, match=r"another run: config\.task_sha256\.b/2 is"):
        evaluate_parts(
            EvaluateConfig(tmp_path, trials=4, batch=3), FakeWorld(), POLICIES, changed, FakeJudge()
        )


def test_a_run_whose_log_lacks_the_hash_of_its_tasks_is_resumed(tmp_path: Path) -> None:
    run(tmp_path)
    log = tmp_path / "log.jsonl"
    header, *lines = [json.loads(line) for line in log.read_text().splitlines()]
    del header["config"]["tasks_sha256"]
    for line in (header, *lines):
        del line["crc32"]
    log.write_text(
        "".join(json.dumps(line) + "\n" for line in [{**header, "version": 2}, *lines[:-3]])
    )
    run(tmp_path)
    assert len(read_log(log)[1]) == len(lines)


def test_a_trial_that_works_at_the_second_attempt_is_scored(tmp_path: Path) -> None:
    Stumbling.left[0] = 1
    summary = run(tmp_path, [Stumbling(level=0.9)], trials=3)
    cell = next(cell for cell in summary.cells if cell.task == "a")
    assert (cell.trials, cell.failed) == (3, 0)


def test_unscored_leaves_the_denominator(tmp_path: Path) -> None:
    config = EvaluateConfig(tmp_path, trials=3)
    summary = evaluate_parts(
        config, FakeWorld(), [FakePolicy(level=0.5)], tasks(), FakeJudge(band=1.0)
    )
    assert all(
        cell.trials == 0 and cell.unscored == 3 and cell.rate is None for cell in summary.cells
    )


def test_known_truth_and_its_videos_enter_the_run(tmp_path: Path) -> None:
    truth = tmp_path / "truth"
    (truth / "videos" / "high" / "a").mkdir(parents=True)
    (truth / "videos" / "high" / "a" / "0.mp4").write_bytes(b"video")
    (truth / "truth.csv").write_text("policy,task,success\nhigh,a/0,1\nhigh,a/1,0\n")
    summary = run(tmp_path / "run", [POLICIES[1]], truth=truth, trials=3)
    cell = next(cell for cell in summary.cells if cell.task == "a")
    assert (cell.truth_trials, cell.truth_successes) == (2, 1)
    assert (tmp_path / "run" / "truth" / "high" / "a" / "0.mp4").read_bytes() == b"video"


def edited_tasks() -> list[Task]:
    dark = [
        replace(
            task,
            name=f"dark/{task.name}",
            group=f"dark/{task.group}",
            nominal=task.name,
            axis="light",
        )
        for task in tasks()
    ]
    return [*dark[:4], *tasks()]


def test_both_arms_are_run_and_compared(tmp_path: Path) -> None:
    summary = evaluate_parts(
        EvaluateConfig(tmp_path, trials=4, batch=3),
        FakeWorld(),
        POLICIES,
        edited_tasks(),
        FakeJudge(),
    )
    (axis,) = summary.perturbed.axes
    # the frames are the same
    assert (axis.axis, axis.drop, axis.n, axis.unpaired) == ("light", 0.0, 12, 0)
    assert all(policy.trials == 8 for policy in summary.policies)
    assert {
        (tmp_path / str(frame)).exists()
        for example in axis.examples
        for frame in (example.frame, example.nominal_frame)
    } == {True}
    assert not (tmp_path / "frames" / "b" / "1.png").exists()  # it has no twin


def test_an_edit_without_its_twin_is_an_ordinary_task(tmp_path: Path) -> None:
    alone = [task for task in edited_tasks() if task.nominal]
    summary = evaluate_parts(
        EvaluateConfig(tmp_path, trials=2, batch=3), FakeWorld(), POLICIES, alone, FakeJudge()
    )
    assert summary.perturbed is None and {cell.task for cell in summary.cells} == {
        "dark/a",
        "dark/b",
    }


def test_refused_before_the_first_frame(tmp_path: Path) -> None:
    other = replace(FakePolicy(), spec=replace(FAKE_SPEC, unit="furlong"))
    with pytest.raises(SpecMismatch, match="furlong"):
        run(tmp_path, [other])
    with pytest.raises(InputError, match="fake-policy"):
        run(tmp_path, [FakePolicy(), FakePolicy()])
    with pytest.raises(InputError, match=r'a policy is called "\.\./mine"'):
        run(tmp_path, [FakePolicy(name="../mine")])
    assert not (tmp_path / "log.jsonl").exists()


def test_needs_are_checked_before_the_first_frame_and_logged(tmp_path: Path) -> None:
    needy = replace(FakePolicy(), needs=Needs(state=("x",)))
    with pytest.raises(InputError, match="task a/0 does not say how it starts"):
        run(tmp_path, [needy])
    assert not (tmp_path / "log.jsonl").exists()
    run(tmp_path, [replace(needy, needs=Needs(state=("x",), from_zero=True)), POLICIES[0]])
    header, records = read_log(tmp_path / "log.jsonl")
    assert (
        header.policies[0]["needs"] == {"state": ["x"], "from_zero": True}
        and "needs" not in header.policies[1]
    )
    assert [record.flags for record in records] == [("state counted from zero",)] * 8 + [()] * 8


def test_other_options_do_not_resume(tmp_path: Path) -> None:
    run(tmp_path)
    with pytest.raises(InputError, match="run_seed is 0 there and 5 now"):
        run(tmp_path, seed=5)


def test_a_run_is_not_resumed_with_other_code(tmp_path: Path) -> None:
    run(tmp_path, origin=Origin(code={"low": "a"}))
    with pytest.raises(InputError, match=r"policies\.low\.code is 'a' there and 'b' now"):
        run(tmp_path, origin=Origin(code={"low": "b"}))
    run(tmp_path, origin=Origin(code={"low": "a"}))


def test_a_run_on_two_devices_is_one_that_was_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = Origin({"engine": "torch, float32, cpu"})
    there = Origin({"engine": "torch, bfloat16, cuda: H200"}, device="cuda: H200")
    run(tmp_path, origin=here)
    before = (tmp_path / "log.jsonl").read_bytes()
    with pytest.raises(InputError, match="give the --device and --engine that it began on"):
        run(tmp_path, origin=there)
    assert (tmp_path / "log.jsonl").read_bytes() == before
    capsys.readouterr()
    run(tmp_path, origin=there, other_engine=True)
    said = "began on torch, float32, cpu, and continues on torch, bfloat16, cuda: H200"
    assert said in capsys.readouterr().err


def test_the_engine_names_policies_on_another_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "H200")
    policy = FakePolicy()
    loaded = [Loaded(policy, None, device="cuda:1"), Loaded(policy, None)]
    origin = Origin.of_parts(loaded, {"tasks": "t"}, "cpu")
    known = {"checkpoints": {"policies": {policy.name: None}}}
    assert origin.settings == {"tasks": "t", "engine": "policies cuda: H200", **known}
    assert Origin.of_parts(loaded[1:], {}, "cpu").settings == known


def test_how_many_trials_are_missing(tmp_path: Path) -> None:
    run(tmp_path / "whole")
    run(tmp_path / "none", max_minutes=0.0)
    run(tmp_path / "part", shard=(2, 3), max_minutes=0.0)
    summaries = [
        summarize(*read_log(tmp_path / name / "log.jsonl")) for name in ("whole", "none", "part")
    ]
    assert [summary.completeness.missing for summary in summaries] == [0, 2 * 8, 2 * 3]


def test_without_git_the_commit_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert environment("cpu")["commit"] is None


class Commanding(FakePolicy):
    def act(self, states, observations):  # type: ignore[no-untyped-def]
        states, actions = super().act(states, observations)
        actions[:, :, 0] = self.level
        return states, actions


def test_odd_actions_are_flagged_and_absurd_ones_fail(tmp_path: Path) -> None:
    run(
        tmp_path,
        [
            replace(Commanding(), level=5.0, name="odd"),
            replace(Commanding(), level=1e30, name="absurd"),
        ],
        trials=1,
    )
    _, records = read_log(tmp_path / "log.jsonl")
    odd, absurd = ([r for r in records if r.policy == name] for name in ("odd", "absurd"))
    assert {(r.clipped, r.flags, r.finished) for r in odd} == {
        (4, ("actions out of bounds",), True)
    }
    assert all(
        r.score is None and "its unit or scale is wrong" in str(r.failure_reason) for r in absurd
    )


@settings(max_examples=5)
@given(
    name=ANY_TEXT.filter(lambda text: "/" not in text and text.strip(".\x00")),
    said=ANY_TEXT.filter(str.strip),
)
def test_any_text_comes_through_to_report_and_export(
    tmp_path_factory: pytest.TempPathFactory, name: str, said: str
) -> None:
    """In a task's name and instruction, in what a policy complains of and in what a judge says."""

    class Complaining(FakePolicy):
        def reset(self, trials):  # type: ignore[no-untyped-def]
            raise RuntimeError(said)

    class Saying(FakeJudge):
        def __call__(self, rollout, task):  # type: ignore[no-untyped-def]
            return replace(
                super().__call__(rollout, task), reason=said, provenance={"prompt": said}
            )

    out = tmp_path_factory.mktemp("run")
    (out / "tasks").mkdir()
    (out / "tasks" / "one.png").write_bytes(to_png(tasks()[0].frame))
    (out / "tasks" / "one.json").write_text(
        json.dumps({"instruction": "do " + said, "steps": 2, "tags": [name], "group": "g" + name})
    )
    loaded = load_tasks(out / "tasks")
    policies = [FakePolicy(name="calm"), Complaining(name="loud")]
    config = EvaluateConfig(out, trials=1, command=said)
    for _ in range(2):
        evaluate_parts(
            config,
            FakeWorld(),
            policies,
            loaded,
            Saying(),
            Origin({"tasks": name, "options": {name: said}}),
        )
    write_report(out).read_bytes().decode()
    assert export(out, out / "t.csv", None) == 1 + 2 * ATTEMPTS
