"""Analyses of parts with tracks in known places, and what of two analyses must be equal."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from gclf_live.labels.aggregate import combine_track
from gclf_live.pipeline.analysis import VideoAnalysis
from gclf_live.pipeline.parts import Part, PartAnalysis
from gclf_live.pipeline.paths import CropReservoir, OpenTrack, PartTrack
from gclf_live.pipeline.small_jpeg import small_jpeg
from gclf_live.records import Faces

FEMALE, MALE = (-0.1, -2.3), (-2.3, -0.1)
"""Logarithms of probabilities."""


def made_track(
    number: int,
    sightings: Sequence[tuple[float, float]],
    *,
    score: float = 0.9,
    height_px: float = 60.0,
    yaw_deg: float = 0.0,
    sharpness: float = 0.4,
    evidence: tuple[float, float] = FEMALE,
    quality: float = 0.5,
) -> PartTrack:
    """A track from times and left edges; its last crop is the one that was classified."""
    track = OpenTrack(number, CropReservoir(4))
    crop = np.full((8, 8, 3), number, np.uint8)
    for pts_s, x in sightings:
        box = np.array([[x, 0, x + 0.75 * height_px, height_px]], np.float32)
        face = Faces(box, np.array([score], np.float32), np.zeros((1, 5, 2), np.float32))
        track.add(pts_s, face, quality, crop)
    logits = np.array([evidence], np.float32)
    crops_s, crops_quality = np.array([sightings[-1][0]]), np.array([quality], np.float32)
    path = track.close(
        combine_track(logits, crops_quality, crops_s),
        classified=1,
        lead_s=0.05,
        not_before_s=-math.inf,
        not_after_s=math.inf,
        crop_jpeg=small_jpeg(crop),
    )
    count = len(sightings)
    return PartTrack(
        path=path,
        sharpness=np.full(count, sharpness, np.float32),
        yaw_deg=np.full(count, yaw_deg, np.float32),
        crops_s=crops_s,
        crops_quality=crops_quality,
        log_probabilities=logits,
    )


def made_parts(*tracks: Sequence[PartTrack], cuts_s: Sequence[float] = ()) -> list[PartAnalysis]:
    """Parts of 10 s with these tracks, a frame every tenth of a second."""
    parts = []
    for index, found in enumerate(tracks):
        from_s, to_s = 10.0 * index, 10.0 * (index + 1)
        part = Part(index, from_s, math.inf if index == len(tracks) - 1 else to_s)
        cuts = tuple(cut for cut in cuts_s if from_s <= cut < to_s)
        times = from_s + np.arange(100) / 10
        parts.append(PartAnalysis(part, ("female", "male"), tuple(found), times, cuts, None))
    return parts


def facts(analysis: VideoAnalysis) -> list[object]:
    """All that an analysis says, bit for bit."""
    frames = [
        (
            r.index,
            r.pts_s,
            r.labels,
            r.tracks.ids.tolist(),
            r.tracks.faces.boxes.tobytes(),
            r.quality.tobytes(),
        )
        for r in analysis.results()
    ]
    crops = [track.crop_jpeg for track in analysis.tracks]
    return [analysis.summaries(), frames, crops, analysis.pts_s.tobytes(), analysis.cuts_s, analysis.damaged]
