"""What was measured in one video, as a result that can be kept, compared and reported."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import gclf_live
from gclf_live.errors import CheckpointError, SourceError
from gclf_live.model.checkpoint import default_weights_path
from gclf_live.model.classifier import Classifier
from gclf_live.output.rows import TrackSummary
from gclf_live.pipeline.analysis import VideoAnalysis
from gclf_live.pipeline.paths import TrackPath
from gclf_live.pipeline.settings import AnalysisSettings
from gclf_live.screentime.result import Result
from gclf_live.screentime.tracks import ResultTrack

_BLOCK = 1 << 20


def measure(
    analysis: VideoAnalysis,
    classifier: Classifier,
    *,
    source_sha256: str,
    weights_sha256: str,
    settings: AnalysisSettings,
) -> Result:
    """The result of one video.

    Args:
        analysis: what the first pass found.
        classifier: what it was found with.
        source_sha256: of the video, see ``file_sha256``.
        weights_sha256: of the checkpoint, see ``weights_sha256``.
        settings: of the first pass.
    """
    from_s, to_s = measured_range(analysis)
    return Result(
        name=analysis.path.name,
        source_sha256=source_sha256,
        weights_sha256=weights_sha256,
        settings=settings_document(settings),
        classes=analysis.classes,
        class_prior=class_prior(classifier.meta.data, analysis.classes),
        from_s=from_s,
        to_s=to_s,
        frames=len(analysis.pts_s),
        frames_with_face=_frames_with_face(analysis),
        width_px=analysis.info.width_px,
        height_px=analysis.info.height_px,
        cuts=len(analysis.cuts_s),
        damaged=analysis.damaged or "",
        tracks=tuple(
            _result_track(track, summary, analysis.spans_s(track))
            for track, summary in zip(analysis.tracks, analysis.summaries(), strict=True)
        ),
    )


def measured_range(analysis: VideoAnalysis) -> tuple[float, float]:
    """From the first frame to the end of the last, which is shown as long as frames usually are."""
    if not len(analysis.pts_s):
        return 0.0, 0.0
    return float(analysis.pts_s[0]), analysis.end_s


def settings_document(settings: AnalysisSettings) -> dict[str, object]:
    """What a result depends on besides video and weights, as plain JSON."""
    return {
        "version": gclf_live.__version__,
        "threshold": settings.threshold,
        "detect_every_s": settings.detect_every_s,
        "skip_calm": settings.skip_calm,
        "detection_side_px": settings.detection_side_px,
        "crops_per_track": settings.crops_per_track,
        "first_crops": settings.first_crops,
        "min_face_px": settings.min_face_px,
        "from_s": settings.from_s,
        "to_s": settings.to_s,
    }


def class_prior(data: Mapping[str, Any], classes: tuple[str, ...]) -> tuple[float, ...]:
    """Shares of the classes in the pictures that a checkpoint was calibrated on.

    Args:
        data: ``CheckpointMeta.data``: it has ``counts`` by split and class where the trainer wrote it.
        classes: names in order.

    Returns:
        Of its validation pictures, else of its training pictures; all alike where it does not say.
    """
    counts = data.get("counts")
    for split in ("val", "train"):
        named = counts.get(split) if isinstance(counts, Mapping) else None
        found = [named.get(name, 0) for name in classes] if isinstance(named, Mapping) else []
        if found and all(isinstance(count, int) and count > 0 for count in found):
            return tuple(count / sum(found) for count in found)
    return (1 / len(classes),) * len(classes)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's content, hexadecimal.

    Raises:
        SourceError: it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb", buffering=0) as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise SourceError(
            f"cannot read {str(path)!r}: {error.strerror or error}. Check path and permissions"
        ) from error
    return digest.hexdigest()


def weights_sha256(weights: Path | None = None) -> str:
    """SHA-256 of a checkpoint's file, hexadecimal: its classes and its calibration count as its tensors do.

    Args:
        weights: the file; by default the one that comes with the package.

    Raises:
        CheckpointError: it cannot be read.
    """
    try:
        return file_sha256(weights or default_weights_path())
    except SourceError as error:
        raise CheckpointError(str(error)) from error


def _result_track(
    track: TrackPath, summary: TrackSummary, spans: tuple[tuple[float, float], ...]
) -> ResultTrack:
    return ResultTrack(
        track_id=track.track_id,
        spans_s=spans,
        seconds=summary.seconds,
        faces=summary.faces,
        classified=summary.classified,
        median_height_px=summary.median_height_px,
        label=summary.label,
        confidence=summary.confidence,
        probabilities=summary.probabilities,
        excluded=summary.excluded,
        crop_jpeg=track.crop_jpeg,
    )


def _frames_with_face(analysis: VideoAnalysis) -> int:
    """Number of frames on which at least one face is drawn."""
    change = np.zeros(len(analysis.pts_s) + 1, np.int64)
    for track in analysis.tracks:
        for start_s, end_s in track.spans_s():
            change[np.searchsorted(analysis.pts_s, start_s, side="left")] += 1
            change[np.searchsorted(analysis.pts_s, end_s, side="right")] -= 1
    return int((np.cumsum(change)[:-1] > 0).sum())
