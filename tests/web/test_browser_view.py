"""`worldgym view` in a real browser: every page, by keyboard, in both schemes and three widths."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from app_runs import EVIL, fill, header, trial
from browser_pages import SIZES, check_accessibility, chromium, served, watched

from worldgym.io.run_log import RunLog
from worldgym.report.formats import percent, span
from worldgym.report.page import write_report
from worldgym.web.guard import SessionSecrets
from worldgym.web.view_app import ViewConfig, view_app
from worldgym.web.web_server import WebServer

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    every = [
        trial(policy, group, start, curve=((2, 0.2, 0.1), (4, 0.5, 0.7), (6, 0.9, 0.9)))
        for group in ("door", "drawer")
        for start in range(16)
        for policy in ("good", "poor")
    ]
    fill(root / "a", header(frames=16), every)
    fill(root / "evil", header((EVIL,)), [trial(EVIL, EVIL, 0, video=None, truth_video=None)])
    fill(root / "live", header(), every[:1])
    return root


@pytest.fixture(scope="module")
def server(runs: Path) -> Iterator[WebServer]:
    config = ViewConfig((runs,), None, SessionSecrets())
    with served(view_app(config), config.secret) as one:
        yield one


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as one:
        yield one


@pytest.mark.parametrize(("width", "scheme"), SIZES)
def test_every_page(browser: Any, server: WebServer, width: int, scheme: str) -> None:
    with watched(browser, width, scheme) as one:
        one.page.goto(server.url("/"))
        one.page.get_by_role("link", name="evil").wait_for()
        one.check()
        one.page.get_by_role("link", name="a", exact=True).click()
        one.page.locator("#figures #policies").wait_for(timeout=30_000)
        one.page.locator("#trials .card").first.wait_for()
        one.check()
        one.page.locator("#trials .card header a").first.click()
        one.page.locator("#curves svg").wait_for()
        assert one.page.locator("#along path").count() == 2
        one.page.locator("#signals dd").nth(3).wait_for(timeout=30_000)
        one.check()
        one.page.goto(f"{server.origin}/run?run=evil")
        one.page.locator("#trials .card").wait_for()
        one.page.locator("#figures #policies").wait_for(timeout=30_000)
        one.check()


def test_from_the_list_to_a_frame_by_keyboard_alone(browser: Any, server: WebServer) -> None:
    with watched(browser, 1280, "light") as one:
        page = one.page
        page.goto(server.url("/"))
        page.get_by_role("link", name="a", exact=True).wait_for()
        page.keyboard.press("/")
        page.keyboard.type("good finished")
        page.locator("text=1 of 3 runs").wait_for()
        page.keyboard.press("Tab")
        page.locator("select[name=sort]").blur()
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        page.locator("#trials .card").first.wait_for()
        page.keyboard.press("]")
        page.locator("text=page 2 of 3").wait_for()
        page.keyboard.press("f")
        assert page.evaluate("document.activeElement.name") == "policy"
        page.keyboard.type("poor")
        page.locator("text=of 32").first.wait_for()
        page.evaluate("document.activeElement.blur()")
        for _ in range(3):
            page.keyboard.press("j")
        page.keyboard.press("Enter")
        page.locator("#at").wait_for()
        page.wait_for_function("document.querySelector('#player video').readyState >= 2")
        for key, frame in ((".", 1), (".", 2), (",", 1), (".", 2)):
            page.keyboard.press(key)
            page.locator(f"text=frame {frame} of 6").wait_for()  # a video seeks when it can
        assert page.locator("#at").inner_text() == "frame 2 of 6"
        times = page.evaluate(
            "[...document.querySelectorAll('#player video')].map(v => v.currentTime)"
        )
        heads = page.eval_on_selector_all(
            "line.head", "all => all.map(one => one.x1.baseVal.value)"
        )
        assert len(heads) == 2 and heads[0] == heads[1] > 96
        assert len(times) == 2 and all(abs(t - 2.5 / 5) < 0.01 for t in times)
        page.keyboard.press("o")
        page.locator("#beside video").wait_for()
        page.keyboard.press("j")
        page.wait_for_url("**/trial?**")
        assert one.said == []


def test_a_run_in_progress_updates_by_itself(browser: Any, server: WebServer, runs: Path) -> None:
    with watched(browser, 1280, "light") as one:
        one.page.goto(server.url("/"))
        one.page.goto(f"{server.origin}/run?run=live")
        one.page.locator("text=1 of 12 trials").wait_for()
        with RunLog.open(runs / "live", header()) as log:
            for start in (1, 2):
                log.append(trial("good", "door", start, video="videos/good/door/0-0.mp4"))
        one.page.locator("text=3 of 12 trials").wait_for(timeout=5000)
        assert one.page.locator("#newest video").count() == 3
        one.check()


def test_markup_in_a_log_is_shown_as_text(browser: Any, server: WebServer) -> None:
    with watched(browser, 1280, "light") as one:
        one.page.on("dialog", lambda dialog: one.said.append("a dialog"))
        one.page.goto(server.url("/"))
        one.page.goto(f"{server.origin}/run?run=evil")
        one.page.locator("#trials .card").wait_for()
        one.page.locator("#figures #policies").wait_for(timeout=30_000)
        assert EVIL in one.page.locator("#trials .card").inner_text()
        time.sleep(0.3)
        assert one.said == []


STREAMS = """() => {
  window.streams = new Set();
  const Source = window.EventSource;
  window.EventSource = class extends Source {
    constructor(address) { super(address); window.streams.add(this); }
    close() { super.close(); window.streams.delete(this); }
  };
}"""
HIDE = """hidden => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_only_pages_that_are_shown_and_may_change_hold_a_stream(
    browser: Any, server: WebServer
) -> None:
    """A browser opens six connections to a host: the seventh page would wait for ever."""
    with watched(browser, 1280, "light") as one:
        one.page.add_init_script(f"({STREAMS})()")
        one.page.goto(server.url("/"))
        for address, shown in (("/", 1), ("/run?run=live", 1), ("/run?run=a", 0)):
            one.page.goto(f"{server.origin}{address}")
            one.page.wait_for_function("n => window.streams.size === n", arg=shown)
            one.page.evaluate(HIDE, True)
            assert one.page.evaluate("window.streams.size") == 0
            one.page.evaluate(HIDE, False)
            one.page.wait_for_function("n => window.streams.size === n", arg=shown)
        pages = [one.page.context.new_page() for _ in range(8)]
        for page in pages:
            page.goto(f"{server.origin}/run?run=a", timeout=10_000)
            page.locator("#trials .card").first.wait_for(timeout=10_000)
        assert one.said == []


def test_rates_in_the_browser_are_those_of_the_report(browser: Any, server: WebServer) -> None:
    rates = [0.0, 1 / 2500, 0.0049, 1e-7, 0.3333, 0.62, 0.9951, 1999 / 2000, 1 - 1e-7, 1.0]
    with watched(browser, 1280, "light") as one:
        one.page.goto(server.url("/"))
        said = one.page.evaluate(
            """async rates => { const { percent, span } = await import("/static/app.js");
            return rates.map(rate => [percent(rate), span(rate, 1 - rate)]); }""",
            rates,
        )
    assert said == [[percent(rate), span(rate, 1 - rate)] for rate in rates]


def test_cards_are_sorted_where_they_are_and_found_by_odd_names(
    browser: Any, tmp_path: Path
) -> None:
    names = ("a  b", "a b", "a-b")
    nominal = [trial(name, "door", start) for name in names for start in range(3)]
    edited = [
        trial(name, "red", start, nominal=f"door/{start}", axis="colour")
        for name in names
        for start in range(3)
    ]
    edits = {f"red/{start}": f"door/{start}" for start in range(3)}
    run = fill(tmp_path / "runs" / "a", header(names, edits=edits), nominal + edited)
    path = write_report(run)
    with watched(browser, 1280, "light") as one:
        page = one.page
        page.goto(path.as_uri())
        cards = page.locator("#gallery .card").count()
        assert cards == 18 and page.locator("#perturbed .cards").count()
        page.select_option("#gallery-sort", "start")
        assert page.locator("#gallery .card").count() == cards
        page.goto(f"{path.as_uri()}{page.locator('.card header a').last.get_attribute('href')}")
        page.wait_for_function("location.hash === '#' + document.activeElement.id")
    config = ViewConfig((tmp_path / "runs",), None, SessionSecrets())
    with served(view_app(config), config.secret) as shown, watched(browser, 400, "dark") as one:
        one.page.goto(shown.url("/"))
        one.page.goto(f"{shown.origin}/run?run=a")
        one.page.select_option("[name=policy]", "a  b")
        one.page.locator("text=1 to 6 of 6").wait_for()
        assert one.said == []


@pytest.mark.parametrize(("width", "scheme"), SIZES)
def test_the_report_on_the_disk(browser: Any, runs: Path, width: int, scheme: str) -> None:
    path = write_report(runs / "a")
    with watched(browser, width, scheme) as one:
        one.page.goto(path.as_uri())
        one.page.locator(".card").first.wait_for()
        one.check()
        link = one.page.locator(".card header a").last
        name = link.get_attribute("href")
        one.page.goto(f"{path.as_uri()}{name}")
        one.page.wait_for_function(
            "name => '#' + document.activeElement.id === name", arg=name, timeout=5000
        )
        one.page.locator("[data-chip]").first.click()
        check_accessibility(one.page)
        assert one.said == []
