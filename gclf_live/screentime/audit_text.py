"""What an audit found, as lines for a terminal and as a JSON document."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from gclf_live.records import UNSURE
from gclf_live.screentime.audit_agreement import Agreement
from gclf_live.screentime.audit_estimates import Proportion
from gclf_live.screentime.audit_sample import EXCLUDED
from gclf_live.screentime.audit_session import UNCLEAR
from gclf_live.screentime.audit_summary import AuditFigures, AuditSummary
from gclf_live.wording import interval, percent, some, tidy_text

_MOST_NAMED = 20


def summary_lines(summary: AuditSummary) -> Iterator[str]:
    """What an audit found, for a person."""
    plan, drawn = summary.plan, len(summary.plan.sample.drawn)
    tracks = sum(each.tracks for each in plan.sample.strata)
    files = "1 result" if len(plan.results) == 1 else f"{len(plan.results):,} results"
    yield f"{summary.answered:,} of {drawn:,} drawn tracks answered, out of {tracks:,} in {files}"
    if plan.passed_over:
        yield (
            f"{plan.passed_over:,} track(s) of {plan.passed_over_s:.1f} s without a picture or time on "
            "screen are in no figure"
        )
    if summary.stood_for:
        strata, them = ("stratum", "it") if summary.stood_for == 1 else ("strata", "them")
        yield f"{summary.stood_for:,} {strata} without an answer; others of the same kind stand for {them}"
    yield ""
    yield "how often the labels are right on this footage, with 95 % intervals:"
    wide = max(20, *(len(name) + 18 for name in plan.classes))
    yield f"  {'':<{wide}} {'of screen time':<26} of tracks"
    for name, seconds, each in _rows(summary.by_seconds, summary.by_tracks, plan.classes):
        yield f"  {name:<{wide}} {_percent(seconds):<26} {_percent(each)}".rstrip()
    yield ""
    yield "share of screen time:"
    yield f"  {'':<{wide}} {'labelled':<10} {'corrected by the audit':<26} with excluded faces too"
    for name, share in summary.shares.items():
        labelled = percent(share.labelled)
        yield (
            f"  {name:<{wide}} {labelled:<10} {_percent(share.corrected):<26} {_percent(share.with_excluded)}"
        ).rstrip()
    yield ""
    yield from _confusion_lines(summary)


def agreement_lines(agreement: Agreement) -> Iterator[str]:
    """How far two people agree, for a person."""
    yield f"{agreement.table.sum():,} tracks answered by both: {_percent(agreement.same)} alike"
    if agreement.kappa is None:
        yield "Cohen's kappa does not exist: both gave one and the same answer throughout"
    else:
        kappa = agreement.kappa
        yield f"Cohen's kappa {kappa.value:.2f} ({kappa.low:.2f} to {kappa.high:.2f})"
    if agreement.differing:
        numbers = [str(number) for number in agreement.differing]
        yield f"they differ on number {some(numbers, _MOST_NAMED)}"


def summary_document(summary: AuditSummary) -> dict[str, object]:
    """What an audit found, as plain JSON: four decimals for shares, three for seconds; null for none."""
    plan = summary.plan
    return {
        "results": [tidy_text(each.name) for each in plan.results],
        "seed": plan.seed,
        "drawn": len(plan.sample.drawn),
        "answered": summary.answered,
        "tracks": sum(each.tracks for each in plan.sample.strata),
        "seconds": round(math.fsum(each.seconds for each in plan.sample.strata), 3),
        "passed_over": {"tracks": plan.passed_over, "seconds": round(plan.passed_over_s, 3)},
        "classes": list(plan.classes),
        "by_seconds": _figures_document(summary.by_seconds),
        "by_tracks": _figures_document(summary.by_tracks),
        "shares": {
            name: {
                "labelled": None if math.isnan(share.labelled) else round(share.labelled, 4),
                **_document("corrected", share.corrected),
                **_document("with_excluded", share.with_excluded),
            }
            for name, share in summary.shares.items()
        },
        "confusion": {
            "rows": [*plan.classes, UNCLEAR],
            "columns": [*plan.classes, UNSURE, EXCLUDED],
            "answers": summary.counts.tolist(),
            "seconds": [[round(value, 3) for value in row] for row in summary.seconds.tolist()],
        },
    }


def agreement_document(agreement: Agreement, classes: Sequence[str]) -> dict[str, object]:
    """How far two people agree, as plain JSON."""
    return {
        "count": int(agreement.table.sum()),
        **_document("same", agreement.same),
        **_document("kappa", agreement.kappa),
        "table": {"order": [*classes, UNCLEAR], "answers": agreement.table.tolist()},
        "differing": list(agreement.differing),
    }


_Row = tuple[str, Proportion | None, Proportion | None]


def _rows(seconds: AuditFigures, tracks: AuditFigures, classes: Sequence[str]) -> Iterator[_Row]:
    yield "all labels", seconds.accuracy, tracks.accuracy
    for name in classes:
        yield f"labelled {name}", seconds.precision[name], tracks.precision[name]
    for name in classes:
        yield f"{name}, found so", seconds.recall[name], tracks.recall[name]
    yield "could not be told", seconds.unclear, tracks.unclear


def _confusion_lines(summary: AuditSummary) -> Iterator[str]:
    rows = [*summary.plan.classes, UNCLEAR]
    columns = [*summary.plan.classes, UNSURE, EXCLUDED]
    wide = max(20, *(len(name) for name in rows))
    cells = [max(16, len(name) + 1) for name in columns]
    yield "answers, and the seconds that they stand for, by what the tool says:"
    yield f"  {'the person says':<{wide}}" + "".join(
        f" {n:>{w}}" for n, w in zip(columns, cells, strict=True)
    )
    for name, counts, seconds in zip(rows, summary.counts.tolist(), summary.seconds.tolist(), strict=True):
        pairs = zip(counts, seconds, cells, strict=True)
        yield f"  {name:<{wide}}" + "".join(f" {f'{n:,} ({s:,.1f} s)':>{w}}" for n, s, w in pairs)


def _figures_document(figures: AuditFigures) -> dict[str, object]:
    return {
        **_document("accuracy", figures.accuracy),
        "precision": {name: _document("value", each) for name, each in figures.precision.items()},
        "recall": {name: _document("value", each) for name, each in figures.recall.items()},
        **_document("unclear", figures.unclear),
    }


def _document(name: str, each: Proportion | None) -> Mapping[str, object]:
    if each is None:
        return {name: None, f"{name}_interval": None}
    return {name: round(each.value, 4), f"{name}_interval": [round(each.low, 4), round(each.high, 4)]}


def _percent(each: Proportion | None) -> str:
    """``96.3 % (93.1 to 98.2)``, or ``-``."""
    if each is None:
        return "-"
    return f"{percent(each.value)} ({interval(each.low, each.high)})"
