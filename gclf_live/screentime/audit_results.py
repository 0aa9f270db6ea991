"""The results that an audit is about: which may go together, and the pictures of the drawn tracks."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gclf_live.errors import SourceError, UsageError
from gclf_live.screentime.audit_answers import AuditedResult, AuditPlan
from gclf_live.screentime.audit_sample import EXCLUDED, Candidate, candidates, draw_sample
from gclf_live.screentime.audit_session import class_keys
from gclf_live.screentime.comparable import Measurement, check_alike, check_once
from gclf_live.screentime.result_file import read_result


@dataclass(frozen=True, slots=True)
class ResultFile:
    """A file of a result, and the SHA-256 of its bytes in hexadecimal."""

    path: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class AuditInput:
    """Results to audit, in an order that does not depend on how they were named.

    Attributes:
        results: what to know them by.
        classes: the same in all of them.
        tracks: those that can be drawn.
        passed_over: how many cannot, for want of a picture or of time on screen.
        passed_over_s: their seconds.
    """

    results: tuple[AuditedResult, ...]
    classes: tuple[str, ...]
    tracks: tuple[Candidate, ...]
    passed_over: int
    passed_over_s: float


def hash_results(paths: Sequence[Path]) -> list[ResultFile]:
    """The files with their SHA-256; the same file counts once.

    Raises:
        SourceError: one cannot be read.
    """
    return [ResultFile(path, _sha256(path)) for path in {path.resolve(): path for path in paths}.values()]


def read_input(files: Sequence[ResultFile], *, allow_mixed: bool = False) -> AuditInput:
    """Read the results one at a time; their pictures are not kept.

    Args:
        files: at least one, of ``write_result``.
        allow_mixed: results of different weights and settings may go together.

    Raises:
        SourceError: a result is damaged, was made with privacy, or holds no track that can be shown.
        UsageError: classes or, without ``allow_mixed``, weights or settings differ; a video is there twice.
    """
    known = sorted(map(_read, files), key=lambda each: (each.about.name, each.about.sha256))
    _check(known, allow_mixed=allow_mixed)
    tracks = tuple(
        replace(track, result=position) for position, each in enumerate(known) for track in each.tracks
    )
    if not tracks:
        raise SourceError("no track to show in these results: no face was found, or none has a picture")
    seconds = math.fsum(each.seconds for each in known) - math.fsum(track.seconds for track in tracks)
    return AuditInput(
        results=tuple(each.about for each in known),
        classes=known[0].measurement.classes,
        tracks=tracks,
        passed_over=sum(each.count for each in known) - len(tracks),
        passed_over_s=round(max(0.0, seconds), 6),
    )


def make_plan(source: AuditInput, *, count: int, seed: int) -> AuditPlan:
    """Draw the sample of a new audit.

    Raises:
        UsageError: the classes cannot be asked about.
    """
    class_keys(source.classes)  # whether there are keys enough
    if EXCLUDED in source.classes:
        raise UsageError(
            f"a class is called {EXCLUDED!r}, as faces that were left out are; an audit could not tell them "
            "apart. Train with another name for it"
        )
    return AuditPlan(
        seed=seed,
        count=count,
        classes=source.classes,
        results=source.results,
        passed_over=source.passed_over,
        passed_over_s=source.passed_over_s,
        sample=draw_sample(source.tracks, count=count, seed=seed),
    )


def match_results(files: Sequence[ResultFile], plan: AuditPlan) -> list[Path]:
    """The file of each result of an audit, in the audit's order; they are hashed, not read.

    Raises:
        UsageError: one was added, left out, or has changed since the audit began.
    """
    given = {each.sha256: each.path for each in files}
    wanted = {each.sha256: each.name for each in plan.results}
    if given.keys() == wanted.keys():
        return [given[each.sha256] for each in plan.results]
    missing = {name for sha256, name in wanted.items() if sha256 not in given}
    others = {read_result(path, crops=False).name for sha256, path in given.items() if sha256 not in wanted}
    if missing & others:
        raise UsageError(
            f"the result of {min(missing & others)!r} has changed since the audit began, so its answers are "
            "about other tracks. Bring that result back, or begin anew with another --answers FILE"
        )
    what = f"{min(missing)!r} is missing" if missing else f"{min(others)!r} was not among them"
    raise UsageError(
        f"the audit was begun with {len(wanted)} results and got {len(given)}: {what}. Give the same "
        "results, or begin anew with another --answers FILE"
    )


def read_crops(paths: Sequence[Path], plan: AuditPlan) -> list[bytes]:
    """The JPEG file of each track of the sample, in its order; ``paths`` as of ``match_results``."""
    crops: dict[tuple[int, int], bytes] = {}
    for position, path in enumerate(paths):
        wanted = {track.track_id for track in plan.sample.drawn if track.result == position}
        if wanted:
            for track in read_result(path).tracks:
                if track.track_id in wanted:
                    crops[position, track.track_id] = track.crop_jpeg
    return [crops[track.result, track.track_id] for track in plan.sample.drawn]


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SourceError(
            f"cannot read the result {str(path)!r}: {error.strerror or error}. Check path and permissions"
        ) from error


@dataclass(frozen=True, slots=True)
class _Read:
    """What is kept of one result: its pictures are most of it, and are let go of."""

    about: AuditedResult
    measurement: Measurement
    privacy: bool
    tracks: tuple[Candidate, ...]
    count: int
    seconds: float


def _read(file: ResultFile) -> _Read:
    result = read_result(file.path)
    return _Read(
        about=AuditedResult(result.name, file.sha256, result.weights_sha256),
        measurement=Measurement.of(file.path, result),
        privacy=result.privacy,
        tracks=tuple(candidates(result, 0)),
        count=len(result.tracks),
        seconds=math.fsum(track.seconds for track in result.tracks),
    )


def _check(known: Sequence[_Read], *, allow_mixed: bool) -> None:
    for each in known:
        if each.privacy:
            raise SourceError(
                f"{str(each.measurement.path)!r} was made with --privacy and holds no picture of a face, so "
                "there is nothing to label. Measure the video again without --privacy to audit it"
            )
        check_alike(known[0].measurement, each.measurement, allow_mixed=allow_mixed)
    check_once([each.measurement for each in known])
