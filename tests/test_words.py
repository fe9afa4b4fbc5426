"""The field's words: old ones do not come back, and the glossary explains words in use."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GLOSSARY = ROOT / "docs" / "glossary.md"
MIGRATION = ROOT / "worldgym" / "io" / "migration.py"  # it alone knows the old names

# an old word => the one that is used
BANNED = {
    r"gauges?": "inverse-dynamics model",
    r"probe\.json": "error-predictor.json",
    r"data[ -]sets?": "dataset",
    r"mend(s|ed|ing)?": "fix",
    r"start[ _-](frame|image)s?": "initial frame",
    r"(frames|clips|actions|rollouts|episodes|operations|trials) a second": "per second",
    r"(seconds|minutes|hours|ms|GFLOP|[kMG]?B|bytes|frames|steps|trials|episodes|calls|actions|clips|"
    r"passes|studies|videos|votes|files|pixels|tokens|rollouts|states) an? (trial|episode|"
    r"frame|step|call|task|policy|core|batch|cell|video|layer|setting|side|group|row|chunk)"
    r"(?! of)": "per",
    r"a (row|line|column|file|token|thread|name|colour|picture|process) an? \w+": "one per",
    r"an? [\w-]+( [\w-]+)? of (its|their|one's) own": "its own, their own, your own",
    r"(held|hold)[ _-]back": "held out",
    r"probes?": "robustness test, error predictor",
    r"doubt(s|ful|fully)?": "uncertain, P(verdict wrong)",
    r"came closer|/closer|closer\.(html|js)": "did better, prefer",
    r"who plays": "the world, policy and judge",
    r"the same twice": "the same input gives the same result",
    r"\d an? (world|trial|step|call|frame|row|second|minute|episode)(?!')": "per",
    r"(line|name|bounds|score|one) a (row|number|trial|world|call|frame)": "one per",
    r"the very (same|ones?)": "the same, exactly",
    r"(goes|go|went) on": "continue",
    r"less (that|those) of": "minus",
    r"(may|not|is|are) be believed|optimism is believed": "trust",
    r"to be had|as may be|at hand": "available, possible",
    r"nobody (knows|has measured)": "unknown",
    r"none of which|of which none|so that which|whose they are": "a sentence of its own",
    r"nought|thence|whereof|wherein|henceforth|asunder|shall|dearer|as dear": "plain English",
    r"read(s|ing)? off": "estimate from, read from",
    r"dream(s|ed|t|ing)?(?!-)": "closed loop",
    r"imagin(e|es|ed|ing|ation)": "generate",
    r"lonely|astray|wavering|hesitation|shortfall": "the signals of trust/error_signals.py",
    r"lest|thereby|whither|whence|amiss": "plain English",
    r"anew|for ever|seldom|likewise|for want of": "again, forever, rarely, the same, without",
    r"held against": "compared with",
    r"(world|model) less truth": "minus",
    r"\w+, for (it|they|nobody|there) \w+": "because",
}
TEXTS = sorted(
    path
    for path in (
        *(ROOT / "worldgym").rglob("*.py"),
        *(ROOT / "worldgym").rglob("*.html"),
        *(ROOT / "docs").rglob("*.md"),
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
    )
    if path != MIGRATION
)


def text_of(path: Path) -> str:
    """With one space between words, for a word may stand at the end of a line."""
    return re.sub(r"\s+(# )?", " ", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("old", "new"), BANNED.items(), ids=BANNED.values())
def test_old_words_do_not_come_back(old: str, new: str) -> None:
    pattern = re.compile(rf"(?<![\w])({old})(?![\w])", re.IGNORECASE)
    found = {
        str(path.relative_to(ROOT)): hit.group()
        for path in TEXTS
        if (hit := pattern.search(text_of(path)))
    }
    assert found == {}, f"say {new}"


def terms() -> list[str]:
    return re.findall(r"^### (.+)$", GLOSSARY.read_text(encoding="utf-8"), re.MULTILINE)


def test_every_term_of_the_glossary_is_used() -> None:
    used = " ".join(text_of(path) for path in TEXTS if path != GLOSSARY).lower()
    used = re.sub(r"[-_]", " ", used)
    unused = [term for term in terms() if re.sub(r"[-_]", " ", term.lower()) not in used]
    assert terms() and unused == []


def test_every_term_is_explained_once_in_one_sentence() -> None:
    assert len(terms()) == len(set(terms()))
    for block in GLOSSARY.read_text(encoding="utf-8").split("### ")[1:]:
        lines = [line for line in block.splitlines()[1:] if line and not line.startswith("#")]
        assert len(lines) == 1 and lines[0].endswith("."), block
