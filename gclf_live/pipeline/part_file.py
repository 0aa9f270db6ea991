"""What was found in one part of a video, as a file: arrays and one JSON document, no code."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gclf_live.errors import SourceError
from gclf_live.pipeline.paths import PartTrack, TrackPath
from gclf_live.records import Faces
from gclf_live.whole_file import whole_file

_FORMAT = 2
_KIND = "gclf-live part"

_Arrays = dict[str, npt.NDArray[Any]]


def write_part(
    path: Path,
    document: Mapping[str, object],
    arrays: Mapping[str, npt.NDArray[Any]],
    tracks: Sequence[PartTrack],
) -> None:
    """Write a NumPy ``.npz`` archive, whole or not at all; one that is there is replaced.

    Args:
        path: the file; the name is taken as it is.
        document: plain JSON.
        arrays: of the part itself.
        tracks: its tracks.

    Raises:
        OutputError: it cannot be written.
    """
    text = json.dumps({"kind": _KIND, "format": _FORMAT, **document})
    parts = {"document": np.frombuffer(text.encode(), np.uint8), **arrays, **_pack(tracks)}
    with whole_file(path, overwrite=True) as hidden, hidden.open("wb") as file:
        np.savez(file, allow_pickle=False, **parts)


def read_part(path: Path) -> tuple[dict[str, Any], _Arrays, tuple[PartTrack, ...]]:
    """Read what ``write_part`` wrote: document, all arrays, tracks.

    Raises:
        SourceError: it is missing, damaged, no such file, or of another version.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays: _Arrays = dict(archive)
        document = json.loads(arrays["document"].tobytes())
        _check_format(path, document)
        return document, arrays, _unpack(arrays)
    except SourceError:
        raise
    except OSError as error:
        raise SourceError(
            f"cannot read {str(path)!r}: {error.strerror or error}. Check path and permissions"
        ) from error
    # zipfile raises RuntimeError and NotImplementedError where a damaged header asks for what it cannot do.
    except (
        *(ValueError, LookupError, TypeError, RuntimeError),
        *(StopIteration, EOFError, zipfile.BadZipFile),
    ) as error:
        raise SourceError(
            f"cannot read {str(path)!r}: it is damaged, or no analysed part. Delete it, and the part is "
            "analysed again"
        ) from error


def _check_format(path: Path, document: Mapping[str, object]) -> None:
    if document["kind"] != _KIND:
        raise ValueError(f"it is {document['kind']}, not {_KIND}")
    if document["format"] != _FORMAT:
        raise SourceError(
            f"cannot use {str(path)!r}: it has format {document['format']}, and this version reads "
            f"{_FORMAT}. Delete it, and the part is analysed again"
        )


def _pack(tracks: Sequence[PartTrack]) -> _Arrays:
    """The fields of all tracks end to end; ``t_sightings`` and ``t_crops`` say how many each has."""
    paths = [track.path for track in tracks]
    return {
        "t_id": np.array([path.track_id for path in paths], np.int64),
        "t_drawn_s": np.array([(path.first_s, path.last_s) for path in paths], np.float64).reshape(-1, 2),
        "t_fill_gap_s": np.array([path.fill_gap_s for path in paths], np.float64),
        "t_probabilities": _chain([path.probabilities[None] for path in paths]),
        "t_sightings": np.array([len(path.pts_s) for path in paths], np.int64),
        "t_crops": np.array([len(track.crops_s) for track in tracks], np.int64),
        "t_jpeg_bytes": np.array([len(path.crop_jpeg) for path in paths], np.int64),
        "j_bytes": np.frombuffer(b"".join(path.crop_jpeg for path in paths), np.uint8),
        "s_pts_s": _chain([path.pts_s for path in paths]),
        "s_boxes": _chain([path.faces.boxes for path in paths]),
        "s_scores": _chain([path.faces.scores for path in paths]),
        "s_landmarks": _chain([path.faces.landmarks for path in paths]),
        "s_quality": _chain([path.quality for path in paths]),
        "s_sharpness": _chain([track.sharpness for track in tracks]),
        "s_yaw_deg": _chain([track.yaw_deg for track in tracks]),
        "c_pts_s": _chain([track.crops_s for track in tracks]),
        "c_quality": _chain([track.crops_quality for track in tracks]),
        "c_log_probabilities": _chain([track.log_probabilities for track in tracks]),
    }


def _chain(arrays: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    return np.concatenate(arrays) if arrays else np.zeros(0, np.float32)


def _unpack(arrays: _Arrays) -> tuple[PartTrack, ...]:
    ids = arrays["t_id"].tolist()
    pictures = [slice(a, b) for a, b in _bounds(arrays["t_jpeg_bytes"])]
    sightings = [slice(a, b) for a, b in _bounds(arrays["t_sightings"])]
    crops = [slice(a, b) for a, b in _bounds(arrays["t_crops"])]
    return tuple(
        PartTrack(
            path=TrackPath(
                track_id=track_id,
                pts_s=arrays["s_pts_s"][sightings[t]],
                faces=Faces(*(arrays[name][sightings[t]] for name in ("s_boxes", "s_scores", "s_landmarks"))),
                quality=arrays["s_quality"][sightings[t]],
                probabilities=arrays["t_probabilities"][t],
                classified=int(arrays["t_crops"][t]),
                first_s=float(arrays["t_drawn_s"][t, 0]),
                last_s=float(arrays["t_drawn_s"][t, 1]),
                crop_jpeg=arrays["j_bytes"][pictures[t]].tobytes(),
                fill_gap_s=float(arrays["t_fill_gap_s"][t]),
            ),
            sharpness=arrays["s_sharpness"][sightings[t]],
            yaw_deg=arrays["s_yaw_deg"][sightings[t]],
            crops_s=arrays["c_pts_s"][crops[t]],
            crops_quality=arrays["c_quality"][crops[t]],
            log_probabilities=arrays["c_log_probabilities"][crops[t]],
        )
        for t, track_id in enumerate(ids)
    )


def _bounds(counts: npt.NDArray[Any]) -> list[tuple[int, int]]:
    ends = np.cumsum(counts).tolist()
    return list(zip([0, *ends], ends, strict=False))
