"""What was measured in one video, as a record and as a file."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from pathlib import Path
from typing import Any

from gclf_live.errors import SourceError
from gclf_live.records import UNSURE
from gclf_live.screentime.tracks import Evidence, ResultTrack, group_tracks
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


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured in one video.

    Attributes:
        name: file name of the source, without folder.
        source_sha256, weights_sha256: of the video and of the checkpoint, hexadecimal.
        settings: how it was measured, as plain JSON.
        classes: names in the order of the checkpoint.
        class_prior: shares of the classes in the pictures that the probabilities were calibrated on.
        from_s, to_s: what was measured, in presentation times of the source.
        frames: frames in that range; ``frames_with_face``: how many of them showed a face.
        width_px, height_px: size of the picture.
        cuts: shot cuts found.
        damaged: what could not be read, or empty.
        tracks: the faces; empty with ``privacy``.
        privacy: only sums were kept, see ``without_people``.
        evidence: what is kept instead of tracks; empty without ``privacy``.
        totals: seconds by label, ``unsure`` and ``excluded: REASON``; from the tracks if not given.
        counts: number of tracks under the same names, likewise.
    """

    name: str
    source_sha256: str
    weights_sha256: str
    settings: Mapping[str, object]
    classes: tuple[str, ...]
    class_prior: tuple[float, ...]
    from_s: float
    to_s: float
    frames: int
    frames_with_face: int
    width_px: int
    height_px: int
    cuts: int
    damaged: str
    tracks: tuple[ResultTrack, ...]
    privacy: bool = False
    evidence: tuple[Evidence, ...] = ()
    totals: Mapping[str, float] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.classes) < 2 or len(self.class_prior) != len(self.classes):
            raise ValueError(
                f"classes {self.classes} with the prior {self.class_prior}; 2 or more, a share for each"
            )
        if not all(0 < share <= 1 for share in self.class_prior):
            raise ValueError(f"class prior {self.class_prior}; allowed are shares above 0")
        if (
            not -math.inf < self.from_s <= self.to_s < math.inf
            or not 0 <= self.frames_with_face <= self.frames
        ):
            raise ValueError(
                f"{self.from_s} to {self.to_s} s, {self.frames_with_face} of {self.frames} frames; "
                "allowed is a finite range, and no more frames with a face than frames"
            )
        if self.tracks and self.privacy:
            raise ValueError(f"{len(self.tracks)} tracks in a result with privacy; it must have none")
        for track in self.tracks:
            self._check_classes(track)
        for group in self.evidence:
            self._check_classes(group)
        if not self.totals:
            object.__setattr__(self, "totals", _added(self.tracks))
        if not self.counts:
            object.__setattr__(self, "counts", _counted(self.tracks))
        self._check_sums()

    def _check_sums(self) -> None:
        """What is shown side by side must agree: in a file that was edited it may not."""
        for name, each in (*self.totals.items(), *self.counts.items()):
            _check_sum(name, each)
        added = _added(self.tracks) if self.tracks else self.totals
        for name in {*added, *self.totals}:
            told, found = float(self.totals.get(name, 0.0)), added.get(name, 0.0)
            if not math.isclose(told, found, rel_tol=1e-6, abs_tol=1e-3):
                raise ValueError(
                    f"its total of {name!r:.40} is {told:g} s, and its tracks add up to {found:g} s"
                )

    def _check_classes(self, each: ResultTrack | Evidence) -> None:
        if each.probabilities and set(each.probabilities) != set(self.classes):
            raise ValueError(f"probabilities of {sorted(each.probabilities)}; the classes are {self.classes}")
        values = each.probabilities.values()
        # Written so that NaN is refused too.
        if values and not (all(0 <= value <= 1 for value in values) and abs(sum(values) - 1) < 0.01):
            raise ValueError(f"probabilities {dict(each.probabilities)}; allowed is 0 to 1, adding up to 1")
        if isinstance(each, ResultTrack) and each.label not in {*self.classes, UNSURE}:
            raise ValueError(f"label {each.label!r}; the classes are {self.classes}")


def _check_sum(name: str, value: object) -> None:
    if not isinstance(value, Real) or not 0 <= float(value) < math.inf:
        raise ValueError(f"the sum of {name!r:.40} is {value!r:.40}; allowed are finite numbers from 0")


def without_people(result: Result) -> Result:
    """The result with ``privacy``: sums alone, no track, no time at which a face was seen, no picture.

    The tracks that count are grouped by what the classifier said, in steps of half a unit of log
    probability; the share and its interval can still be worked out from that.
    """
    evidence = group_tracks(result.tracks, result.classes) or result.evidence
    return replace(result, tracks=(), privacy=True, evidence=evidence)


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


def _added(tracks: Sequence[ResultTrack]) -> dict[str, float]:
    return {
        name: math.fsum(track.seconds for track in tracks if track.total == name)
        for name in sorted({track.total for track in tracks})
    }


def _counted(tracks: Sequence[ResultTrack]) -> dict[str, int]:
    names = [track.total for track in tracks]
    return {name: names.count(name) for name in sorted(set(names))}


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
