"""The report as one web page that needs nothing beside it."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from PIL import Image

from gclf_live.evaluation.intervals import Estimate
from gclf_live.evaluation.mistakes import Mistake
from gclf_live.evaluation.plots import Plot, draw_groups, draw_overall
from gclf_live.evaluation.report import Report
from gclf_live.evaluation.scores import Scores
from gclf_live.evaluation.text import interval, percent
from gclf_live.records import U8
from gclf_live.wording import tidy_text

_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #222;
  max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; }
h1, h2, figcaption { overflow-wrap: anywhere; }
p.note { color: #555; margin: .2rem 0 .8rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; } td small { display: block; }
th, td { padding: .22rem .7rem; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
td small { color: #666; }
.row { display: flex; flex-wrap: wrap; gap: 1.5rem; align-items: flex-start; }
figure { margin: 0; } figcaption { color: #555; font-size: .85rem; max-width: 30rem; }
.plot img { max-width: 100%; height: auto; }
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(180px, 1fr)); gap: 1rem; }
.sheet figcaption { line-height: 1.3; }
ul.files { columns: 3 18rem; font-size: .85rem; overflow-wrap: anywhere; padding-left: 1.2rem; }
@media screen and (max-width: 40rem) {
  body { margin: 1rem auto; }
  th, td { padding: .22rem .4rem; }
  td:first-child { white-space: normal; min-width: 6.5rem; }
  .row { display: block; } .row .plot { margin: 1.2rem 0; }
  .wide-plot { overflow-x: auto; } .wide-plot img { max-width: none; }
}
"""


def render_page(report: Report, mistakes: Sequence[Mistake], *, name: str) -> str:
    """The whole page: HTML with its style, plots and thumbnails inside.

    Args:
        report: what to show.
        mistakes: the contact sheet, see ``worst_mistakes``.
        name: what was measured on which pictures, for the heading.
    """
    title = escape(tidy_text(name))
    parts = [
        f"<h1>{title}</h1>",
        f'<p class="note">{escape(_meaning(report))}</p>',
        _overall_table(report),
        '<div class="row">',
        *map(_figure, draw_overall(report)),
        "</div>",
        *_group_sections(report),
        *_sheet(mistakes),
        *_left_out("Pictures without a face", report.answers.missing),
        *_left_out("Unreadable files", [f"{e.file}: {e.reason}" for e in report.answers.unreadable]),
    ]
    body = "\n".join(parts)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _meaning(report: Report) -> str:
    answers = report.answers
    left_out = len(answers.missing) + len(answers.unreadable)
    return (
        f"{len(answers.files):,} pictures classified, {left_out:,} left out (listed at the end). A label "
        "says how a face is perceived, and the folders' names are taken for the truth. Brackets hold 95 % "
        "intervals."
    )


def _overall_table(report: Report) -> str:
    overall, scores = report.overall, report.overall.scores
    rows: list[tuple[str, Estimate | None]] = [
        ("accuracy", scores.accuracy),
        ("balanced accuracy", scores.balanced_accuracy),
        *((f"recall {tidy_text(name)}", each) for name, each in scores.recall.items()),
        ("expected calibration error", overall.ece),
        ("mean risk over all coverages", overall.risk_coverage_area),
        (f"labelled, from a confidence of {report.threshold:g} on", scores.coverage),
        ("error among those", scores.error),
    ]
    cells = "".join(f"<tr><td>{escape(what)}</td>{_cell(each)}</tr>" for what, each in rows)
    return f'<div class="wide"><table>{cells}</table></div>'


def _group_sections(report: Report) -> Iterator[str]:
    classes = report.answers.classes
    for column, groups in report.groups.items():
        plot = draw_groups(column, groups, classes)
        yield f"<h2>{escape(plot.title)}</h2>"
        yield _figure(plot, kind="plot wide-plot")
        yield _group_table(column, groups.items(), classes)


def _group_table(column: str, groups: Iterable[tuple[str, Scores]], classes: Sequence[str]) -> str:
    heads = [
        *(tidy_text(column), "pictures", "accuracy", "balanced accuracy"),
        *(f"recall {tidy_text(name)}" for name in classes),
        *("labelled", "error among those"),
    ]
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    rows = []
    for value, scores in groups:
        recalls = (scores.recall.get(name) for name in classes)
        shares = (scores.accuracy, scores.balanced_accuracy, *recalls, scores.coverage, scores.error)
        cells = "".join(map(_cell, shares))
        rows.append(f"<tr><td>{escape(tidy_text(value))}</td><td>{scores.count:,}</td>{cells}</tr>")
    return f'<div class="wide"><table><tr>{head}</tr>{"".join(rows)}</table></div>'


def _cell(estimate: Estimate | None) -> str:
    """A figure and, small, its interval."""
    small = f" <small>({interval(estimate)})</small>" if estimate is not None else ""
    return f"<td>{percent(estimate)}{small}</td>"


def _figure(plot: Plot, *, kind: str = "plot") -> str:
    source = _data_url("image/svg+xml", plot.svg)
    return (
        f'<figure class="{kind}"><img src="{source}" alt="{escape(plot.title)}">'
        f"<figcaption>{escape(plot.title)}. {escape(plot.caption)}</figcaption></figure>"
    )


def _sheet(mistakes: Sequence[Mistake]) -> Iterator[str]:
    yield f"<h2>The {len(mistakes)} surest mistakes</h2>" if mistakes else "<h2>No mistakes</h2>"
    yield '<div class="sheet">'
    for each in mistakes:
        words = f"{each.label} answered as {each.answer}, {100 * each.confidence:.1f} %"
        yield (
            f'<figure><img src="{_jpeg_url(each.thumbnail)}" alt="{escape(each.file)}">'
            f"<figcaption>{escape(each.file)}<br>{escape(words)}</figcaption></figure>"
        )
    yield "</div>"


def _left_out(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        items = "".join(f"<li>{escape(tidy_text(line))}</li>" for line in lines)
        yield f'<h2>{escape(title)}: {len(lines):,}</h2><ul class="files">{items}</ul>'


def _jpeg_url(image: U8) -> str:
    buffer = io.BytesIO()
    Image.fromarray(image[:, :, ::-1].copy()).save(buffer, "JPEG", quality=80)
    return _data_url("image/jpeg", buffer.getvalue())


def _data_url(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
