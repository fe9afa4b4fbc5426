from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_networks import PAIR_TRUNK

from worldgym.errors import CheckpointError, InputError
from worldgym.io.checkpoint import save_folder
from worldgym.judges.classifier import (
    BATCH,
    ClassifierJudge,
    DecisionRule,
    JudgeConfig,
    JudgeNet,
    chosen_frames,
)
from worldgym.judges.load_judge import load_judge
from worldgym.testing import check_judge
from worldgym.types import Rollout, Task, Trial

TINY = JudgeConfig(
    (16, 16),
    8,
    PAIR_TRUNK,
    moments=2,
)


def make_judge(decision: DecisionRule | None = None) -> ClassifierJudge:
    torch.manual_seed(0)
    return ClassifierJudge(JudgeNet(TINY), decision or DecisionRule(), "tiny")


def make_rollouts(lengths: list[int]) -> list[Rollout]:
    rollouts = []
    for i, length in enumerate(lengths):
        frames = np.random.default_rng(i).integers(0, 256, (length + 1, 16, 16, 3), np.uint8)
        trial = Trial(Task(f"t/{i}", "t", frames[0], f"do thing {i}", length), 0, 0)
        rollouts.append(Rollout(trial, "p", frames[:, None], np.zeros((length, 2), np.float32)))
    return rollouts


def test_many_equal_one_by_one() -> None:
    judge, rollouts = make_judge(), make_rollouts([1, 40, 7, 33, 2, 5])
    assert len(rollouts) > BATCH
    videos = [(rollout.main, rollout.trial.task.instruction) for rollout in rollouts]
    for rollout, answer in zip(rollouts, judge.score(videos), strict=True):
        alone = judge(rollout, rollout.trial.task)
        assert alone.score == judge.decision.outcome(answer.probability) and alone.judge == "tiny"
        assert alone.probability == pytest.approx(answer.probability, abs=1e-5)
        assert alone.progress == pytest.approx(answer.progress, abs=1e-5)


def test_conforms() -> None:
    rollout = make_rollouts([6])[0]
    check_judge(make_judge(), rollout, rollout.trial.task)


def test_the_instruction_is_read() -> None:
    judge = make_judge()
    torch.nn.init.normal_(judge.net.trunk.film.weight)
    rollout = make_rollouts([5])[0]
    other = replace(rollout.trial.task, instruction="something else entirely")
    assert judge(rollout, other).probability != judge(rollout, rollout.trial.task).probability


def test_stride_always_sees_the_last_frame() -> None:
    assert (
        chosen_frames(10, 4) == [4, 8, 10]
        and chosen_frames(10, 4, 3) == [1, 5, 9, 10]
        and chosen_frames(1, 99) == [1]
    )
    judge, frames = make_judge(), make_rollouts([10])[0].main
    unseen, last = frames.copy(), frames.copy()
    unseen[1::2], last[-1] = 0, 0
    assert judge.score([(unseen, "do")]) == judge.score([(frames, "do")])
    assert judge.score([(last, "do")]) != judge.score([(frames, "do")])


def test_the_order_of_frames_is_read() -> None:
    judge, frames = make_judge(), make_rollouts([12])[0].main
    turned = np.concatenate([frames[:1], frames[:1:-2].repeat(2, 0)[: len(frames) - 1]])
    assert len(turned) == len(frames)
    assert (
        judge.score([(turned, "do")])[0].probability != judge.score([(frames, "do")])[0].probability
    )


def test_threshold_and_band() -> None:
    rollout = make_rollouts([5])[0]
    probability = make_judge()(rollout, rollout.trial.task).probability
    assert probability is not None
    assert (
        make_judge(DecisionRule(threshold=probability - 0.01))(rollout, rollout.trial.task).score
        == 1.0
    )
    assert (
        make_judge(DecisionRule(threshold=probability + 0.01))(rollout, rollout.trial.task).score
        == 0.0
    )
    unscored = make_judge(DecisionRule(band=(probability - 0.1, probability + 0.1)))(
        rollout, rollout.trial.task
    )
    assert (
        unscored.unscored
        and "unscored band" in unscored.reason
        and unscored.probability == probability
    )


def test_wrong_frames_are_named() -> None:
    judge = make_judge()
    with pytest.raises(InputError, match="two or more frames"):
        judge.score([(np.zeros((1, 16, 16, 3), np.uint8), "do")])
    with pytest.raises(InputError, match=r"\(3, 8, 8, 3\)"):
        judge.score([(np.zeros((3, 8, 8, 3), np.uint8), "do")])


def test_saved_and_loaded(tmp_path: Path) -> None:
    judge, rollout = make_judge(DecisionRule(0.6, (0.55, 0.65))), make_rollouts([9])[0]
    judge.save(tmp_path / "judge", {"trained": {}}, "# judge\n")
    loaded = load_judge(tmp_path / "judge")
    assert isinstance(loaded, ClassifierJudge) and loaded.decision == judge.decision
    assert loaded.name.startswith("classifier:") and len(loaded.name) == len("classifier:") + 12
    task = rollout.trial.task
    assert loaded(rollout, task).probability == pytest.approx(
        judge(rollout, task).probability, abs=0.02
    )
    save_folder(tmp_path / "other", {"kind": "bc"}, {"w": torch.zeros(1)}, "")
    with pytest.raises(CheckpointError, match='holds a "bc"'):
        load_judge(tmp_path / "other")


def test_the_bundled_size_fits(tmp_path: Path) -> None:
    ClassifierJudge(JudgeNet(JudgeConfig()), DecisionRule(), "full").save(tmp_path / "j", {}, "")
    assert (tmp_path / "j" / "model.safetensors").stat().st_size <= 1.5 * 2**20


def test_the_curve_is_what_it_says_of_the_video_cut_there() -> None:
    judge = make_judge()
    (rollout,) = make_rollouts([9])
    verdict = judge(rollout, rollout.trial.task)
    assert [frame for frame, _, _ in verdict.curve] == [2, 4, 6, 8, 9]
    for frame, progress, probability in verdict.curve:
        cut = replace(rollout, frames=rollout.frames[: frame + 1], actions=rollout.actions[:frame])
        alone = judge(cut, rollout.trial.task)
        assert probability == pytest.approx(alone.probability, abs=2e-3)
        assert progress == pytest.approx(alone.curve[-1][1], abs=2e-3)
    assert verdict.progress == pytest.approx(max(point[1] for point in verdict.curve), abs=1e-3)
