"""Figures in docs/ and README that were measured with a bundle, and which one that was.

    python dev/docs_figures.py        # lists the sections, and what each was measured with

A section that speaks of the bundled world and holds a figure carries a comment that nobody sees on
the page:

    <!-- measured: world W, judge J, policies P -->    must be the bundle's, see `bundle_mark`
    <!-- measured: earlier bundle -->                  the text must say so to the reader
    <!-- measured: no bundle -->                       does not depend on its weights

`tests/test_docs_figures.py` fails where a section lacks it, or where it is not the bundle's: a new
bundle so asks for its figures to be measured again, or to be marked."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from worldgym.io.bundled import BUNDLE
from worldgym.io.checkpoint import fingerprint

ROOT = Path(__file__).parent.parent
PAGES = ("README.md", *(f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md"))))
RESULTS = "docs/results.md"  # each row names what it was made with
SPEAKS = re.compile(r"\bbundled?\b|reference world|reference_world", re.IGNORECASE)
FIGURE = re.compile(
    r"\d ?(?:%|percent|dB|points|of \d+ (?:trials|rollouts|verdicts|successes|failures))"
    r"|\br (?:= |of |is |was |about )?\W{0,2}0?\.\d"
    r"|(?:AUROC|MMRV|correlation|kappa|PSNR|regret)[^.]*0?\.\d",
    re.IGNORECASE,
)
CODE = re.compile(r"```.*?```|(?:\A|\n)[ \t]*\n(?:    [^\n]*(?:\n|\Z))+", re.DOTALL)
MARK = re.compile(r"<!-- measured: (.+?) -->")
EARLIER, NONE = "earlier bundle", "no bundle"


@dataclass(frozen=True)
class Section:
    """Text between two headings of second level. line: of its first.   marks: in their order."""

    page: str
    title: str
    line: int
    text: str

    @property
    def marks(self) -> list[str]:
        return MARK.findall(self.text)

    @property
    def has_figures(self) -> bool:
        """Whether it gives figures of a bundled world."""
        prose = CODE.sub("\n\n", self.text)
        return bool(SPEAKS.search(prose) and FIGURE.search(prose))


def sections(page: str) -> Iterator[Section]:
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines(keepends=True)
    heads = [0] + [i for i, text in enumerate(lines) if text.startswith("## ")]
    for start, end in zip(heads, [*heads[1:], len(lines)], strict=True):
        title = lines[start].lstrip("# ").strip() if lines else ""
        yield Section(page, title, start + 1, "".join(lines[start:end]))


def bundle_mark() -> str:
    """What a figure of the present bundle is marked with: the fingerprints of world and judge, and
    one of all policies, the bundled ones and the held-out ones that its release was scored by."""
    world, judge = fingerprint(BUNDLE / "world"), fingerprint(BUNDLE / "judge")
    bundled = {path.name: fingerprint(path) for path in sorted((BUNDLE / "policies").iterdir())}
    held_out = json.loads((BUNDLE / "release.json").read_text(encoding="utf-8"))["policies"]
    both = json.dumps([bundled, held_out], sort_keys=True)
    return (
        f"world {world}, judge {judge}, policies {hashlib.sha256(both.encode()).hexdigest()[:12]}"
    )


def faults(page: str, mark: str) -> list[str]:
    """One sentence for each section that does not say what its figures were measured with, or that
    says what is no longer so."""
    found = []
    for section in sections(page):
        where = f'{page}:{section.line} "{section.title}"'
        if section.has_figures and not section.marks:
            found.append(
                f"{where} gives figures of a bundled world and does not say which: add <!-- "
                f"measured: {mark} -->, or what dev/docs_figures.py says"
            )
        for one in section.marks:
            if one == EARLIER and EARLIER not in MARK.sub("", section.text):
                found.append(
                    f"{where} has figures of an {EARLIER}, which its text does not tell the reader"
                )
            elif one not in (mark, EARLIER, NONE):
                found.append(
                    f"{where} was measured with {one}, the bundle is {mark}: measure again, or "
                    f"mark it as {EARLIER}"
                )
    return found


def stale_rows(mark: str) -> list[str]:
    """Rows of results.md that were made with another judge, or with one world that is not the
    bundle's. Comparisons of several worlds name theirs."""
    world, judge, *_ = mark.split(", ")
    stale = []
    for row in (ROOT / RESULTS).read_text(encoding="utf-8").splitlines():
        if not row.startswith("| ["):
            continue
        made_with = row.split(" | ")[3]
        if judge not in made_with or ("worlds " not in made_with and world not in made_with):
            stale.append(f"{RESULTS}: {row.split(']')[0]}] was made with {made_with}, not {mark}")
    return stale


if __name__ == "__main__":
    for name in PAGES:
        for part in sections(name):
            if part.has_figures or part.marks:
                print(f"{name}:{part.line} {part.title}: {', '.join(part.marks) or 'not marked'}")
