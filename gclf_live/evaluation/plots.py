"""The report's figures as drawings, in SVG."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from gclf_live.evaluation.intervals import Estimate
from gclf_live.evaluation.report import Report
from gclf_live.evaluation.scores import Scores
from gclf_live.wording import tidy_text

_INK, _BLUE, _ORANGE, _PALE = "#333333", "#2b6ca3", "#c2571a", "#c9d8e6"
_SETTINGS: Any = {
    # Text stays text: small, and in any script that the browser knows.
    "svg.fonttype": "none",
    # The same report gives the same bytes.
    "svg.hashsalt": "gclf-live",
    # A dollar sign in a class's name is no formula.
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.edgecolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_MOST_CLASSES_WITH_NUMBERS = 12
_MARKS = (("o", _ORANGE), ("^", _BLUE), ("s", "#3a7d44"), ("D", "#7b4ea3"))
_GROUPS_CAPTION = "Bars are the accuracy with its 95 % interval; in brackets is the number of pictures."


@dataclass(frozen=True, slots=True)
class Plot:
    """One drawing.

    Attributes:
        title: heading above it.
        caption: what it shows and how to read it.
        svg: the drawing, UTF-8.
    """

    title: str
    caption: str
    svg: bytes


def draw_overall(report: Report) -> list[Plot]:
    """Reliability diagram, risk against coverage, and confusion matrix."""
    with mpl.rc_context(_SETTINGS):
        return [_reliability(report), _risk_coverage(report), _confusion(report)]


def draw_groups(column: str, groups: Mapping[str, Scores], classes: Sequence[str]) -> Plot:
    """Accuracy of each group with its interval, and the recalls where there are only a few classes."""
    with mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=(6.6, 1.1 + 0.3 * len(groups)), layout="constrained")
        axes = figure.subplots()
        _accuracy_bars(axes, [scores.accuracy for scores in groups.values()])
        marked = classes if len(classes) <= len(_MARKS) else ()
        for name, (marker, colour) in zip(marked, _MARKS, strict=False):
            recalls = [scores.recall.get(name) for scores in groups.values()]
            values = [np.nan if each is None else 100 * each.value for each in recalls]
            places, label = range(len(values)), f"recall {tidy_text(name)}"
            axes.plot(values, places, marker, color=colour, ms=4.5, label=label)
        names = [f"{tidy_text(name)} ({each.count:,})" for name, each in groups.items()]
        axes.set_yticks(range(len(groups)), names)
        axes.invert_yaxis()
        # Outside the axes: inside it would hide some of the bars.
        figure.legend(loc="outside upper right", ncols=1 + len(marked), frameon=False)
        return Plot(f"By {tidy_text(column)}", _GROUPS_CAPTION, _svg(figure))


def _accuracy_bars(axes: Any, estimates: Sequence[Estimate]) -> None:
    places, values = range(len(estimates)), [100 * each.value for each in estimates]
    axes.barh(places, values, height=0.62, color=_PALE, label="accuracy")
    axes.errorbar(values, places, xerr=_whiskers(estimates), fmt="none", ecolor=_INK, capsize=2.5, lw=1)
    axes.set(xlim=(0, 101), xlabel="% right")
    axes.grid(axis="x", alpha=0.3)


def _reliability(report: Report) -> Plot:
    bins = report.overall.reliability
    figure = Figure(figsize=(4.6, 4.4), layout="constrained")
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    confidence, accuracy = [100 * each.confidence for each in bins], [each.accuracy for each in bins]
    values, whiskers = [100 * each.value for each in accuracy], _whiskers(accuracy)
    axes.plot([0, 100], [0, 100], "--", color=_INK, lw=1)
    axes.errorbar(confidence, values, yerr=whiskers, fmt="o-", color=_BLUE, ms=4, lw=1.2, capsize=2.5)
    axes.set(ylabel="% right", xlim=(100 * bins[0].low, 100.5), ylim=(0, 102))
    middles = [50 * (each.low + each.high) for each in bins]
    widths = [90 * (each.high - each.low) for each in bins]
    below.bar(middles, [each.count for each in bins], width=widths, color=_PALE)
    below.set(xlabel="confidence in %", ylabel="pictures")
    for part in (axes, below):
        part.grid(alpha=0.3)
    caption = "On the dashed line confidences mean what they say; below it the classifier is too sure."
    return Plot("Reliability", caption, _svg(figure))


def _risk_coverage(report: Report) -> Plot:
    points, scores = report.overall.risk_coverage, report.overall.scores
    figure = Figure(figsize=(4.6, 4.4), layout="constrained")
    axes = figure.subplots()
    coverage = [100 * each.coverage for each in points]
    low, high = [100 * each.risk.low for each in points], [100 * each.risk.high for each in points]
    axes.fill_between(coverage, low, high, color=_PALE, alpha=0.7, lw=0)
    axes.plot(coverage, [100 * each.risk.value for each in points], color=_BLUE, lw=1.5)
    if scores.error is not None:
        label = f"threshold {report.threshold:g}"
        axes.plot(100 * scores.coverage.value, 100 * scores.error.value, "o", color=_ORANGE, label=label)
        axes.legend(loc="upper left", frameon=False)
    # The band of the few surest pictures is wide and says little: it must not set the scale.
    highest = max(100 * each.risk.high for each in points if each.coverage >= 0.5)
    axes.set(xlabel="% labelled", ylabel="% of labels wrong", xlim=(0, 101), ylim=(0, max(highest * 1.15, 1)))
    axes.grid(alpha=0.3)
    caption = "Errors among the labels when only the surest pictures get one, with 95 % intervals."
    return Plot("Risk against coverage", caption, _svg(figure))


def _confusion(report: Report) -> Plot:
    counts = report.overall.confusion
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = [tidy_text(name) for name in report.answers.classes]
    side = min(9.0, 2.6 + 0.75 * len(names))
    figure = Figure(figsize=(side, 0.92 * side), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if len(names) <= _MOST_CLASSES_WITH_NUMBERS:
        for (row, column), part in np.ndenumerate(shares):
            text, colour = f"{counts[row, column]:,}\n{100 * part:.1f} %", "white" if part > 0.5 else _INK
            axes.text(column, row, text, ha="center", va="center", color=colour)
    axes.set_xticks(range(len(names)), names, rotation=0 if len(names) <= 3 else 60)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="answer", ylabel="label")
    caption = "Pictures by label and answer, and their share of the label's pictures."
    return Plot("Confusion", caption, _svg(figure))


def _whiskers(estimates: Sequence[Estimate]) -> Any:
    """Lengths of the whiskers in per cent: float64, shape (2, N)."""
    return 100 * np.array([[e.value - e.low for e in estimates], [e.high - e.value for e in estimates]])


def _svg(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    canvas: Any = FigureCanvasSVG(figure)
    with warnings.catch_warnings():
        # Only the width of such letters is guessed; the browser has them.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        canvas.print_svg(buffer, metadata={"Date": None})
    return buffer.getvalue()
