"""A face that goes on over the border between two parts of a video is one track."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from gclf_live.faces.tracker import FaceTracker
from gclf_live.faces.verdict import Limits, exclusion
from gclf_live.labels.aggregate import combine_track
from gclf_live.pipeline.part_pass import is_believed
from gclf_live.pipeline.paths import F64, PartTrack, TrackPath, join_faces
from gclf_live.pipeline.settings import AnalysisSettings
from gclf_live.records import F32

_Sighting = tuple[float, int, PartTrack, int]
"""Time, side of the border, track and position in it."""


def carried_over(
    before: Sequence[PartTrack],
    after: Sequence[PartTrack],
    *,
    shot_start_s: float,
    shot_end_s: float,
    max_gap_s: float,
) -> dict[int, int]:
    """Find out which tracks behind a border go on with one before it.

    The tracker that follows faces within a part follows them over the border: it is given the last sightings
    before it and the first behind, as if there were none.

    Args:
        before, after: the tracks of the two parts.
        shot_start_s: when the shot in which the first part ends began.
        shot_end_s: when the shot in which the second part begins ends; no sighting behind it counts.
        max_gap_s: how long a face may be hidden.

    Returns:
        The track number before the border by that behind it, one to one.
    """
    sightings = [*_sightings(before, 0), *_sightings(after, 1)]
    last_s = max((s[0] for s in sightings if s[1] == 0), default=-np.inf)
    near = [
        s
        for s in sightings
        if max(last_s - 2 * max_gap_s, shot_start_s) <= s[0] <= last_s + max_gap_s and s[0] < shot_end_s
    ]
    return _followed(near, FaceTracker(max_gap_s=max_gap_s, new_track_score=0.0))


def _sightings(tracks: Sequence[PartTrack], side: int) -> Iterable[_Sighting]:
    for track in tracks:
        for i, pts_s in enumerate(track.path.pts_s.tolist()):
            yield pts_s, side, track, i


def _followed(sightings: list[_Sighting], tracker: FaceTracker) -> dict[int, int]:
    """Give all sightings to the tracker; whose last before the border and first behind have one id is one."""
    by_time: dict[float, list[_Sighting]] = {}
    for sighting in sorted(sightings, key=lambda s: s[:2]):
        by_time.setdefault(sighting[0], []).append(sighting)
    left: dict[int, int] = {}
    joined: dict[int, int] = {}
    seen: set[int] = set()
    for pts_s, group in by_time.items():
        faces = join_faces([track.path.faces.select(np.array([i])) for _, _, track, i in group])
        ids = tracker.update(faces, pts_s).ids.tolist()
        for (_, side, track, i), tracker_id in zip(group, ids, strict=True):
            number = track.path.track_id
            if side == 0:
                left = {key: value for key, value in left.items() if value != number} | {tracker_id: number}
            elif number not in seen:
                seen.add(number)
                if i == 0 and tracker_id in left:
                    joined[number] = left.pop(tracker_id)
    return joined


def joined_track(pieces: Sequence[PartTrack], settings: AnalysisSettings) -> TrackPath | None:
    """One track out of its pieces in order of time, its label drawn from the evidence of them all.

    Returns:
        None where it was seen too little to be believed.
    """
    first = pieces[0].path
    path = first if len(pieces) == 1 else _longer_path(pieces)
    if not is_believed(len(path.pts_s), float(path.faces.scores[0])):
        return None
    boxes = path.faces.boxes
    reason = exclusion(
        np.asarray(boxes[:, 3] - boxes[:, 1], np.float32),
        _chain([piece.yaw_deg for piece in pieces]),
        _chain([piece.sharpness for piece in pieces]),
        Limits(min_median_height_px=settings.min_face_px),
    )
    return path if reason is None else replace(path, excluded=str(reason))


def _longer_path(pieces: Sequence[PartTrack]) -> TrackPath:
    paths = [piece.path for piece in pieces]
    best = max(pieces, key=lambda piece: float(piece.crops_quality.max()))
    return replace(
        paths[0],
        pts_s=np.asarray(np.concatenate([path.pts_s for path in paths]), np.float64),
        faces=join_faces([path.faces for path in paths]),
        quality=_chain([path.quality for path in paths]),
        probabilities=combine_track(
            np.concatenate([piece.log_probabilities for piece in pieces]),
            _chain([piece.crops_quality for piece in pieces]),
            _times([piece.crops_s for piece in pieces]),
        ),
        classified=sum(path.classified for path in paths),
        last_s=paths[-1].last_s,
        crop_jpeg=best.path.crop_jpeg,
    )


def _chain(arrays: Sequence[F32]) -> F32:
    return np.asarray(np.concatenate(arrays), np.float32)


def _times(arrays: Sequence[F64]) -> F64:
    return np.asarray(np.concatenate(arrays), np.float64)
