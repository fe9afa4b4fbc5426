from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_networks import PAIR_TRUNK

from worldgym.episodes.frame_cache import FrameCache, frame_cache
from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.io.checkpoint import fingerprint, load_folder, read_config
from worldgym.judges.classifier import KIND, ClassifierJudge, DecisionRule, JudgeNet
from worldgym.judges.classifier_agreement import confusion_of, judge_store
from worldgym.judges.judging import prepare
from worldgym.train.judge_labels import draw, make_labels, progress_of, sampling_pools
from worldgym.train.judge_training import (
    JudgeTrainConfig,
    _learned_before,
    make_lesson,
    train_judge,
)
from worldgym.train.optimizer import FitConfig
from worldgym.types import ActionSpec, Episode, Rollout, Task, Trial

SPEC = ActionSpec(("x",), "delta_pose", "m", "none", "none", (-1.0,), (1.0,), 20.0)
LENGTH = 8


def make_store(root: Path, episodes: int = 16) -> Path:
    """A bright block moves right; it is a success from the middle on. Every other episode stops
    short of it."""
    store = EpisodeStore.create(root, SPEC, 20.0)
    for i in range(episodes):
        last = LENGTH if i % 2 else 2
        places = np.minimum(np.arange(LENGTH + 1), last)
        frames = np.full((LENGTH + 1, 16, 16, 3), 40, np.uint8)
        for t, x in enumerate(places):
            frames[t, 4:12, x : x + 6] = 220
        extras = {
            "task": "push",
            "seed": i,
            "success_at": [bool(x >= 5) for x in places],
            "distance": [float(8 - x) for x in places],
        }
        actions = np.zeros((LENGTH, 1), np.float32)
        store.write(
            f"e{i:02d}",
            Episode(
                frames[:, None],
                actions,
                "push the block",
                SPEC,
                20.0,
                bool(i % 2),
                "synthetic",
                extras,
            ),
        )
    return root


def recipe(store: Path, out: Path) -> JudgeTrainConfig:
    fit = FitConfig(steps=120, batch=8, lr=1e-2, warmup=5, average=0.9)
    return JudgeTrainConfig(
        store, out, held_out_every=3, hidden=16, trunk=PAIR_TRUNK, degradation=0.3, fit=fit
    )


def agreement(judge: ClassifierJudge, cache: FrameCache) -> float:
    """With what is known of the group "push"."""
    return confusion_of(judge.decision, judge_store(judge, cache, cache.names))["push"].agreement


def test_training_learns_and_reports_its_agreement(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store")
    judge = train_judge(recipe(store, tmp_path / "judge"))
    assert agreement(judge, frame_cache(EpisodeStore(store))) >= 0.9
    config = read_config(tmp_path / "judge")
    assert config["validation"]["episodes"] == 6 and config["trained"]["episodes"] == 10
    assert "| push |" in (tmp_path / "judge" / "README.md").read_text()
    assert ClassifierJudge.load(tmp_path / "judge").decision == judge.decision


def test_a_judge_of_two_views_reads_what_only_the_second_shows(tmp_path: Path) -> None:
    plain = EpisodeStore(make_store(tmp_path / "plain"))
    store = EpisodeStore.create(tmp_path / "store", SPEC, 20.0, views=("front", "wrist"))
    for info in plain:
        episode = plain[info.name]
        frames = np.concatenate([np.full_like(episode.frames, 40), episode.frames], 1)
        store.write(info.name, replace(episode, frames=frames, views=store.views))
    config = replace(recipe(store.root, tmp_path / "judge"), views=("wrist",))
    both = train_judge(replace(config, views=store.views))
    alone = train_judge(replace(config, out=tmp_path / "wrist"))
    blind = train_judge(replace(config, out=tmp_path / "front", views=()))
    cache = frame_cache(EpisodeStore(store.root))
    right = [agreement(judge, cache) for judge in (both, alone, blind)]
    assert right[0] >= 0.9 and right[1] >= 0.9 and right[2] <= 0.7
    assert both.views == store.views and both.net.config.trunk.channels == 12
    episode = store["e01"]
    trial = Trial(Task("push/1", "push", episode.main[0], "push the block", LENGTH), 0, 0)
    rollout = Rollout(trial, "p", episode.frames, episode.actions, views=store.views)
    turned = replace(rollout, frames=rollout.frames[:, ::-1], views=store.views[::-1])
    assert both(rollout, trial.task) == both(turned, trial.task)
    with pytest.raises(InputError, match="needs the view front, but there is only main"):
        both(replace(rollout, frames=rollout.frames[:, :1], views=("main",)), trial.task)
    with pytest.raises(InputError, match="needs the view front, but there is only main"):
        prepare(both, [trial.task], ("main",))
    with pytest.raises(InputError, match="no view side, only front, wrist"):
        train_judge(replace(config, views=("side",)))
    frames = np.concatenate([episode.frames[:, :1], np.zeros_like(episode.frames[:, :1])], 1)
    store.write("e01", replace(episode, frames=frames, absent=("wrist",)))
    with pytest.raises(InputError, match="e01 was recorded without the view wrist"):
        train_judge(config)


def test_a_judge_learns_on_from_another(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store")
    train_judge(recipe(store, tmp_path / "judge"))
    more = replace(recipe(store, tmp_path / "more"), start=tmp_path / "judge", fit=FitConfig(0, 8))
    train_judge(more)
    weights = [load_folder(tmp_path / name, KIND)[1] for name in ("judge", "more")]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    assert read_config(tmp_path / "more")["trained"]["settings"]["start"] == fingerprint(
        tmp_path / "judge"
    )
    train_judge(replace(more, out=tmp_path / "moved", fit=FitConfig(1, 8, warmup=1)))
    moved = load_folder(tmp_path / "moved", KIND)[1]
    assert any(not torch.equal(weights[0][key], moved[key]) for key in moved)
    with pytest.raises(InputError, match="another network"):
        train_judge(replace(more, hidden=8))


def test_a_judge_of_one_view_learns_to_see_another(tmp_path: Path) -> None:
    """It begins with the answers of the one, whatever the others show."""
    store = make_store(tmp_path / "store")
    train_judge(recipe(store, tmp_path / "judge"))
    one = ClassifierJudge.load(tmp_path / "judge").net
    two = _learned_before(
        tmp_path / "judge",
        replace(
            one.config, trunk=replace(PAIR_TRUNK, channels=12), views=("main", "wrist"), stride=3
        ),
    )
    rng = np.random.default_rng(0)
    start, later, *others = (rng.integers(0, 256, (1, 2, 16, 16, 3), np.uint8) for _ in range(4))
    features, known = torch.zeros(1, PAIR_TRUNK.buckets), torch.ones(1, 2, dtype=torch.bool)
    narrow = torch.from_numpy(np.concatenate([start, later], -1))
    wide = torch.from_numpy(np.concatenate([start, others[0], later, others[1]], -1))
    expected = one(narrow, features, known).video
    torch.testing.assert_close(two(wide, features, known).video, expected)
    assert all(parameter.requires_grad for parameter in two.parameters())
    with pytest.raises(InputError, match="another network"):
        _learned_before(tmp_path / "judge", replace(two.config, hidden=8))
    front = replace(one.config, views=("front",))
    for name, config in (("front", front), ("both", two.config)):
        judge = ClassifierJudge(JudgeNet(config), DecisionRule(), "trained")
        judge.save(tmp_path / name, {}, "")
    _learned_before(tmp_path / "front", replace(two.config, views=("front", "wrist")))
    for begun, views in (("front", ("wrist", "front")), ("both", ("wrist", "main"))):
        with pytest.raises(InputError, match="another network"):
            _learned_before(tmp_path / begun, replace(two.config, views=views))


def test_the_decision_may_be_chosen_on_some_of_those_held_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store(tmp_path / "store")
    some = replace(recipe(store, tmp_path / "judge"), drawn="15")
    train_judge(some)
    assert read_config(tmp_path / "judge")["validation"]["episodes"] == 1
    monkeypatch.setattr(
        "worldgym.train.judge_training.fit_rates", lambda known, band: DecisionRule(0.123)
    )
    thresholds = [
        train_judge(replace(some, drawn=drawn, fit=FitConfig(0, 8))).decision.threshold
        for drawn in ("15", "")
    ]
    assert thresholds[0] == 0.123 != thresholds[1]  # by rates where a world drew them
    with pytest.raises(InputError, match="-generated"):
        train_judge(replace(some, drawn="-generated"))
    unknown = EpisodeStore(store)
    unknown.write("e15", replace(unknown["e15"], success=None))
    with pytest.raises(InputError, match="no held-out episode of known success"):
        train_judge(some)


def test_pools_balance_success_and_failure(tmp_path: Path) -> None:
    cache = frame_cache(EpisodeStore(make_store(tmp_path / "store", 4)))
    labels = make_labels(cache, cache.names)
    assert labels.first.tolist() == [i * (LENGTH + 1) for i in range(4)] and set(labels.later) == {
        LENGTH
    }
    assert labels.succeeded().tolist() == [False, True, False, True] and labels.done.sum() == 2 * 4
    drawn = draw(sampling_pools(labels), 4000, np.random.default_rng(0))
    assert 0.45 < labels.succeeded()[drawn].mean() < 0.55


def test_pools_balance_what_a_world_drew_and_what_was_recorded(tmp_path: Path) -> None:
    store = EpisodeStore(make_store(tmp_path / "store", 12))
    for name in ("e00", "e01"):
        store.write(f"{name}-generated", store[name])
    labels = make_labels(cache := frame_cache(EpisodeStore(store.root)), cache.names, "-generated")
    drawn = draw(sampling_pools(labels), 4000, np.random.default_rng(0))
    assert labels.drawn.sum() == 2 and 0.45 < labels.drawn[drawn].mean() < 0.55


def test_a_lesson_that_ends_early_has_not_seen_what_comes_later(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", 4)
    cache, config = (
        frame_cache(EpisodeStore(store)),
        replace(recipe(store, tmp_path / "judge"), degradation=0.0),
    )
    labels, ends = make_labels(cache, cache.names), set()
    for seed in range(40):
        lesson = make_lesson(labels, np.array([1, 0]), config, np.random.default_rng(seed))
        assert lesson.pairs.shape[:2] == lesson.known.shape == lesson.done.shape
        assert (
            (lesson.done.any(1) <= lesson.success).all()
            and not lesson.success[1]
            and lesson.text.tolist() == [0, 0]
        )
        assert (
            not lesson.pairs[~lesson.known].any()
            and lesson.pairs[lesson.known].any((1, 2, 3)).all()
        )
        ends.add((int(lesson.known[0].sum()), bool(lesson.success[0])))
    assert {success for _, success in ends} == {False, True}
    assert max(looked for looked, success in ends if not success) < max(
        looked for looked, _ in ends
    )


def test_another_tasks_instruction_makes_a_failure(tmp_path: Path) -> None:
    store = EpisodeStore(make_store(tmp_path / "store", 4))
    store.write("e9", replace(store["e01"], instruction="pull the block"))
    labels = make_labels(cache := frame_cache(EpisodeStore(store.root)), cache.names)
    episodes, config = np.full(400, 1), recipe(store.root, tmp_path / "judge")
    lesson = make_lesson(labels, episodes, config, np.random.default_rng(0))
    assert 5 <= lesson.swapped.sum() <= 40
    assert (lesson.text[lesson.swapped] != labels.text[1]).all() and (
        lesson.text[~lesson.swapped] == labels.text[1]
    ).all()
    assert not lesson.success[lesson.swapped].any() and not lesson.done[lesson.swapped].any()


def test_progress_is_the_share_of_the_way() -> None:
    assert progress_of(np.array([4, 2, 5, 0], np.float32)).tolist() == [0.5, 0.0, 1.0]
    assert progress_of(np.zeros(2, np.float32)).tolist() == [1.0]


def test_stores_that_cannot_teach_are_named(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", 4)
    with pytest.raises(InputError, match="needs both"):
        train_judge(replace(recipe(store, tmp_path / "judge"), held_out_every=1))
    bare = EpisodeStore(store)
    episode = bare["e00"]
    bare.write("e04", replace(episode, extras={"task": "push", "seed": 4}))
    with pytest.raises(InputError, match="e04 lacks"):
        make_labels(frame_cache(EpisodeStore(store)), ["e04"])
