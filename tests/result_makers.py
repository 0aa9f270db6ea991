"""Results of videos that were never filmed."""

from __future__ import annotations

import hashlib
import io
import math
import os
from typing import Any

import numpy as np
from PIL import Image

from gclf_live.screentime.result import Result, ResultTrack

SETTINGS = {"version": "0.1.0", "threshold": 0.8, "detect_every_s": 0.1, "from_s": None, "to_s": None}


def make_jpeg(shade: int = 128) -> bytes:
    """A small grey picture."""
    buffer = io.BytesIO()
    Image.fromarray(np.full((96, 96, 3), shade, np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


def make_track(
    track_id: int = 1,
    female: float | None = 0.97,
    *,
    start_s: float = 0.0,
    seconds: float = 4.0,
    height_px: float = 120.0,
    excluded: str = "",
    crop: bool = True,
) -> ResultTrack:
    """A face that is on screen once; ``female`` is its probability, None if nothing was classified."""
    probabilities = {} if female is None else {"female": female, "male": 1 - female}
    confidence = max(probabilities.values(), default=math.nan)
    sure = confidence >= 0.8 and not excluded
    return ResultTrack(
        track_id=track_id,
        spans_s=((start_s, start_s + seconds),),
        seconds=seconds,
        faces=round(25 * seconds),
        classified=0 if female is None else 8,
        median_height_px=height_px,
        label=max(probabilities, key=probabilities.__getitem__) if sure else "unsure",
        confidence=confidence,
        probabilities=probabilities,
        excluded=excluded,
        crop_jpeg=make_jpeg() if crop else b"",
    )


def make_result(*tracks: ResultTrack, name: str = "talk.mp4", **changes: Any) -> Result:
    """A minute of video with these tracks; its SHA-256 follows its name."""
    values: dict[str, Any] = {
        "name": name,
        "source_sha256": hashlib.sha256(os.fsencode(name)).hexdigest(),
        "weights_sha256": "ab" * 32,
        "settings": SETTINGS,
        "classes": ("female", "male"),
        "class_prior": (0.53, 0.47),
        "from_s": 0.0,
        "to_s": 60.0,
        "frames": 1500,
        "frames_with_face": 900,
        "width_px": 1280,
        "height_px": 720,
        "cuts": 3,
        "damaged": "",
        "tracks": tracks,
    }
    return Result(**(values | changes))


def random_result(number: int, *, tracks: int = 60, share: float = 0.3, crop: bool = False) -> Result:
    """A video of its own kind: many tracks, of which about ``share`` are female."""
    rng = np.random.default_rng(number)
    made = []
    for track_id in range(1, tracks + 1):
        first = rng.random() < share
        odds = (1 if first else -1) * 6.125 + rng.normal(0, 3.5)
        made.append(
            make_track(
                track_id,
                round(1 / (1 + math.exp(-odds)), 6),
                start_s=float(rng.uniform(0, 50)),
                seconds=round(float(rng.lognormal(1, 0.8)), 2),
                height_px=float(rng.uniform(20, 300)),
                crop=crop,
            )
        )
    return make_result(*made, name=f"film {number}.mp4", to_s=200.0)
