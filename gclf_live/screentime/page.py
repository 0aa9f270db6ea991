"""The report as one web page that needs nothing beside it, or as JSON."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from gclf_live.errors import UsageError
from gclf_live.records import UNSURE
from gclf_live.screentime.gather import sheet_tracks
from gclf_live.screentime.page_style import STYLE, swatch, swatch_name
from gclf_live.screentime.report import INTERVAL, METHOD, MOST_TIMELINES, Report, make_report
from gclf_live.screentime.report_plots import Drawing, draw_heights, draw_shares, draw_timeline
from gclf_live.screentime.report_text import based_on, class_rows, face_share, measured
from gclf_live.screentime.result import Result
from gclf_live.screentime.timeline import EXCLUDED, lane, lanes
from gclf_live.screentime.tracks import ResultTrack
from gclf_live.whole_file import whole_file
from gclf_live.wording import duration, moment, number_of, percent, tidy_text

_MEANING = (
    "A label says how a face is perceived, as most viewers would say; it is not who or what a person is. "
    "Screen time is the time for which faces are on screen, added up: two faces for a second are two seconds."
)
_BARS = "Bars are the corrected shares with their 95 % intervals, triangles what adding up the labels gives."
_CORRECTION = (
    "Adding up labels is biased: the errors of the classifier push every share towards the middle. The "
    "correction looks for the shares that explain its probabilities best. It assumes that faces of a class "
    "look to the classifier as they did in the pictures that it was calibrated on."
)


def write_report(
    path: Path, results: Sequence[Result] | Report, *, overwrite: bool = False, seed: int = 0
) -> None:
    """Write a report, whole or not at all.

    Args:
        path: ``.html`` for one page that needs no network, ``.json`` for the same facts.
        results: one or more of the same classes; or what ``make_report`` made of them.
        overwrite: replace a file that exists.
        seed: of the bootstrap.

    Raises:
        UsageError: another suffix, no results, or different classes.
        OutputError: see ``whole_file``.
    """
    check_suffix(path)
    report = results if isinstance(results, Report) else make_report(results, seed=seed)
    if path.suffix.lower() == ".json":
        text = json.dumps(report.as_json(), ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    else:
        text = render_page(report)
    with whole_file(path, overwrite=overwrite) as partial:
        partial.write_text(text, "utf-8")


def check_suffix(path: Path) -> None:
    """Raise UsageError unless a report can be written to a file of that name."""
    if path.suffix.lower() not in {".html", ".json"}:
        raise UsageError(f"cannot write a report to {str(path)!r}; allowed are .html and .json")


def render_page(report: Report) -> str:
    """The whole page: HTML with its style, drawings and pictures inside."""
    title = _title(report)
    body = "\n".join(
        [
            f"<h1>{escape(title)}</h1>",
            f'<p class="lead">{escape(measured(report))}; {escape(face_share(report))}.</p>',
            f'<p class="note">{escape(_MEANING)}</p>',
            *_warning(
                "Not all could be read:", [f"{r.name}: {r.damaged}" for r in report.results if r.damaged]
            ),
            *_warning("Failed or not finished, and not in these figures unless it says so:", report.not_done),
            "<h2>Share of screen time</h2>",
            _figure(draw_shares(report)),
            f'<p class="note">{escape(_BARS)}</p>',
            _class_table(report),
            f'<p class="note">{escape(_CORRECTION)} Interval: {escape(based_on(report))}.</p>',
            *_timelines(report),
            *_height_section(report),
            *_sheet(report),
            *_videos(report),
            *_method(report),
        ]
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _title(report: Report) -> str:
    if len(report.results) == 1:
        return f"Screen time in {tidy_text(report.results[0].name)}"
    return f"Screen time in {number_of(len({r.source_sha256 for r in report.results}), 'video')}"


def _class_table(report: Report) -> str:
    heads = ("", "seconds", "tracks", "share of labels", "corrected share (95 % interval)")
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    names = [*report.classes, UNSURE, *(EXCLUDED for _ in report.excluded)]
    rows = []
    for name, (label, *cells) in zip(names, class_rows(report), strict=True):
        tail = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        rows.append(f"<tr><td>{swatch(report.classes, name)}{escape(label)}</td>{tail}</tr>")
    return f'<div class="wide"><table><tr>{head}</tr>{"".join(rows)}</table></div>'


def _warning(head: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        items = "".join(f"<li>{escape(tidy_text(line))}</li>" for line in lines)
        yield f'<div class="warning"><p>{escape(head)}</p><ul>{items}</ul></div>'


def _timelines(report: Report) -> Iterator[str]:
    if not report.timelines:
        return
    yield "<h2>Timeline</h2>"
    hidden = len(report.results) - MOST_TIMELINES
    more = f" The first {MOST_TIMELINES} results; {hidden:,} more have theirs in their own reports." * (
        hidden > 0
    )
    yield f'<p class="note">Faces on screen, by label, on top of one another.{escape(more)}</p>'
    yield _legend(report)
    for timeline in report.timelines:
        drawing = draw_timeline(timeline)
        yield _figure(drawing, caption=drawing.title if len(report.results) > 1 else "")


def _height_section(report: Report) -> Iterator[str]:
    if report.heights is not None:
        yield '<section class="whole"><h2>Height of the faces</h2>'
        yield (
            '<p class="note">Seconds by the median height of the face in the picture. Small faces are '
            "labelled less surely.</p>"
        )
        yield _legend(report)
        yield _figure(draw_heights(report.heights.seconds)) + "</section>"


def _legend(report: Report) -> str:
    items = (
        f"<span>{swatch(report.classes, name)}{escape(tidy_text(name))}</span>"
        for name in lanes(report.classes)
    )
    return f'<p class="legend">{"".join(items)}</p>'


def _sheet(report: Report) -> Iterator[str]:
    chosen = sheet_tracks(report.results)
    if not chosen:
        return
    several = len(report.results) > 1
    yield "<h2>Faces</h2>"
    yield '<p class="note">Of each label, those that were on screen longest.</p><div class="sheet">'
    for result, track in chosen:
        yield _face(report, result, track, several=several)
    yield "</div>"


def _face(report: Report, result: Result, track: ResultTrack, *, several: bool) -> str:
    source = "data:image/jpeg;base64," + base64.b64encode(track.crop_jpeg).decode("ascii")
    # No classifier of faces is certain.
    sure = f" {min(99, round(100 * track.confidence))}\u00a0%" if track.probabilities else ""
    words = track.excluded or f"{track.label}{sure}"
    where = f"{moment(track.start_s)}, {duration(track.seconds)}"
    name = f"<br>{escape(tidy_text(result.name))}" if several else ""
    return (
        f'<figure><img src="{source}" alt="face {track.track_id}" loading="lazy"><figcaption>'
        f"{swatch(report.classes, lane(track))}{escape(tidy_text(words))}<br>{escape(where)}{name}"
        "</figcaption></figure>"
    )


def _videos(report: Report) -> Iterator[str]:
    """One row a result; for a single one the table above has said it all."""
    if len(report.results) < 2:
        return
    heads = (
        "video",
        "length",
        "tracks",
        "frames with a face",
        *map(tidy_text, report.classes),
        UNSURE,
        EXCLUDED,
    )
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    yield f"<h2>{number_of(len(report.results), 'result')}</h2>"
    yield '<p class="note">Seconds by label. The bar shows their parts.</p>'
    rows = "".join(_video_row(report, result) for result in report.results)
    yield f'<div class="wide"><table class="videos"><tr>{head}<th>parts</th></tr>{rows}</table></div>'


def _video_row(report: Report, result: Result) -> str:
    sums = {name: result.totals.get(name, 0.0) for name in (*report.classes, UNSURE)}
    sums[EXCLUDED] = sum(value for name, value in result.totals.items() if name.startswith(f"{EXCLUDED}: "))
    face = percent(result.frames_with_face / result.frames) if result.frames else "-"
    tracks = f"{sum(result.counts.values()):,}"
    cells = (duration(result.to_s - result.from_s), tracks, face, *(f"{each:,.1f}" for each in sums.values()))
    total = sum(sums.values())
    parts = (
        f'<i class="{swatch_name(report.classes, name)}" style="width:{100 * value / total:.1f}%"></i>'
        for name, value in sums.items()
        if total
    )
    plain = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    return f'<tr><td>{escape(tidy_text(result.name))}</td>{plain}<td class="parts">{"".join(parts)}</td></tr>'


def _method(report: Report) -> Iterator[str]:
    private = sum(result.privacy for result in report.results)
    weights = sorted({result.weights_sha256[:16] for result in report.results})
    settings = {json.dumps(_how(result), sort_keys=True, ensure_ascii=False) for result in report.results}
    rows = [
        ("corrected share", METHOD),
        ("interval", f"{INTERVAL}; {based_on(report)}"),
        ("weights, SHA-256", ", ".join(weights)),
        *(("settings", text.strip("{}").replace('"', "")) for text in sorted(settings)),
        *(("without people", number_of(private, "result")) for _ in range(private > 0)),
    ]
    cells = "".join(
        f"<tr><th>{escape(what)}</th><td>{escape(tidy_text(text))}</td></tr>" for what, text in rows
    )
    yield f'<section class="whole"><h2>Method</h2><table class="method">{cells}</table></section>'


def _how(result: Result) -> dict[str, object]:
    return {name: value for name, value in result.settings.items() if name not in {"from_s", "to_s"}}


def _figure(drawing: Drawing, *, caption: str = "") -> str:
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f'<figure class="plot">{below}{drawing.svg}</figure>'
