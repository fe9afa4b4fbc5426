"""Figures of a bundled world say with which they were measured, and that is the bundle's."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

LoadScript = Callable[[str], ModuleType]


@pytest.fixture
def figures(load_script: LoadScript) -> ModuleType:
    return load_script("dev/docs_figures.py")


def test_every_figure_was_measured_with_the_bundle_or_says_that_it_was_not(
    figures: ModuleType,
) -> None:
    mark = figures.bundle_mark()
    assert [fault for page in figures.PAGES for fault in figures.faults(page, mark)] == []
    assert figures.stale_rows(mark) == []


def test_another_bundle_makes_them_stale(figures: ModuleType) -> None:
    faults = figures.faults("docs/reference-world.md", "world 0123456789ab, judge 0123456789ab")
    assert len(faults) >= 4 and all("measure again, or mark it" in fault for fault in faults)
    assert len(figures.stale_rows("world 0123456789ab, judge 0123456789ab")) >= 10
    assert figures.stale_rows(figures.bundle_mark().replace("world c", "world d"))


def test_other_policies_make_them_stale_too(
    figures: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bundled ones, or held-out ones of a new release; not a change of the release's figures."""
    bundle = tmp_path / "bundle"
    shutil.copytree(figures.BUNDLE, bundle)
    monkeypatch.setattr(figures, "BUNDLE", bundle)
    mark = figures.bundle_mark()
    assert figures.faults("docs/trust.md", mark) == []
    release = json.loads((bundle / "release.json").read_text())
    release["figures"]["mmrv"]["value"] += 0.01
    (bundle / "release.json").write_text(json.dumps(release))
    assert figures.bundle_mark() == mark
    release["policies"]["small"] = "0" * 12
    (bundle / "release.json").write_text(json.dumps(release))
    assert len(figures.faults("docs/trust.md", figures.bundle_mark())) == 2
    shutil.copy(figures.ROOT / "worldgym/reference/bundle/release.json", bundle)
    assert figures.bundle_mark() == mark
    shutil.rmtree(bundle / "policies" / "bc-few")
    assert figures.bundle_mark() != mark


def test_what_a_section_must_say(
    figures: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = "world a, judge b"
    texts = {
        "unmarked": "The bundled world reaches 95 % here.",
        "marked": f"<!-- measured: {mark} -->\nThe bundled world reaches 95 % here.",
        "old": "<!-- measured: earlier bundle -->\nThe bundled world reached 95 % then.",
        "told": "<!-- measured: earlier bundle -->\nThe earlier bundle reached 95 %.",
        "other": "<!-- measured: world c, judge b -->\nThe bundled world reaches 95 %.",
        "no figure": "The bundled world is small.",
        "simulated": "Of simulated studies 95 % hold.",
        "close": "The bundled world reaches 95%.",
        "ranks": "Of the bundled world MMRV is 0.017.",
        "r": "The bundled world has an r of **.91**.",
        "counts": "The bundled world credits 27 of 58 failures.",
        "in a list": "The bundled world:\n\n- door\n    and 95 % of it",
        "code": "The bundled world:\n\n    worldgym demo   # 95 % of it\n\n```\n95 %\n```\n",
    }
    (tmp_path / "page.md").write_text("".join(f"## {t}\n\n{b}\n\n" for t, b in texts.items()))
    monkeypatch.setattr(figures, "ROOT", tmp_path)
    faults = figures.faults("page.md", mark)
    assert [fault.split('"')[1] for fault in faults] == [
        "unmarked",
        "old",
        "other",
        "close",
        "ranks",
        "r",
        "counts",
        "in a list",
    ]
