"""What the page and the terminal say of out-of-distribution edits: the drop of each axis and
policy, with its pictures."""

from __future__ import annotations

import base64
from pathlib import Path

from markupsafe import Markup
from rich.text import Text

from worldgym.report.figures import BAR_HEIGHT, interval_marks
from worldgym.report.formats import CONFIDENCE, decimal, number_of, percent, points
from worldgym.report.grid import Grid
from worldgym.report.section import ReportFacts, Section
from worldgym.stats.drop_agreement import DropAgreement
from worldgym.stats.perturbation import (
    AxisDrop,
    Drop,
    EditedDrops,
    EditedExample,
    PolicyDrop,
)
from worldgym.stats.stress_result import StressResult
from worldgym.stats.summary import Summary

BAR_WIDTH = 160


def interval(drop: Drop) -> str:
    """ "+12 [+4, +20]"."""
    if drop.drop is None:
        return "–"
    return f"{points(drop.drop)} [{points(drop.low)}, {points(drop.high)}]"


def perturbed_sentences(summary: Summary) -> list[str]:
    """The most harmful axis, and how predicted drops follow the true ones as far as they are
    known."""
    found = summary.perturbed
    if found is None:
        return []
    return [sentence for sentence in (_worst(found), _against_truth(found.truth)) if sentence]


def _worst(found: EditedDrops) -> str:
    same = [axis for axis in found.axes if not axis.new_goal and axis.drop is not None]
    if not same:
        return ""
    worst = same[0]
    low, high = worst.together
    all_kinds = "" if len(same) == 1 else " for all kinds together"
    pairs = f"{number_of(worst.n, 'pair')} of a trial and its edited twin"
    return (
        f"Of {number_of(len(same), 'kind')} of edit, {worst.axis} lowers the success rate most: "
        f"drop {points(worst.drop)} points over all policies ({CONFIDENCE}{all_kinds} "
        f"{points(low)} to {points(high)}, {pairs}). All rates above are of unedited tasks."
    )


def _against_truth(truth: DropAgreement | None) -> str:
    if truth is None:
        return ""
    large = (
        f"; of {truth.large} true drops of 10 points or more, {truth.same_sign} are predicted as "
        f"drops"
    )
    small = (
        f"; of {truth.small} true changes under 10 points, {truth.small_too} are predicted to be "
        f"under 10 points"
    )
    return (
        f"Predicted drops against true ones in {number_of(truth.n, 'cell')} (policy and kind of "
        f"edit): Pearson r is {decimal(truth.pearson)}, the mean gap {truth.mean_abs_gap:.1f} "
        f"points, the bias {truth.bias:+.1f} points{large if truth.large else ''}"
        f"{small if truth.small else ''}."
    )


def drops_grid(summary: Summary) -> Grid | None:
    """One row per axis, one column per policy; None without edited tasks."""
    found = summary.perturbed
    if found is None:
        return None
    rows = []
    for axis in found.axes:
        cells = {cell.policy: cell for cell in axis.cells}
        row = [Text(_cell(cells[p]) if p in cells else "") for p in summary.names]
        rows.append((Text(_name(axis)), [Text(interval(axis), "bold"), *row]))
    columns = ["all policies", *summary.names]
    return Grid("drop by edits, points [95 % confidence interval]", "edit", columns, rows)


def perturbed_section(facts: ReportFacts) -> Section | None:
    """None without edited tasks. Texts are escaped; pictures are data URIs."""
    found = facts.summary.perturbed
    if found is None:
        return None
    blocks = Markup("").join(_block(axis, facts.run) for axis in found.axes)
    words = Markup("").join(
        Markup("<p>{}</p>").format(sentence) for sentence in perturbed_sentences(facts.summary)
    )
    note = (
        "A drop is the success rate on unedited tasks minus the rate on their edited twins, from "
        "the same initial frames and seeds: above 0 the edit harms. Bars run from −100 to +100 "
        "points; p is corrected for the number of rows (Holm)."
    )
    body = Markup('{}<p class="soft small">{}</p>{}').format(words, note, blocks)
    return Section("perturbed", "Out of distribution", {"body": body})


def stress_text(found: StressResult) -> str:
    """Each edit that was searched for, confirmed or not."""
    lines = [f"{found.rollouts} rollouts of {found.budget}; drops on new initial frames and seeds:"]
    for edit in found.candidates:
        verdict = "breaks the policy" if edit.confirmed else "not confirmed"
        interval = f"{points(edit.drop)} points [{points(edit.low)}, {points(edit.high)}]"
        lines.append(
            f"{edit.edit} at strength {edit.strength:.2f}: {interval}, p = "
            f"{edit.p_holm:.2g} corrected, "
            f"{edit.n} pairs: {verdict}"
        )
    lines.append(
        f"suite: {found.suite}" if found.suite else "No edit was confirmed, so no suite is written."
    )
    return "\n".join(lines)


def _block(axis: AxisDrop, run_dir: Path) -> Markup:
    rows = Markup("").join(_row(cell) for cell in axis.cells)
    pictures = Markup("").join(_example(example, run_dir) for example in axis.examples)
    unpaired = f"; {axis.unpaired} pairs have only one score" if axis.unpaired else ""
    frame = Markup(
        '<h3>{}: {}</h3><p class="soft small">over all policies, {}{}</p><div '
        'class="cards">{}</div>'
        '<div class="scroll"><table class="plain number"><thead><tr><th>policy</th><th>unedited'
        "</th><th>edited</th>"
        "<th>drop, points</th><th></th><th>p</th><th>true "
        "drop</th></tr></thead><tbody>{}</tbody></table></div>"
    )
    pairs = number_of(axis.n, "pair")
    return frame.format(_name(axis), interval(axis), pairs, unpaired, pictures, rows)


def _row(cell: PolicyDrop) -> Markup:
    true = "unknown" if cell.true_drop is None else f"{points(cell.true_drop)} ({cell.true_n})"
    values = (
        cell.policy,
        percent(cell.nominal_rate),
        percent(cell.edited_rate),
        interval(cell),
        _bar(cell),
        "–" if cell.p_holm is None else f"{cell.p_holm:.2g}",
        true,
    )
    return Markup(
        "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>"
    ).format(*values)


def _bar(cell: PolicyDrop) -> Markup:
    """Band = interval, dot = drop, hollow diamond = true drop, on a scale from -1 to 1."""

    def x(value: float) -> str:
        return f"{BAR_WIDTH / 2 * (1 + value):.1f}"

    axes = Markup('<path class="grid" d="M{} 0V{}M0 {}H{}"/>').format(
        x(0), BAR_HEIGHT, BAR_HEIGHT / 2, BAR_WIDTH
    )
    marks = interval_marks(x, cell.drop, (cell.low, cell.high), cell.true_drop)
    frame = Markup(
        '<svg class="bar c0" style="width:{}px" viewBox="0 0 {} {}" '
        'role="img"><title>{}</title>{}</svg>'
    )
    return frame.format(BAR_WIDTH, BAR_WIDTH, BAR_HEIGHT, f"drop {interval(cell)}", axes + marks)


def _example(example: EditedExample, run_dir: Path) -> Markup:
    pictures = Markup("").join(
        _picture(run_dir, name, label)
        for name, label in ((example.nominal_frame, "unedited"), (example.frame, "edited"))
    )
    said = example.instruction
    if said != example.nominal_instruction:
        said = f"{example.nominal_instruction} → {said}"
    return Markup(
        '<figure><div class="pair">{}</div><figcaption>{}: {}</figcaption></figure>'
    ).format(pictures, example.task, said)


def _picture(run_dir: Path, name: str | None, label: str) -> Markup:
    path = None if name is None else run_dir / name
    if path is None or not path.is_file():
        return Markup('<div class="none">no picture</div>')
    data = base64.b64encode(path.read_bytes()).decode()
    return Markup(
        '<img style="width:100%" alt="{}" title="{}" src="data:image/png;base64,{}">'
    ).format(label, label, data)


def _name(axis: AxisDrop) -> str:
    return f"{axis.axis} (new goal)" if axis.new_goal else axis.axis


def _cell(cell: PolicyDrop) -> str:
    true = "" if cell.true_drop is None else f"\ntrue {points(cell.true_drop)}"
    return interval(cell) + true
