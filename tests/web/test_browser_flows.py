"""Play, label, compare and leaderboard in a real browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from app_runs import fill, header, lerobot_episode, trial
from browser_pages import SIZES, Watched, chromium, served, watched
from PIL import Image

from worldgym.episodes.store import EpisodeStore
from worldgym.judges.human_preferences import PairKey, read_answers
from worldgym.judges.label_session import LabelConfig, LabelSession
from worldgym.judges.labels import Clip
from worldgym.judges.pair_session import ClipPair, PairSession
from worldgym.tasks.task_folder import load_tasks
from worldgym.testing import FakeJudge, FakePolicy, FakeWorld
from worldgym.types import Task
from worldgym.web.label_app import PREFER, label_app
from worldgym.web.play_app import PlayConfig, play_app
from worldgym.web.view_app import ViewConfig, view_app

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as one:
        yield one


@pytest.mark.parametrize(("width", "scheme"), SIZES)
def test_play(browser: Any, tmp_path: Path, width: int, scheme: str) -> None:
    frame = np.zeros((16, 24, 3), np.uint8)
    tasks = (Task("door/1", "door", frame, "open the door", 7),)
    policies = (FakePolicy(chunk=2),)
    config = PlayConfig(FakeWorld(), tasks, policies, FakeJudge(), tmp_path / "out")
    step = re.compile(r"step [1-9]")
    with (
        served(play_app(config), config.secret) as server,
        watched(browser, width, scheme) as one,
    ):
        page = one.page
        page.goto(server.url())
        one.check()
        page.click("#start")
        page.locator("#screen:focus").wait_for()
        page.keyboard.down("ArrowRight")  # to steer is to take over
        page.locator("#step", has_text=step).wait_for()
        page.keyboard.up("ArrowRight")
        assert page.inner_text("#who") == "hand"
        page.keyboard.press(" ")  # the gripper
        page.keyboard.press("Enter")
        page.locator("#who", has_text="paused").wait_for()
        page.keyboard.press("p")
        page.locator("#who", has_text="fake-policy").wait_for()
        page.wait_for_function("document.querySelector('#step').textContent.slice(5) > 8")
        page.keyboard.down("ArrowUp")
        page.locator("#who", has_text="hand").wait_for()
        page.keyboard.up("ArrowUp")
        page.keyboard.press("Backspace")
        page.locator("#who", has_text="paused").wait_for()
        page.keyboard.press("Enter")
        page.locator("#branches", has_text="other branches").wait_for()
        page.keyboard.press("Enter")
        page.locator("#verdict", has_text=re.compile("success|not yet")).wait_for()
        page.click("#start")
        page.locator("#step", has_text="step 0").wait_for()
        assert page.inner_text("#verdict") == "–"
        page.keyboard.press("p")
        page.wait_for_function("document.querySelector('#step').textContent.slice(5) > 8")
        page.click("[data-policy-name=fake-policy]")
        page.locator("#who", has_text="paused").wait_for()
        page.locator("#verdict", has_text=re.compile("success|not yet")).wait_for()
        page.fill("#name", "mine")
        page.click("#episode")
        page.locator("#saved", has_text="saved mine").wait_for()
        one.check()
    assert len(EpisodeStore(tmp_path / "out" / "episodes")["mine"]) > 3


def sent_actions(one: Watched) -> list[list[float]]:
    """Grows by every action that the page asks a step for."""
    sent = list[list[float]]()

    def note(asked: Any) -> None:
        if asked.url.endswith("/play/step"):
            sent.append(json.loads(asked.post_data)["action"])

    one.page.on("request", note)
    return sent


def test_every_action_number_can_be_reached(browser: Any, tmp_path: Path) -> None:
    task = Task("door/1", "door", np.zeros((16, 24, 3), np.uint8), "open", 7)
    config = PlayConfig(FakeWorld(), (task,), (), None, tmp_path)
    with served(play_app(config), config.secret) as server, watched(browser, 1280, "light") as one:
        sent = sent_actions(one)
        one.page.goto(server.url())
        one.page.click("#start")
        one.page.locator("#screen:focus").wait_for()
        for keys in (("ArrowLeft", "ArrowRight"), ("ArrowDown", "ArrowUp")):
            for key in keys:
                one.page.keyboard.down(key)
                one.page.wait_for_timeout(450)
                one.page.keyboard.up(key)
        one.page.keyboard.press(" ")
        one.page.wait_for_timeout(450)
        reached = np.array(sent)
        assert reached.min(0)[:2].tolist() == [-1, -1] and reached.max(0).tolist() == [1, 1, 1]
        box = one.page.locator("#screen").bounding_box()
        middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        sent.clear()
        one.page.mouse.move(*middle)
        one.page.mouse.down()
        one.page.mouse.move(middle[0] + box["width"] / 3, middle[1] + box["width"] / 3)
        one.page.wait_for_timeout(500)
        one.page.mouse.up()
        assert sent[-1][:2] == pytest.approx([1, -1], abs=0.05)
        slider = one.page.get_by_label("gripper")
        slider.fill("-0.5")
        one.page.wait_for_timeout(450)
        assert sent[-1][2] == pytest.approx(-0.5)
        assert one.said == []


PAD = """() => {
  window.pad = { axes: [0, 0], buttons: Array.from({ length: 8 }, () => ({ pressed: false })) };
  navigator.getGamepads = () => [null, window.pad];
}"""


def test_a_gamepad_steers_and_grips(browser: Any, tmp_path: Path) -> None:
    task = Task("door/1", "door", np.zeros((16, 24, 3), np.uint8), "open", 7)
    config = PlayConfig(FakeWorld(), (task,), (), None, tmp_path)
    with served(play_app(config), config.secret) as server, watched(browser, 1280, "light") as one:
        sent = sent_actions(one)
        one.page.goto(server.url())
        one.page.evaluate(PAD)
        one.page.click("#start")
        one.page.locator("#screen:focus").wait_for()
        one.page.keyboard.press("Enter")
        for axes, wanted in (([1, 0], [1, 0]), ([0, 1], [0, -1]), ([-0.5, -1], [-0.5, 1])):
            one.page.evaluate("axes => { window.pad.axes = axes; }", axes)
            one.page.wait_for_timeout(450)
            assert sent[-1][:2] == pytest.approx(wanted), "up is -1 on a gamepad"
        one.page.evaluate("() => { window.pad.axes = [0.1, -0.1]; }")  # sticks never rest at zero
        one.page.wait_for_timeout(450)
        assert sent[-1][:2] == [0, 0]
        before = sent[-1][2]
        one.page.evaluate("() => { window.pad.buttons[0].pressed = true; }")
        one.page.wait_for_timeout(450)
        assert sent[-1][2] == 1 and before != 1  # once a press, however long it lasts
        one.page.evaluate("() => { window.pad.buttons[0].pressed = false; }")
        one.page.wait_for_timeout(450)
        assert sent[-1][2] == 1 and one.said == []


def test_a_picture_of_ones_own_is_played_and_saved(browser: Any, tmp_path: Path) -> None:
    picture = tmp_path / "start.png"
    Image.fromarray(np.full((50, 40, 3), 200, np.uint8)).save(picture)
    config = PlayConfig(FakeWorld(), (), (FakePolicy(),), None, tmp_path / "out")
    with served(play_app(config), config.secret) as server, watched(browser, 400, "dark") as one:
        page = one.page
        page.goto(server.url())
        page.click("summary")
        page.set_input_files("#picture", picture)
        page.fill("#wish", "push the block")
        page.click("#upload")
        page.locator("h1", has_text="push the block").wait_for()
        page.click("[data-policy-name=fake-policy]")
        page.wait_for_function("document.querySelector('#step').textContent.slice(5) > 3")
        page.click("[data-policy-name=fake-policy]")
        page.locator("#who", has_text="paused").wait_for()
        page.fill("#name", "pushed")
        page.select_option("#form", "lerobot")
        page.click("#episode")
        page.locator("#saved", has_text="saved pushed").wait_for()
        page.fill("#next", "pull the block")
        page.click("#astask")
        page.locator("#saved", has_text="tasks").wait_for()
        one.check()
    episode = lerobot_episode(tmp_path / "out" / "lerobot" / "pushed")
    assert len(episode) > 3 and episode.instruction == "push the block"
    (task,) = load_tasks(tmp_path / "out" / "tasks")
    assert task.instruction == "pull the block" and task.frame.shape == (16, 24, 3)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    for name, policy, hits in (("a", "grasp@1k", 3), ("b", "grasp@2k", 9), ("c", "other", 5)):
        records = [
            trial(policy, group, start, score=float(start < hits))
            for group in ("door", "drawer")
            for start in range(12)
        ]
        fill(root / name, header((policy,), frames=12), records)
    return root


@pytest.mark.parametrize(("width", "scheme"), SIZES)
def test_compare_and_leaderboard(browser: Any, runs: Path, width: int, scheme: str) -> None:
    config = ViewConfig((runs,))
    with served(view_app(config), config.secret) as server, watched(browser, width, scheme) as one:
        page = one.page
        page.goto(server.url())
        page.get_by_role("link", name="a", exact=True).wait_for()
        for name in "ab":
            page.get_by_label(f"choose {name}").check()
        page.click("#compare")
        page.locator("#differences svg").wait_for(timeout=30_000)
        one.check()
        with page.expect_download() as svg:
            page.locator("#differences .downloads button", has_text="SVG").click()
        assert "grasp@2k" in Path(svg.value.path()).read_text()
        with page.expect_download() as png:
            page.locator("#differences .downloads button", has_text="PNG").click()
        assert Path(png.value.path()).read_bytes().startswith(b"\x89PNG")
        with page.expect_download() as table:
            page.get_by_role("link", name="rates.csv").click()
        assert Path(table.value.path()).read_text().startswith("policy,task,")
        page.get_by_role("link", name="Leaderboard").click()
        page.get_by_role("link", name="Compare these runs").wait_for()
        one.check()


@pytest.mark.parametrize(("width", "scheme"), SIZES)
def test_label(browser: Any, runs: Path, tmp_path: Path, width: int, scheme: str) -> None:
    clips = [
        Clip(video, "open the door", "ajar") for video in sorted(runs.glob("a/videos/**/*.mp4"))[:2]
    ]
    session = LabelSession(clips, LabelConfig(tmp_path / "labels.jsonl", "anna"))
    app, secret, finished = label_app(session)
    with served(app, secret) as server, watched(browser, width, scheme) as one:
        finished.append(server.stop)
        one.page.goto(server.url("/label"))
        one.page.locator("text=video 1 of 2; 0 labelled").wait_for()
        one.check()
        one.page.keyboard.press("1")
        one.page.locator("text=1 labelled").wait_for()
        one.page.keyboard.press("n")
        one.page.keyboard.type("only ajar")
        one.page.keyboard.press("Enter")
        one.page.keyboard.press("2")
        one.page.locator("text=All done").wait_for()
        one.check()
        one.page.click("#finish")
        one.page.locator("text=You can close this page").wait_for()
    said = [json.loads(line) for line in (tmp_path / "labels.jsonl").read_text().splitlines()]
    assert [(row["score"], row["reason"]) for row in said] == [(1.0, ""), (0.5, "only ajar")]


# A browser may take the middle of the last of the seven for the end.
FRAME = "Math.min(6, Math.floor(document.querySelector('video').currentTime * 5 + 0.01))"


def test_keys_step_by_the_videos_own_frames(browser: Any, runs: Path, tmp_path: Path) -> None:
    """It has five a second: others would be shown twice, or left out."""
    clips = [Clip(video, "open") for video in sorted(runs.glob("a/videos/**/*.mp4"))[:1]]
    session = LabelSession(clips, LabelConfig(tmp_path / "labels.jsonl", "anna"))
    app, secret, _ = label_app(session)
    with served(app, secret) as server, watched(browser, 1280, "light") as one:
        page = one.page
        page.goto(server.url("/label"))
        page.wait_for_function("document.querySelector('video').readyState >= 2")
        page.keyboard.press("r")
        page.keyboard.press(" ")
        page.evaluate("document.querySelector('video').pause()")
        page.evaluate("document.querySelector('video').currentTime = 0")
        for key, frame in ((".", 1), (".", 2), (",", 1), (",", 0), (",", 0)):
            page.keyboard.press(key)
            assert page.evaluate(FRAME) == frame
        for _ in range(9):
            page.keyboard.press(".")
        assert page.evaluate(FRAME) == 6
        page.keyboard.press(",")
        assert page.evaluate(FRAME) == 5 and one.said == []


def test_of_a_video_that_cannot_be_read_one_cannot_tell(
    browser: Any, runs: Path, tmp_path: Path
) -> None:
    torn = tmp_path / "torn.mp4"
    torn.write_bytes(b"torn")
    clips = [Clip(torn, "open"), Clip(next(runs.glob("a/videos/**/*.mp4")), "open")]
    session = LabelSession(clips, LabelConfig(tmp_path / "labels.jsonl", "anna"))
    app, secret, _ = label_app(session)
    with served(app, secret) as server, watched(browser, 1280, "light") as one:
        page = one.page
        page.goto(server.url("/label"))
        page.locator("text=video 1 of 2; 0 labelled").wait_for()  # keys are heard from then on
        number = next(i for i, clip in enumerate(session.clips) if clip.video == torn)
        if number:
            page.keyboard.press("ArrowRight")
        page.locator("text=cannot be read").wait_for()
        assert page.evaluate("document.querySelector('video').src") == ""
        page.keyboard.press("1")
        page.locator("text=The label was not saved: this video cannot be read").wait_for()
        page.keyboard.press("4")
        page.locator("text=1 labelled").wait_for()
        assert "torn" not in page.content()


def three_pairs(runs: Path) -> list[ClipPair]:
    """Videos of one initial frame each, by two checkpoints."""

    def clip(run: str, start: int) -> Clip:
        (video,) = (runs / run).glob(f"videos/*/door/{start}-0.mp4")
        return Clip(video, "open the door")

    return [
        ClipPair(PairKey(f"door/{i}", 0, "grasp@1k", "grasp@2k"), (clip("a", i), clip("b", i)))
        for i in range(3)
    ]


IN_STEP = "Math.abs(left.currentTime - right.currentTime) < 0.12 && left.currentTime > 0.15"


@pytest.mark.parametrize(("width", "scheme"), [*SIZES, (400, "light"), (1280, "dark")])
def test_which_did_better(
    browser: Any, runs: Path, tmp_path: Path, width: int, scheme: str
) -> None:
    session = PairSession(three_pairs(runs), LabelConfig(tmp_path / "preferences.jsonl", "anna"))
    app, secret, finished = label_app(session, PREFER)
    with served(app, secret) as server, watched(browser, width, scheme) as one:
        finished.append(server.stop)
        one.page.goto(server.url("/prefer"))
        one.page.locator("text=0 of 3 pairs answered").wait_for()
        one.page.wait_for_function(IN_STEP)
        assert "grasp" not in one.page.content()
        one.check()
        for done, key in enumerate(("ArrowLeft", "ArrowDown", "u", "ArrowRight", "s")):
            one.page.keyboard.press(key)
            one.page.locator(f"text={(1, 2, 1, 2, 3)[done]} of 3 pairs answered").wait_for()
            one.page.wait_for_function("!document.querySelector('#undo').disabled")
            one.page.wait_for_timeout(300)
        one.page.locator("text=All done").wait_for()
        one.check()
        one.page.click("#finish")
        one.page.locator("text=You can close this page").wait_for()
    sides = [("second", "first") if session.swapped(i) else ("first", "second") for i in range(3)]
    said = [answer.winner for answer in read_answers(tmp_path / "preferences.jsonl")]
    assert said == [sides[0][0], sides[1][1], None]


def test_an_answer_of_another_tab_is_passed_over(browser: Any, runs: Path, tmp_path: Path) -> None:
    session = PairSession(three_pairs(runs), LabelConfig(tmp_path / "preferences.jsonl", "anna"))
    app, secret, _ = label_app(session, PREFER)
    ready = "!document.querySelector('#pair').hidden && left.readyState >= 2"
    with served(app, secret) as server, watched(browser, 1280, "light") as one:
        other = one.page.context.new_page()
        for page in (one.page, other):
            page.goto(server.url("/prefer"))
            page.locator("text=0 of 3 pairs answered").wait_for()
            page.wait_for_function(ready)
            page.wait_for_timeout(300)
        one.page.keyboard.press("ArrowLeft")
        one.page.locator("text=1 of 3 pairs answered").wait_for()
        other.keyboard.press("ArrowRight")
        other.locator("text=The answer was not saved: this pair was answered").wait_for()
        other.locator("text=1 of 3 pairs answered").wait_for()
        other.wait_for_timeout(300)
        other.keyboard.press("ArrowRight")
        other.locator("text=2 of 3 pairs answered").wait_for()
        assert other.inner_text("#error") == ""
        one.page.wait_for_timeout(300)
        one.page.keyboard.press("u")  # its own last answer, not the other tab's
        one.page.locator("text=1 of 3 pairs answered").wait_for()
    (left,) = read_answers(tmp_path / "preferences.jsonl")
    assert left.key == session.pairs[1].key
