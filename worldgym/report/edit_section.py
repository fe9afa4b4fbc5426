"""What the page and the terminal say of out-of-distribution edits: the drop of each axis and
policy, with its pictures."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup
from rich.text import Text

from worldgym.report.figures import BAR_HEIGHT, interval_marks
from worldgym.report.grid import Grid
from worldgym.report.section import ReportFacts, Section
from worldgym.report.words import decimal, percent, points

BAR_WIDTH = 160


def interval(drop: Mapping[str, Any]) -> str:
    """ "+12 [+4, +20]"."""
    if drop["drop"] is None:
        return "–"
    return f"{points(drop['drop'])} [{points(drop['low'])}, {points(drop['high'])}]"


def perturbed_sentences(summary: Mapping[str, Any]) -> list[str]:
    """The most harmful axis, and how predicted drops follow the true ones as far as they are
    known."""
    found = summary["perturbed"]
    if found is None:
        return []
    same = [axis for axis in found["axes"] if not axis["new_goal"] and axis["drop"] is not None]
    said = []
    if same:
        worst, (low, high) = same[0], same[0]["together"]
        kinds = "1 kind" if len(same) == 1 else f"{len(same)} kinds"
        at_once = "" if len(same) == 1 else ", an interval that holds for all kinds at once"
        said.append(
            f"Of {kinds} of edit, {worst['axis']} costs most: "
            f"{interval({**worst, 'low': low, 'high': high})} points over all "
            f"policies{at_once}, {worst['n']} pairs of a trial and its edited twin. Rates above "
            f"are of the tasks as they were."
        )
    if (truth := found["truth"]) is not None:
        sign = (
            f"; of {truth['large']} true drops of 10 points or more, {truth['same_sign']} are "
            f"predicted as drops"
        )
        said.append(
            f"Predicted against true drops in {truth['n']} cells of policy and axis: r is "
            f"{decimal(truth['pearson'])}, "
            f"the mean gap {truth['mean_abs_gap']:.1f} points{sign if truth['large'] else ''}."
        )
    return said


def drops_grid(summary: Mapping[str, Any]) -> Grid | None:
    """A row an axis, a column a policy; None without edited tasks."""
    found = summary["perturbed"]
    if found is None:
        return None
    policies, rows = [p["policy"] for p in summary["policies"]], []
    for axis in found["axes"]:
        cells = {cell["policy"]: cell for cell in axis["cells"]}
        row = [Text(_cell(cells[p]) if p in cells else "") for p in policies]
        rows.append((Text(_name(axis)), [Text(interval(axis), "bold"), *row]))
    return Grid("drop by edits, points [95 % interval]", "edit", ["all policies", *policies], rows)


def perturbed_section(facts: ReportFacts) -> Section | None:
    """None without edited tasks. Texts are escaped; pictures are data URIs."""
    found = facts.summary["perturbed"]
    if found is None:
        return None
    blocks = Markup("").join(_block(axis, facts.run) for axis in found["axes"])
    words = Markup("").join(
        Markup("<p>{}</p>").format(sentence) for sentence in perturbed_sentences(facts.summary)
    )
    note = (
        "A drop is the rate on tasks as they were less the rate on their edited twins, on the same "
        "initial frames and seeds; "
    )
    note += (
        "above 0 the edit harms. Bars run from −100 to +100 points; p is corrected for the number "
        "of rows (Holm)."
    )
    body = Markup('{}<p class="soft small">{}</p>{}').format(words, note, blocks)
    return Section("perturbed", "Out of distribution", {"body": body})


def _block(axis: Mapping[str, Any], run_dir: Path) -> Markup:
    rows = Markup("").join(_row(cell) for cell in axis["cells"])
    pictures = Markup("").join(_example(example, run_dir) for example in axis["examples"])
    unpaired = (
        f"; {axis['unpaired']} trials have a score in one arm only" if axis["unpaired"] else ""
    )
    frame = Markup(
        '<h3>{}: {}</h3><p class="soft small">over all policies, {} pairs{}</p><div '
        'class="cards">{}</div>'
        '<div class="scroll"><table class="plain number"><thead><tr><th>policy</th><th>as it '
        "was</th><th>edited</th>"
        "<th>drop, points</th><th></th><th>p</th><th>true "
        "drop</th></tr></thead><tbody>{}</tbody></table></div>"
    )
    return frame.format(_name(axis), interval(axis), axis["n"], unpaired, pictures, rows)


def _row(cell: Mapping[str, Any]) -> Markup:
    true = f"{points(cell['true_drop'])} ({cell['true_n']})" if "true_drop" in cell else "unknown"
    p = f"{cell['p_holm']:.2g}" if "p_holm" in cell else "–"
    values = (
        cell["policy"],
        percent(cell["nominal_rate"]),
        percent(cell["edited_rate"]),
        interval(cell),
        _bar(cell),
        p,
        true,
    )
    return Markup(
        "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>"
    ).format(*values)


def _bar(cell: Mapping[str, Any]) -> Markup:
    """Band = interval, dot = drop, hollow diamond = true drop, on a scale from -1 to 1."""

    def x(value: float) -> str:
        return f"{BAR_WIDTH / 2 * (1 + value):.1f}"

    axes = Markup('<path class="grid" d="M{} 0V{}M0 {}H{}"/>').format(
        x(0), BAR_HEIGHT, BAR_HEIGHT / 2, BAR_WIDTH
    )
    marks = interval_marks(x, cell["drop"], (cell["low"], cell["high"]), cell.get("true_drop"))
    frame = Markup(
        '<svg class="bar c0" style="width:{}px" viewBox="0 0 {} {}" '
        'role="img"><title>{}</title>{}</svg>'
    )
    return frame.format(BAR_WIDTH, BAR_WIDTH, BAR_HEIGHT, f"drop {interval(cell)}", axes + marks)


def _example(example: Mapping[str, Any], run_dir: Path) -> Markup:
    pictures = Markup("").join(
        _picture(run_dir, example[name], label)
        for name, label in (("nominal_frame", "as it was"), ("frame", "edited"))
    )
    said = example["instruction"]
    if said != example["nominal_instruction"]:
        said = f"{example['nominal_instruction']} → {said}"
    return Markup(
        '<figure><div class="pair">{}</div><figcaption>{}: {}</figcaption></figure>'
    ).format(pictures, example["task"], said)


def _picture(run_dir: Path, name: str | None, label: str) -> Markup:
    path = None if name is None else run_dir / name
    if path is None or not path.is_file():
        return Markup('<div class="none">no picture</div>')
    data = base64.b64encode(path.read_bytes()).decode()
    return Markup(
        '<img style="width:100%" alt="{}" title="{}" src="data:image/png;base64,{}">'
    ).format(label, label, data)


def _name(axis: Mapping[str, Any]) -> str:
    return f"{axis['axis']} (new goal)" if axis["new_goal"] else str(axis["axis"])


def _cell(cell: Mapping[str, Any]) -> str:
    true = f"\ntrue {points(cell['true_drop'])}" if "true_drop" in cell else ""
    return interval(cell) + true
