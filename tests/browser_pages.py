"""A real browser for the tests: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp

from worldgym.web.guard import SessionSecrets
from worldgym.web.web_server import WebServer

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
SIZES = [(400, "dark"), (1280, "light"), (1600, "dark")]
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
WIDER = """[...document.querySelectorAll("body *")].filter(one => !one.closest(".scroll, svg"))
  .filter(one => document.documentElement.scrollWidth > innerWidth
    && one.getBoundingClientRect().right > innerWidth).map(one => one.outerHTML.slice(0, 100))"""
SERIOUS = ("serious", "critical")


@contextmanager
def chromium() -> Iterator[Any]:
    """Skips where there is no browser, or nothing that drives one."""
    api = pytest.importorskip("playwright.sync_api", reason="the extra [browser] is not installed")
    if not Path(CHROMIUM).exists():
        pytest.skip("no Chromium: apt-get install chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def served(app: ASGIApp, secret: SessionSecrets) -> Iterator[WebServer]:
    server = WebServer(app, secret)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    yield server
    server.stop()
    thread.join(10)


@dataclass
class Watched:
    """A page, and what its console said."""

    page: Any
    said: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Nothing on the console, nothing wider than the window, nothing serious from axe-core."""
        assert self.said == []
        assert self.page.evaluate(WIDER) == []
        check_accessibility(self.page)


def check_accessibility(page: Any) -> None:
    """Passes where axe-core is absent: `make test-browser` fetches it."""
    axe = Path(os.environ.get("WORLDGYM_AXE", ".axe/package/axe.min.js"))
    if not axe.exists() or not axe.stat().st_size:
        return
    page.evaluate(axe.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    serious = [
        (fault["id"], fault["nodes"][0]["html"])
        for fault in found["violations"]
        if fault["impact"] in SERIOUS
    ]
    assert serious == []


@contextmanager
def watched(browser: Any, width: int, scheme: str) -> Iterator[Watched]:
    # a policy that forbids scripts from elsewhere would forbid axe-core's too
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True
    )
    one = Watched(context.new_page())
    one.page.on(
        "console", lambda told: one.said.append(told.text) if told.type == "error" else None
    )
    one.page.on("pageerror", lambda error: one.said.append(str(error)))
    yield one
    context.close()
