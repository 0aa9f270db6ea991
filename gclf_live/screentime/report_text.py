"""The report as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gclf_live.records import UNSURE
from gclf_live.screentime.report import INTERVAL, METHOD, Report
from gclf_live.wording import duration, interval, number_of, percent, tidy_text

_MOST_NAMED = 10


def report_lines(report: Report) -> Iterator[str]:
    """What was measured, a table with a line for each class, and how to read it."""
    yield f"{measured(report)}, {face_share(report)}"
    yield ""
    yield from _table([("", "seconds", "tracks", "of labels", "corrected share (95 %)"), *class_rows(report)])
    yield ""
    yield f"corrected share: {METHOD}"
    yield f"interval: {INTERVAL}; {based_on(report)}"
    yield from _named("damaged", [f"{r.name}: {r.damaged}" for r in report.results if r.damaged])
    yield from _named("not done", report.not_done)


def measured(report: Report) -> str:
    """How much was measured: ``3 videos, 4:05 min``."""
    results = report.results
    name = tidy_text(results[0].name) if len(results) == 1 else number_of(len(results), "result")
    return f"{name}: {duration(report.measured_s)}, {number_of(sum(report.counts.values()), 'track')}"


def face_share(report: Report) -> str:
    """The part of the frames that shows anybody."""
    share = report.frames_with_face / report.frames if report.frames else None
    return f"a face in {percent(share)} of {number_of(report.frames, 'frame')}"


def based_on(report: Report) -> str:
    """What the interval rests on."""
    shares = report.shares
    if not shares.units:
        return "no track says anything"
    if shares.units <= 2:
        unit = shares.unit.removesuffix("s")
        return f"not known from {number_of(shares.units, unit)}: 3 or more are needed"
    if shares.unit == "videos":
        return f"over {shares.units:,} videos, each drawn with all its tracks"
    return (
        f"over {shares.units:,} tracks of one video, taken for independent: too narrow where the same few "
        "people come back"
    )


def class_rows(report: Report) -> Iterator[tuple[str, ...]]:
    """Cells of the table: name, seconds, tracks, share of the labels, corrected share with its interval."""
    shares = report.shares
    for i, name in enumerate(report.classes):
        share = percent(shares.corrected[i])
        if share != "-":
            share += f" ({interval(shares.low[i], shares.high[i])})"
        yield (tidy_text(name), *_sums(report, name), percent(report.labelled.get(name)), share)
    yield (UNSURE, *_sums(report, UNSURE), "", "")
    for reason in report.excluded:
        yield (f"excluded, {tidy_text(reason)}", *_sums(report, f"excluded: {reason}"), "", "")


def _sums(report: Report, name: str) -> tuple[str, str]:
    return f"{report.seconds.get(name, 0.0):,.1f}", f"{report.counts.get(name, 0):,}"


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for first, *others in rows:
        cells = (f"{text:>{width}}" for text, width in zip(others, widths[1:], strict=True))
        yield f"{first:<{widths[0]}}  {'  '.join(cells)}".rstrip()


def _named(what: str, lines: Sequence[str]) -> Iterator[str]:
    for line in lines[:_MOST_NAMED]:
        yield f"{what}: {tidy_text(line)}"
    if len(lines) > _MOST_NAMED:
        yield f"and {len(lines) - _MOST_NAMED:,} more {what}; -o and --json list them all"
