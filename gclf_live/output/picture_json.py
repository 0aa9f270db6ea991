"""The JSON document about labelled pictures, the same from the command line and over HTTP."""

from __future__ import annotations

from collections.abc import Iterable

from gclf_live.output.rows import face_rows
from gclf_live.records import FrameResult
from gclf_live.wording import tidy_text

_OF_VIDEO_ONLY = frozenset({"track_id", "frame", "pts_s"})


def picture_entry(path: str, *, width_px: int, height_px: int, result: FrameResult) -> dict[str, object]:
    """What is known of one picture.

    Args:
        path: as the user gave it.
        width_px: columns of the upright picture.
        height_px: rows of the upright picture.
        result: its faces, in pixels of the upright picture.

    Returns:
        ``path``, ``width_px``, ``height_px`` and ``faces``, which holds a row for each face without
        what only a video has (``track_id``, ``frame``, ``pts_s``).
    """
    faces = [{k: v for k, v in row.items() if k not in _OF_VIDEO_ONLY} for row in face_rows([result])]
    return {"path": tidy_text(path), "width_px": width_px, "height_px": height_px, "faces": faces}


def pictures_document(entries: Iterable[dict[str, object]]) -> dict[str, object]:
    """The document of ``predict --json``: ``{"pictures": [...]}``, without NaN."""
    return {"pictures": list(entries)}
