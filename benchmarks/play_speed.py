"""Frames per second and latency of `worldgym play` with the bundled world, in a real browser: from
the request for a step until its frame is drawn. Steered by hand, then by a policy.

    python benchmarks/play_speed.py

Needs Playwright and Chromium, which share the cores with the world here, as on a laptop.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from pathlib import Path

from playwright.sync_api import sync_playwright

from worldgym.web.play_app import play_app
from worldgym.web.play_setup import PlaySources, load_play
from worldgym.web.web_server import WebServer

SECONDS = 12
# times of the requests for steps, and of the paints that show their frames: the callback of an
# animation frame runs just before a paint, a message that it posts is read just after
WATCH = """() => {
  window.steps = [];
  let asked = 0;
  const ask = window.fetch, put = CanvasRenderingContext2D.prototype.putImageData;
  window.fetch = (address, ...more) => {
    if (String(address).endsWith("/play/step")) asked = performance.now();
    return ask(address, ...more);
  };
  CanvasRenderingContext2D.prototype.putImageData = function (...given) {
    const began = asked, painted = new MessageChannel();
    put.apply(this, given);
    painted.port1.onmessage = () => window.steps.push([began, performance.now()]);
    requestAnimationFrame(() => painted.port2.postMessage(0));
  };
}"""


def main() -> None:
    with tempfile.TemporaryDirectory() as out:
        config = load_play(PlaySources("bundled", policies=("bc-large",)), Path(out))
        server = WebServer(play_app(config), config.secret)
        thread = threading.Thread(target=server.serve, daemon=True)
        thread.start()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
            )
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto(server.url())
            page.evaluate(WATCH)
            page.click("#start")
            page.locator("#screen:focus").wait_for()
            page.keyboard.press("Enter")
            page.wait_for_timeout(3000)  # what is computed once
            told("by hand", measured(page))
            page.click("[data-policy-name=bc-large]")
            page.wait_for_timeout(1000)
            told("by a policy", measured(page))
            browser.close()
        server.stop()
        thread.join(10)


def measured(page) -> list[tuple[float, float]]:  # type: ignore[no-untyped-def]
    """(asked, drawn) of every step, in ms."""
    page.evaluate("() => { window.steps = []; }")
    page.wait_for_timeout(1000 * SECONDS)
    steps: list[tuple[float, float]] = page.evaluate("window.steps")
    return steps


def told(how: str, steps: list[tuple[float, float]]) -> None:
    span = (steps[-1][1] - steps[0][1]) / 1000
    delays = sorted(drawn - asked for asked, drawn in steps)
    most = delays[int(0.95 * len(delays))]
    print(
        f"{how}: {(len(steps) - 1) / span:.1f} frames per second; from a step to its picture "
        f"{delays[len(delays) // 2]:.0f} ms, 95 % within {most:.0f} ms"
    )


if __name__ == "__main__":
    main()
