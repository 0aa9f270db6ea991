"""The report's drawings, in SVG whose colours are those of the page: light, dark and on paper."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from gclf_live.screentime.report import Report
from gclf_live.screentime.timeline import HEIGHT_EDGES_PX, Timeline
from gclf_live.wording import moment, tidy_text

# Matplotlib is given these colours, which the page's variables then take the place of.
_VARIABLES = {
    "#010101": "var(--ink)",
    "#020202": "var(--faint)",
    "#030303": "var(--unsure)",
    "#040404": "var(--excluded)",
    **{f"#0505{number:02x}": f"var(--class-{number})" for number in range(6)},
}
_INK, _FAINT, _UNSURE, _EXCLUDED, *_CLASSES = _VARIABLES
_SETTINGS: Any = {
    # Text stays text: small, and in any script that the browser knows.
    "svg.fonttype": "none",
    # A dollar sign in a class's name is no formula.
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 9,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "grid.color": _FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


@dataclass(frozen=True, slots=True)
class Drawing:
    """One drawing.

    Attributes:
        title: what it shows.
        svg: an ``svg`` element for a page that defines the colours.
    """

    title: str
    svg: str


def draw_shares(report: Report) -> Drawing:
    """Corrected share of each class with its interval, and what adding up the labels gives."""
    shares, names = report.shares, [tidy_text(name) for name in report.classes]
    with mpl.rc_context(_SETTINGS | {"svg.hashsalt": "shares"}):
        figure = Figure(figsize=(7, 0.8 + 0.45 * len(names)), layout="constrained")
        axes = figure.subplots()
        places, values = np.arange(len(names)), 100 * np.nan_to_num(shares.corrected)
        axes.barh(places, values, height=0.6, color=class_colours(len(names)), alpha=0.75)
        if np.isfinite(shares.corrected).all():
            whiskers = np.maximum([values - 100 * shares.low, 100 * shares.high - values], 0)
            axes.errorbar(values, places, xerr=whiskers, fmt="none", ecolor=_INK, capsize=3, lw=1.3)
        labelled = [100 * report.labelled.get(name, np.nan) for name in report.classes]
        # Above the interval's line: where the two are alike, one would hide the other.
        axes.plot(labelled, places - 0.2, "v", color=_INK, ms=5, label="labels added up")
        axes.set_yticks(places, names)
        axes.set(xlim=(0, 100), xlabel="% of screen time", ylim=(len(names) - 0.5, -0.6))
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        figure.legend(loc="outside upper right", frameon=False)
        return Drawing("Share of screen time", _svg(figure, "Share of screen time"))


def draw_timeline(timeline: Timeline) -> Drawing:
    """Faces on screen in the course of one video, labels on top of one another."""
    name = tidy_text(timeline.name)
    with mpl.rc_context(_SETTINGS | {"svg.hashsalt": f"timeline {name}"}):
        figure = Figure(figsize=(10, 1.9), layout="constrained")
        axes = figure.subplots()
        steps = len(next(iter(timeline.faces.values())))
        edges = timeline.from_s + timeline.step_s * np.arange(steps + 1)
        below = np.zeros(steps)
        colours = lane_colours(list(timeline.faces))
        for lane, faces in timeline.faces.items():
            if faces.any():
                axes.stairs(below + faces, edges, baseline=below, fill=True, color=colours[lane])
                below = below + faces
        axes.set(xlim=(edges[0], edges[-1]), ylim=(0, max(1.0, float(below.max()) * 1.05)))
        axes.set_ylabel("faces")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: moment(max(value, 0))))
        axes.xaxis.set_major_locator(MaxNLocator(10, steps=[1, 1.5, 2, 3, 6, 10], integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.grid(axis="y")
        axes.set_axisbelow(True)
        return Drawing(name, _svg(figure, f"Faces on screen in {name}"))


def draw_heights(seconds: Mapping[str, Any]) -> Drawing:
    """Seconds by height of the face; ``seconds`` as in ``Heights``."""
    title = "Seconds by height of the face"
    with mpl.rc_context(_SETTINGS | {"svg.hashsalt": "heights"}):
        figure = Figure(figsize=(7, 2.4), layout="constrained")
        axes = figure.subplots()
        places, below = np.arange(len(HEIGHT_EDGES_PX)), np.zeros(len(HEIGHT_EDGES_PX))
        colours = lane_colours(list(seconds))
        for lane, values in seconds.items():
            if values.any():
                axes.bar(places, values, bottom=below, width=0.92, color=colours[lane])
                below = below + values
        axes.set_xticks(places - 0.5, list(map(str, HEIGHT_EDGES_PX)))
        axes.set(xlabel="height in px; the last band is open", ylabel="seconds")
        axes.grid(axis="y")
        axes.set_axisbelow(True)
        return Drawing(title, _svg(figure, title))


def class_colours(count: int) -> list[str]:
    """Matplotlib's colours of so many classes."""
    return [_CLASSES[number % len(_CLASSES)] for number in range(count)]


def lane_colours(names: Sequence[str]) -> dict[str, str]:
    """Matplotlib's colours of the classes and, as the last two, of ``unsure`` and ``excluded``."""
    return dict(zip(names, [*class_colours(len(names) - 2), _UNSURE, _EXCLUDED], strict=True))


def _svg(figure: Figure, title: str) -> str:
    buffer = io.StringIO()
    canvas: Any = FigureCanvasSVG(figure)
    with warnings.catch_warnings():
        # Only the width of such letters is guessed; the browser has them.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        canvas.print_svg(buffer, metadata={"Date": None})
    text = buffer.getvalue()
    # Inside a page there is neither an XML declaration nor a document type.
    text = re.sub("<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = text.replace("<svg ", f'<svg role="img" aria-label="{escape(title)}" ', 1)
    return re.sub("#0[1-5][0-9a-f]{4}", lambda found: _VARIABLES.get(found[0], found[0]), text)
