"""One video, in a child process: the same two passes as ``gclf-live annotate``, and the files about it."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np

from gclf_live.errors import GclfError, SourceError
from gclf_live.model.classifier import Classifier
from gclf_live.model.meta import CheckpointMeta
from gclf_live.output.rows import face_columns, face_rows, tidy_row, track_columns
from gclf_live.output.subtitles import shown_frames, track_cues, write_subtitles
from gclf_live.output.tables import write_rows
from gclf_live.pipeline.annotate import Annotated, annotate_video
from gclf_live.pipeline.measured import file_sha256, measure
from gclf_live.pipeline.settings import AnalysisSettings
from gclf_live.screentime.page import write_report
from gclf_live.screentime.report import Report, make_report
from gclf_live.screentime.result import Result, without_people
from gclf_live.screentime.result_file import write_result
from gclf_live.serve.confine import confine
from gclf_live.serve.limits import KernelLimits
from gclf_live.serve.remote import RemoteClassifier
from gclf_live.serve.wire import receive, send

FILES = {
    "video": "video.mp4",
    "tracks": "tracks.csv",
    "faces": "faces.csv",
    "subtitles": "subtitles.vtt",
    "result": "result.json",
    "report": "report.html",
}
"""What a job leaves, and how the files are called."""
OF_TRACKS = frozenset({"tracks", "faces", "subtitles"})
"""Those that say where a single face was: none with privacy."""
SOURCE = "source"
"""How the upload is called."""
_TELL_EVERY_S = 0.2
_HIGHEST_FPS = 120
_NICENESS = 10


def video_work(
    connection: Connection, meta: CheckpointMeta, limits: KernelLimits, setup: dict[str, Any]
) -> None:
    """Work on the one video that the server asks for, and end.

    The request is ``{"folder", "name", "threshold", "privacy", "weights_sha256", "video_seconds"}``. Messages
    are ``{"kind": "progress", "done", "total"}``, then ``{"kind": "done", "document"}`` or
    ``{"kind": "failed", "error"}``.
    """
    confine(limits)
    os.nice(_NICENESS)  # pictures and live connections come first
    request, _ = receive(connection)
    try:
        document = _VideoJob(connection, meta, request).work()
    except (GclfError, MemoryError, cv2.error, EOFError, OSError, ValueError) as error:
        no_room = isinstance(error, MemoryError | cv2.error)
        line = "there is not enough memory for it" if no_room else str(error)
        name = str(request["name"])
        # Where it lies here is nobody's business.
        line = line.replace(repr(str(Path(request["folder"]) / SOURCE)), repr(name))
        line = line.replace(f"{request['folder']}/", "")
        send(connection, {"kind": "failed", "error": line})
        return
    send(connection, {"kind": "done", "document": document})


class _VideoJob:
    """Works on one upload in its folder."""

    def __init__(self, connection: Connection, meta: CheckpointMeta, request: dict[str, Any]) -> None:
        self._connection, self._request = connection, request
        self._folder = Path(request["folder"])
        self._privacy = bool(request["privacy"])
        # The pipeline needs of a classifier what the remote one has.
        self._classifier = cast("Classifier", RemoteClassifier(connection, meta))
        self._settings = AnalysisSettings(threshold=float(request["threshold"]))
        self._most_frames = round(float(request["video_seconds"]) * _HIGHEST_FPS)
        self._told_s = 0.0

    def work(self) -> dict[str, object]:
        """Measure, draw and write; the document of the job."""
        done = annotate_video(
            self._folder / SOURCE,
            self._folder / FILES["video"],
            self._classifier,
            settings=self._settings,
            track_ids=not self._privacy,
            privacy=self._privacy,
            advance=self._advance,
        )
        result = self._measure(done)
        report = make_report([result])
        write_result(self._folder / FILES["result"], result)
        write_report(self._folder / FILES["report"], report)
        if not self._privacy:
            self._write_tracks(done)
        rows = [] if self._privacy else [tidy_row(row.as_row()) for row in done.analysis.summaries()]
        named = {"source": self._request["name"], **done.stats.as_json()}
        return {
            "summary": named | {"path": FILES["video"], "notes": list(done.notes)},
            "tracks": rows,
            "screen_time": screen_time(report),
            "files": sorted(set(FILES) - OF_TRACKS if self._privacy else FILES),
        }

    def _measure(self, done: Annotated) -> Result:
        result = measure(
            done.analysis,
            self._classifier,
            source_sha256=file_sha256(self._folder / SOURCE),
            weights_sha256=str(self._request["weights_sha256"]),
            settings=self._settings,
        )
        result = replace(result, name=str(self._request["name"]))
        return without_people(result) if self._privacy else result

    def _write_tracks(self, done: Annotated) -> None:
        analysis, subtitles = done.analysis, self._folder / FILES["subtitles"]
        rows = (track.as_row() for track in analysis.summaries())
        write_rows(self._folder / FILES["tracks"], rows, track_columns(analysis.classes))
        write_rows(
            self._folder / FILES["faces"], face_rows(analysis.results()), face_columns(analysis.classes)
        )
        cues = track_cues(
            analysis.summaries(),
            shown_frames(analysis.results()),
            analysis.pts_s,
            origin_s=done.origin_s,
            suffix=subtitles.suffix,
        )
        write_subtitles(subtitles, cues)

    def _advance(self, done: int, total: int | None) -> None:
        # What the file says of its length need not be true.
        if done > 2 * self._most_frames:
            raise SourceError(f"the video has more than {self._most_frames:,} frames. Send a part of it")
        if time.monotonic() - self._told_s >= _TELL_EVERY_S:
            self._told_s = time.monotonic()
            send(self._connection, {"kind": "progress", "done": done, "total": total})


def screen_time(report: Report) -> dict[str, object]:
    """Seconds and shares by class with their 95 % interval, as JSON; a share that nobody knows is None."""
    shares = report.shares

    def share(value: float) -> float | None:
        return round(value, 4) if np.isfinite(value) else None

    classes = {
        name: {
            "seconds": round(report.seconds.get(name, 0.0), 3),
            "share": share(float(shares.corrected[i])),
            "low": share(float(shares.low[i])),
            "high": share(float(shares.high[i])),
        }
        for i, name in enumerate(report.classes)
    }
    return {
        "classes": classes,
        "unsure_s": round(report.seconds.get("unsure", 0.0), 3),
        "excluded_s": round(sum(report.excluded.values()), 3),
    }
