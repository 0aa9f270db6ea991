"""The report as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gclf_live.evaluation.intervals import Estimate
from gclf_live.evaluation.report import Report
from gclf_live.evaluation.scores import Scores
from gclf_live.wording import tidy_text

_MOST_NAMED = 10


def report_lines(report: Report) -> Iterator[str]:
    """A table with a row for each group, the overall figures, and what was left out."""
    classes = report.answers.classes
    rows = [("all", report.overall.scores)]
    for column, groups in report.groups.items():
        rows += [(f"{column} {value}", scores) for value, scores in groups.items()]
    wide = max(20, *(len(tidy_text(name)) for name, _ in rows))
    heads = ["accuracy", "balanced", *map(tidy_text, classes), "labelled", "error"]
    cells = [max(10, len(head)) for head in heads]
    yield f"{'':<{wide}} {'count':>7}{_cells(heads, cells)}"
    for name, scores in rows:
        yield f"{tidy_text(name):<{wide}} {scores.count:>7}{_cells(_figures(scores, classes), cells)}"
    yield ""
    yield from _overall_lines(report)
    yield from _left_out("no face found in", report.answers.missing)
    yield from _left_out("could not read", [each.file for each in report.answers.unreadable])


def percent(estimate: Estimate | None) -> str:
    """``94.28 %``, or ``-`` where there is no figure."""
    return "-" if estimate is None else f"{100 * estimate.value:.2f} %"


def interval(estimate: Estimate) -> str:
    """``93.72 to 94.79``, in per cent."""
    return f"{100 * estimate.low:.2f} to {100 * estimate.high:.2f}"


def _with_interval(estimate: Estimate | None) -> str:
    return percent(estimate) + (f" ({interval(estimate)})" if estimate is not None else "")


def _cells(texts: Sequence[str], widths: Sequence[int]) -> str:
    return "".join(f" {text:>{width}}" for text, width in zip(texts, widths, strict=True))


def _figures(scores: Scores, classes: Sequence[str]) -> list[str]:
    recalls = [scores.recall.get(name) for name in classes]
    shares = [scores.accuracy, scores.balanced_accuracy, *recalls, scores.coverage, scores.error]
    return [percent(each) for each in shares]


def _overall_lines(report: Report) -> Iterator[str]:
    overall, scores = report.overall, report.overall.scores
    yield "with 95 % intervals:"
    yield f"  accuracy            {_with_interval(scores.accuracy)}"
    yield f"  balanced accuracy   {_with_interval(scores.balanced_accuracy)}"
    yield f"  calibration error   {_with_interval(overall.ece)}"
    yield f"  mean risk           {_with_interval(overall.risk_coverage_area)}, over all coverages"
    yield f"  labelled            {_with_interval(scores.coverage)}, from {report.threshold:g} on"
    yield f"  error among those   {_with_interval(scores.error)}"


def _left_out(what: str, files: Sequence[str]) -> Iterator[str]:
    """How many pictures do not count, and the first of them by name."""
    if not files:
        return
    yield f"{what} {len(files)} picture(s), left out of the figures:"
    yield from (f"  {tidy_text(file)}" for file in files[:_MOST_NAMED])
    if len(files) > _MOST_NAMED:
        yield f"  and {len(files) - _MOST_NAMED} more; --json and -o list them all"
