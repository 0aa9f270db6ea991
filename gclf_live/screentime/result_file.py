"""The file of a result: written whole or not at all, and checked when it is read."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gclf_live.errors import SourceError
from gclf_live.screentime.result import Result
from gclf_live.screentime.tracks import Evidence, ResultTrack
from gclf_live.whole_file import whole_file
from gclf_live.wording import tidy_text

RESULT_FORMAT = 1
"""Version of the file that is written and read."""
RESULT_SUFFIX = ".result.json"
"""How results are called in the folder of an archive."""

_KIND = "gclf-live result"
_BEGINNING = 200
_NUMBER = (int, float)
_LARGEST = 2**53
_TRACK_PLAIN: dict[str, type | tuple[type, ...]] = {
    "track_id": int,
    "seconds": _NUMBER,
    "faces": int,
    "classified": int,
    "median_height_px": _NUMBER,
    "label": str,
    "excluded": str,
}
_RESULT_PLAIN: dict[str, type | tuple[type, ...]] = {
    "name": str,
    "source_sha256": str,
    "weights_sha256": str,
    "settings": dict,
    "from_s": _NUMBER,
    "to_s": _NUMBER,
    "frames": int,
    "frames_with_face": int,
    "width_px": int,
    "height_px": int,
    "cuts": int,
    "damaged": str,
    "privacy": bool,
    "totals": dict,
    "counts": dict,
}
_EVIDENCE_PLAIN: dict[str, type | tuple[type, ...]] = {
    "seconds": _NUMBER,
    "tracks": int,
    "squared_seconds": _NUMBER,
}
"""Values that are stored as they are, and their types."""


def write_result(path: Path, result: Result, *, overwrite: bool = False) -> None:
    """Write the result as a JSON file, whole or not at all.

    Raises:
        OutputError: see ``whole_file``.
    """
    text = json.dumps(_document(result), allow_nan=False, separators=(",", ":"), default=_plain)
    with whole_file(path, overwrite=overwrite) as partial:
        partial.write_text(text + "\n", "utf-8")


def read_result(path: Path, *, crops: bool = True) -> Result:
    """The result in a file of ``write_result``.

    Args:
        path: the file.
        crops: False leaves the tracks' pictures out, which are most of the file.

    Raises:
        SourceError: it cannot be read, is damaged, or is of another version.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(
            f"cannot read the result {str(path)!r}: {error.strerror or error}. Check path and permissions"
        ) from error
    if not data.strip(b"\0 \r\n\t"):
        raise _damaged(path, "it is empty")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        if not says_result(data[:_BEGINNING]):
            raise _no_result(path) from error
        raise _damaged(path, f"it is no JSON ({error})") from error
    if not isinstance(document, dict) or document.get("kind") != _KIND:
        raise _no_result(path)
    if document.get("format") != RESULT_FORMAT:
        raise SourceError(
            f"{str(path)!r} has the format {document.get('format')!r}; this gclf-live reads {RESULT_FORMAT}. "
            "Measure the video again, or use the gclf-live that wrote it"
        )
    try:
        return _result(document, crops=crops)
    except KeyError as error:
        raise _damaged(path, f"it lacks {error}") from error
    except (TypeError, ValueError, AttributeError, OverflowError, binascii.Error) as error:
        raise _damaged(path, str(error)) from error


def says_result(beginning: bytes) -> bool:
    """Whether a file that begins like this says that it is a result; it may be damaged further on."""
    return beginning.lstrip().startswith(b"{") and f'"{_KIND}"'.encode() in beginning


def _plain(value: object) -> object:
    """A number of numpy's as Python's own."""
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{value!r} is no plain JSON")


def _no_result(path: Path) -> SourceError:
    return SourceError(f"{str(path)!r} is no result of gclf-live; give a file of annotate --result")


def _damaged(path: Path, why: str) -> SourceError:
    why = " ".join(why.split())
    return SourceError(f"the result {str(path)!r} is damaged: {why}. Delete it, and measure the video again")


def _document(result: Result) -> dict[str, object]:
    return {
        "format": RESULT_FORMAT,
        "kind": _KIND,
        **{name: getattr(result, name) for name in _RESULT_PLAIN},
        "classes": list(result.classes),
        "class_prior": list(result.class_prior),
        "tracks": [_track_document(track) for track in result.tracks],
        "evidence": [
            {name: getattr(each, name) for name in _EVIDENCE_PLAIN} | _as_columns(each.probabilities)
            for each in result.evidence
        ],
    }


def _track_document(track: ResultTrack) -> dict[str, object]:
    plain = {name: getattr(track, name) for name in _TRACK_PLAIN}
    return {
        "start_s": track.start_s,
        "end_s": track.end_s,
        **plain,
        "confidence": track.confidence if math.isfinite(track.confidence) else None,
        **_as_columns(track.probabilities),
        "spans_s": [list(span) for span in track.spans_s],
        "crop_jpeg": base64.b64encode(track.crop_jpeg).decode("ascii"),
    }


def _as_columns(probabilities: Mapping[str, float]) -> dict[str, float]:
    return {f"p_{name}": value for name, value in probabilities.items()}


def _result(document: Mapping[str, Any], *, crops: bool) -> Result:
    classes = tuple(str(name) for name in document["classes"])
    json.dumps(document["settings"], allow_nan=False)  # Python reads NaN; a report cannot be written with it
    return Result(
        **_checked(document, _RESULT_PLAIN),
        classes=classes,
        class_prior=tuple(float(share) for share in document["class_prior"]),
        tracks=tuple(_track(row, classes, crops=crops) for row in document["tracks"]),
        evidence=tuple(
            Evidence(**_checked(row, _EVIDENCE_PLAIN), probabilities=_probabilities(row, classes))
            for row in document["evidence"]
        ),
    )


def _checked(document: Mapping[str, Any], types: Mapping[str, type | tuple[type, ...]]) -> dict[str, Any]:
    for name, wanted in types.items():
        value = document[name]
        if not isinstance(value, wanted) or (isinstance(value, int) and abs(value) > _LARGEST):
            raise TypeError(f"{name} is {value!r:.40}")
        if isinstance(value, str):
            tidy_text(value)  # what no file name can hold is refused here
    return {name: document[name] for name in types}


def _track(row: Mapping[str, Any], classes: Sequence[str], *, crops: bool) -> ResultTrack:
    return ResultTrack(
        **_checked(row, _TRACK_PLAIN),
        spans_s=tuple((float(start), float(end)) for start, end in row["spans_s"]),
        confidence=math.nan if row["confidence"] is None else float(row["confidence"]),
        probabilities=_probabilities(row, classes),
        crop_jpeg=base64.b64decode(row["crop_jpeg"], validate=True) if crops else b"",
    )


def _probabilities(row: Mapping[str, Any], classes: Sequence[str]) -> dict[str, float]:
    """What the row says of each class; empty if nothing was classified."""
    return {name: float(row[f"p_{name}"]) for name in classes if f"p_{name}" in row}
