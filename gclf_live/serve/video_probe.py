"""A video that somebody sent, looked at before it is accepted."""

from __future__ import annotations

from pathlib import Path

from gclf_live.media.reader import VideoReader


def video_belongs_elsewhere(name: str) -> str:
    """The line for a video that was sent as a picture."""
    return f"{name!r} is a video. It belongs under Video; programs send it to /v1/jobs"


def probe_video(path: Path) -> dict[str, object]:
    """Width, height and length of a video, by opening it and decoding one frame.

    Returns:
        ``width_px``, ``height_px``, and ``seconds``, None where the file does not say.

    Raises:
        SourceError: it cannot be read.
    """
    with VideoReader(path) as reader:
        info = reader.info
    return {"width_px": info.width_px, "height_px": info.height_px, "seconds": info.duration_s}
