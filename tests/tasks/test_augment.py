"""Edited copies of recordings: the same motion in another scene, the same on every run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from worldgym.cli import main
from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.tasks.augment import AugmentConfig, augment_store, edited_episode
from worldgym.tasks.edits.edit_file import Edit, read_edits
from worldgym.types import ActionSpec, Episode

SPEC = ActionSpec(("x", "y"), "delta_pose", "m", "none", "none", (-1.0, -1.0), (1.0, 1.0), 5.0)
EDITS = """
[masks]
red = { hue = [350, 10], saturation = [0.9, 1] }
[[edit]]
name = "dim"
steps = [{ kind = "lighting", gain = { mild = 0.9, harsh = 0.3 } }]
[[edit]]
name = "blue"
only = ["door/*"]
steps = [
    { kind = "recolour", mask = "red", to = "#0000ff" },
    { kind = "reword", to = "open the blue door" },
]
"""


def recording(task: str, seed: int) -> Episode:
    """A red square, which the last frame does not show, on grey noise."""
    frames = np.repeat(np.random.default_rng(seed).integers(60, 200, (4, 24, 24, 1)), 3, -1).astype(
        np.uint8
    )
    frames[:3, 4:12, 4:12] = (200, 0, 0)
    return Episode(
        frames[:, None],
        np.full((3, 2), 0.25, np.float32),
        f"{task}!",
        SPEC,
        5.0,
        True,
        "made",
        {"task": task},
    )


@pytest.fixture
def config(tmp_path: Path) -> AugmentConfig:
    store = EpisodeStore.create(tmp_path / "store", SPEC, 5.0)
    for i in range(12):
        store.write(f"{i:02}", recording("door" if i % 2 else "drawer", i))
    (tmp_path / "edits.toml").write_text(EDITS)
    return AugmentConfig(tmp_path / "store", tmp_path / "edits.toml", tmp_path / "out")


def test_motion_and_outcome_stay_and_the_scene_changes(config: AugmentConfig) -> None:
    counts, skipped = augment_store(config)
    store, edited = EpisodeStore(config.store), EpisodeStore(config.out)
    assert sum(counts.values()) == len(edited) == 12 and counts["blue"] > 0 and not skipped
    gains = set()
    for info in edited:
        name, _, edit = info.name.partition("-")
        found, was = edited[info.name], store[name]
        np.testing.assert_array_equal(found.actions, was.actions)
        assert (found.success, found.spec, info.group, info.extras["edit"]) == (
            was.success,
            was.spec,
            was.extras["task"],
            edit,
        )
        assert edit == "dim" or (info.group, found.instruction) == ("door", "open the blue door")
        if edit == "dim":
            gain = 0.9 - 0.6 * info.extras["strength"]
            assert abs(found.frames.mean() - gain * was.frames.mean()) < 3
            gains.add(gain)
    assert len(gains) > 3


def test_the_same_again_and_resumed(config: AugmentConfig, tmp_path: Path) -> None:
    first = augment_store(config)
    removed = sorted((config.out / "episodes").glob("*.json"))[3]
    before = removed.read_bytes(), removed.with_suffix(".mp4").read_bytes()
    removed.unlink()
    assert augment_store(config) == first
    again = augment_store(AugmentConfig(config.store, config.edits, tmp_path / "again"))
    assert again == first
    for folder in (config.out, tmp_path / "again"):
        annotation = folder / "episodes" / removed.name
        assert (annotation.read_bytes(), annotation.with_suffix(".mp4").read_bytes()) == before
    augment_store(AugmentConfig(config.store, config.edits, tmp_path / "other", seed=1))
    strengths = [
        {info.extras["strength"] for info in EpisodeStore(folder)}
        for folder in (config.out, tmp_path / "other")
    ]
    assert not strengths[0] & strengths[1]


@pytest.mark.parametrize("seed", [0, 1])
def test_other_edits_or_another_seed_are_not_mixed_in(config: AugmentConfig, seed: int) -> None:
    first = augment_store(replace(config, limit=1))
    before = {path: path.read_bytes() for path in config.out.rglob("*") if path.is_file()}
    if not seed:
        config.edits.write_text(EDITS.replace("[0.9, 1]", "[0.8, 1]"))  # of a mask alone
    with pytest.raises(InputError, match="holds episodes of other edits or of another seed"):
        augment_store(replace(config, seed=seed))
    assert {path: path.read_bytes() for path in before} == before
    config.edits.write_text("# the same\n" + EDITS)
    assert augment_store(replace(config, limit=1)) == first
    assert len(augment_store(config)[0]) == 2 and len(EpisodeStore(config.out)) == 12


def test_a_store_from_before_origins_told_the_edits_goes_on(config: AugmentConfig) -> None:
    first = augment_store(config)
    for path in (config.out / "episodes").glob("*.json"):
        data = json.loads(path.read_text())
        data["origin"], mark, digest = data["origin"].rpartition("@")
        assert mark and len(digest) == 12
        path.write_text(json.dumps(data))
    (config.out / "index.jsonl").unlink(missing_ok=True)
    assert augment_store(config) == first and len(EpisodeStore(config.out)) == 12


def test_limit_counts_a_task(config: AugmentConfig) -> None:
    augment_store(AugmentConfig(config.store, config.edits, config.out, limit=2))
    assert sorted(info.group for info in EpisodeStore(config.out)) == [
        "door",
        "door",
        "drawer",
        "drawer",
    ]


def test_a_frame_that_hides_what_is_edited_stays_as_it_was(config: AugmentConfig) -> None:
    config.edits.write_text(EDITS[: EDITS.index("[[edit]]")] + EDITS[EDITS.rindex("[[edit]]") :])
    was, blue = recording("door", 1), read_edits_of(config)["blue"]
    found = edited_episode(was, blue)
    np.testing.assert_array_equal(found.frames[3], was.frames[3])
    assert (found.main[:3, 8, 8] == (0, 0, 255)).all()
    with pytest.raises(InputError):
        edited_episode(Episode(was.frames[2:][::-1], was.actions[2:], "", SPEC, 5.0), blue)


def in_front(frames: list[int], robot: slice) -> Episode:
    """A green object, and in some of four frames something blue, the robot, at the given rows."""
    shown = np.full((4, 1, 24, 24, 3), 128, np.uint8)
    shown[:, :, 8:16, 8:16] = (0, 200, 0)
    shown[frames, :, robot, 6:18] = (0, 0, 255)
    return Episode(shown, np.zeros((3, 2), np.float32), "", SPEC, 5.0)


OBJECT = "box = [0.33, 0.33, 0.67, 0.67]"
ROBOT = "behind = { hue = [230, 250], saturation = [0.9, 1] }"
CORNERS = "corners = [[0.3, 0.3], [0.7, 0.3], [0.7, 0.7], [0.3, 0.7]]"


@pytest.mark.parametrize(
    "step",
    [
        f'kind = "remove", mask = {{ {OBJECT} }}, {ROBOT}',
        f'kind = "add", object = "ball", at = [0.5, 0.6], size = 0.2, shadow = 0, {ROBOT}',
        f'kind = "picture", show = "ball", {CORNERS}, {ROBOT}',
        f'kind = "recolour", mask = {{ {OBJECT}, hue = [110, 130] }}, to = "#ff0000"',
        f'kind = "background", mask = {{ {OBJECT}, hue = [110, 130] }}, to = "#ff0000"',
        f'kind = "lighting", gain = 0.5, {ROBOT.replace("behind", "unlit")}',
    ],
)
def test_the_robot_may_hide_all_and_may_be_out_of_sight(config: AugmentConfig, step: str) -> None:
    config.edits.write_text(f'[[edit]]\nname = "one"\nsteps = [{{ {step} }}]\n')
    edit = read_edits_of(config)["one"]
    was = in_front([0, 1], slice(2, 4))  # in sight in the first two frames, and hides nothing
    assert (edited_episode(was, edit).main[:, 12, 12] != was.main[:, 12, 12]).any(-1).all()
    was.frames[3, :, 4:20, 4:20] = (0, 0, 255)  # hides everything in the last one
    found = edited_episode(was, edit)
    np.testing.assert_array_equal(found.main[3, 12, 12], was.main[3, 12, 12])


def test_noise_is_fresh_in_every_frame(config: AugmentConfig) -> None:
    config.edits.write_text('[[edit]]\nname = "noise"\nsteps = [{ kind = "noise", sd = 20 }]\n')
    still = Episode(
        np.full((3, 1, 24, 24, 3), 128, np.uint8), np.zeros((2, 2), np.float32), "", SPEC, 5.0
    )
    frames = edited_episode(still, read_edits_of(config)["noise"]).frames.astype(float)
    assert 15 < frames[0].std() < 25 and 20 < (frames[1] - frames[0]).std() < 36


def test_what_cannot_be_trained_on(config: AugmentConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with pytest.raises(InputError, match="is the input itself"):
        augment_store(AugmentConfig(config.store, config.edits, config.store))
    with pytest.raises(InputError, match="lies inside the input"):
        augment_store(AugmentConfig(config.store, config.edits, config.store / "episodes"))
    for more, told in {
        '[[edit]]\nname = "goal"\nsuccess = "shut"\n'
        'steps = [{ kind = "reword", to = "shut it" }]\n': "edit goal has a new goal",
        '[[edit]]\nname = "odd"\n'
        'steps = [{ kind = "lighting", gain = { mild = 1, harsh = 99 } }]\n': "edit odd: a light",
        '[server]\nprovider = "openai-images"\nmodel = "m"\n': "has a .server.",
    }.items():
        config.edits.write_text(EDITS + more)
        with pytest.raises(InputError, match=told):
            augment_store(config)
    assert not config.out.exists()


def test_an_episode_that_no_edit_fits_is_named(config: AugmentConfig) -> None:
    config.edits.write_text(
        '[[edit]]\nname = "dim"\nonly = ["door/*"]\nsteps = [{ kind = "lighting", gain = 0.5 }]\n'
    )
    counts, skipped = augment_store(config)
    assert (
        counts == {"dim": 6}
        and set(skipped.values()) == {"no edit is for drawer"}
        and len(skipped) == 6
    )


def test_a_full_disk_stops_at_once(config: AugmentConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: EpisodeStore, name: str, episode: Episode, origin: str) -> None:
        raise InputError("cannot write: No space left on device")

    monkeypatch.setattr(EpisodeStore, "write", full)
    with pytest.raises(InputError, match=r"^cannot write: No space"):
        augment_store(config)


def test_command(config: AugmentConfig, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["data", "augment", config.store, "--edits", config.edits]
    words += ["--out", config.out, "--limit", 1]
    main([str(word) for word in words])
    assert capsys.readouterr().out.startswith(f"{config.out}: 2 edited episodes\n  dim: ")


def read_edits_of(config: AugmentConfig) -> dict[str, Edit]:
    return {edit.name: edit for edit in read_edits(config.edits)}


def test_another_store_with_the_same_names_is_edited_too(
    config: AugmentConfig, tmp_path: Path
) -> None:
    first, _ = augment_store(config)
    other = EpisodeStore.create(tmp_path / "other", SPEC, 5.0)
    for i in range(12):
        other.write(f"{i:02}", recording("door" if i % 2 else "drawer", 100 + i))
    second = replace(config, store=tmp_path / "other")
    assert augment_store(second)[0] == first and len(EpisodeStore(config.out)) == 24
    augment_store(second)
    augment_store(config)
    assert len(EpisodeStore(config.out)) == 24
