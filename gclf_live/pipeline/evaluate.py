"""How often a checkpoint is right on labelled pictures, in all and by group."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from gclf_live.errors import DatasetError, SourceError, UsageError
from gclf_live.faces.detector import FaceDetector
from gclf_live.faces.portrait import find_main_face
from gclf_live.geometry import crop_faces
from gclf_live.media.pictures import PICTURE_SUFFIXES, read_picture
from gclf_live.model.calibration import expected_calibration_error, wilson_interval
from gclf_live.model.classifier import MAX_BATCH, Classifier
from gclf_live.records import F32, I64, U8, Bool

_AGE_BANDS = ((0, 12), (13, 19), (20, 39), (40, 59), (60, 200))
_MOST_VALUES = 40
"""A column with more different values, such as a person's number, is no grouping."""


class FaceSearch(StrEnum):
    """What of a labelled picture is classified."""

    DETECT = "detect"
    """The largest face near the middle, cut out as everywhere."""
    WHOLE = "whole"
    """The whole picture, squeezed into the network's square."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Answers on labelled pictures.

    Attributes:
        classes: names of the C classes.
        files: N paths below the folder, with forward slashes.
        targets: int64, shape (N,): class indices by the labels.
        probabilities: float32, shape (N, C).
        missing: pictures in which no face was found, or that could not be read: counted nowhere else.
        groups: by column, N values; empty where the table says nothing.
    """

    classes: tuple[str, ...]
    files: tuple[str, ...]
    targets: I64
    probabilities: F32
    missing: tuple[str, ...]
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The document of ``evaluate --json``, figures as shares with 95 % Wilson intervals."""
        document = self._scores(np.ones(len(self.files), bool))
        document |= {
            "ece": round(expected_calibration_error(self.probabilities, self.targets), 4),
            "confusion": self._confusion().tolist(),
            "classes": list(self.classes),
            "missing": list(self.missing),
        }
        groups: dict[str, dict[str, Any]] = {}
        for column, values in self.groups.items():
            column_values = np.asarray(values)
            groups[column] = {
                value: self._scores(np.asarray(column_values == value))
                for value in sorted(set(values))
                if value
            }
        return document | {"groups": groups}

    def _confusion(self) -> I64:
        """int64, shape (C, C): rows are labels, columns answers."""
        matrix = np.zeros((len(self.classes), len(self.classes)), np.int64)
        np.add.at(matrix, (self.targets, self.probabilities.argmax(axis=1)), 1)
        return matrix

    def _scores(self, chosen: Bool) -> dict[str, Any]:
        targets = self.targets[chosen]
        right = self.probabilities[chosen].argmax(axis=1) == targets
        recall: dict[str, float] = {}
        interval: dict[str, list[float]] = {}
        for index, name in enumerate(self.classes):
            of_class = right[targets == index]
            if len(of_class):
                recall[name] = round(float(of_class.mean()), 4)
                interval[name] = [round(v, 4) for v in wilson_interval(int(of_class.sum()), len(of_class))]
        return {
            "count": len(targets),
            "accuracy": round(float(right.mean()), 4) if len(right) else None,
            "accuracy_interval": [round(v, 4) for v in wilson_interval(int(right.sum()), len(right))]
            if len(right)
            else None,
            "balanced_accuracy": round(float(np.mean(list(recall.values()))), 4)
            if len(recall) == len(self.classes)
            else None,
            "recall": recall,
            "recall_interval": interval,
        }


def evaluate(
    folder: Path,
    classifier: Classifier,
    *,
    search: FaceSearch = FaceSearch.DETECT,
    groups_csv: Path | None = None,
    advance: Callable[[int, int | None], None] = lambda done, total: None,
) -> Measured:
    """Classify every picture of ``folder/CLASS/`` and compare with the folder's name.

    Args:
        folder: one folder for each class of the checkpoint.
        classifier: what is measured.
        search: the face, or the whole picture.
        groups_csv: a table whose column ``file`` names pictures by the end of their path; its other
            columns become groups, ``age`` in bands.
        advance: called with pictures done and in all.

    Raises:
        DatasetError: folders do not fit the classes, or no picture can be used.
        UsageError: the table cannot be used.
    """
    listed = _list_pictures(folder, classifier.classes)
    cut = _Cutter(classifier, search)
    kept: list[int] = []
    rows: list[F32] = []
    crops: list[U8] = []
    for i, (path, _) in enumerate(listed):
        crop = cut.crop(path)
        if crop is not None:
            kept.append(i)
            crops.append(crop)
        if len(crops) == MAX_BATCH or (i + 1 == len(listed) and crops):
            rows.append(classifier.predict(np.stack(crops)).probabilities)
            crops = []
        advance(i + 1, len(listed))
    if not kept:
        raise DatasetError(
            f"no face was found in any of the {len(listed)} pictures of {str(folder)!r}; try --faces whole"
        )
    names = [path.relative_to(folder).as_posix() for path, _ in listed]
    files = tuple(names[i] for i in kept)
    return Measured(
        classes=classifier.classes,
        files=files,
        targets=np.array([listed[i][1] for i in kept], np.int64),
        probabilities=np.concatenate(rows),
        missing=tuple(names[i] for i in np.setdiff1d(np.arange(len(names)), kept)),
        groups=_read_groups(groups_csv, files, folder.name) if groups_csv is not None else {},
    )


def _list_pictures(folder: Path, classes: tuple[str, ...]) -> list[tuple[Path, int]]:
    """Every picture with its class index."""
    listed = []
    for index, name in enumerate(classes):
        pictures = [
            path
            for path in sorted((folder / name).rglob("*"))
            if path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith(".") and path.is_file()
        ]
        if not pictures:
            raise DatasetError(
                f"no pictures in {str(folder / name)!r}; the checkpoint's classes are {', '.join(classes)}, "
                "and each needs a folder of that name"
            )
        listed += [(path, index) for path in pictures]
    return listed


class _Cutter:
    """Turns a picture file into the network's input."""

    def __init__(self, classifier: Classifier, search: FaceSearch) -> None:
        self._spec = classifier.crop_spec
        self._search = search
        self._detector = FaceDetector(score_threshold=0.4, max_side_px=480)

    def crop(self, path: Path) -> U8 | None:
        """uint8, shape (size, size, 3), BGR; None where there is no face or no readable picture."""
        try:
            image = read_picture(path)
        except SourceError:
            return None
        if self._search is FaceSearch.WHOLE:
            side = self._spec.size_px
            return np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
        padded, face = find_main_face(self._detector, image)
        crop: U8 | None = crop_faces(padded, face, self._spec)[0] if len(face) else None
        return crop


def _read_groups(path: Path, files: tuple[str, ...], folder: str) -> dict[str, list[str]]:
    """The table's columns in the order of ``files``."""
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            table = list(csv.DictReader(handle))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(
            f"cannot read the groups {str(path)!r}: {error}; wanted is a CSV with a column 'file'"
        ) from error
    if not table or "file" not in table[0]:
        raise UsageError(
            f"the groups {str(path)!r} lack a column 'file'; it names each picture by its path's end"
        )
    rows = {row["file"]: row for row in table}
    found = [
        rows.get(f"{folder}/{file}") or rows.get(file) or rows.get(Path(file).name) or {} for file in files
    ]
    if not any(found):
        raise UsageError(
            f"the groups {str(path)!r} name none of the {len(files)} pictures; check its column 'file'"
        )
    groups = {}
    for column in table[0]:
        values = [row.get(column) or "" for row in found]
        if column == "age":
            values = [_age_band(value) for value in values]
        if column != "file" and 1 < len(set(values) - {""}) <= _MOST_VALUES:
            groups[column] = values
    return groups


def _age_band(text: str) -> str:
    """``20-39`` for 27; empty for what is no age."""
    try:
        age = float(text)
    except ValueError:
        return ""
    return next((f"{low:02}-{high:02}" for low, high in _AGE_BANDS if low <= age < high + 1), "")


def iterate_table(document: Mapping[str, Any]) -> Iterator[str]:
    """The document as lines for a person."""
    classes = document["classes"]
    yield f"{'':<24} {'count':>6} {'accuracy':>9} {'balanced':>9}" + "".join(f" {c:>9}" for c in classes)
    yield _line("all", document, classes)
    for column, values in document["groups"].items():
        for value, scores in values.items():
            yield _line(f"{column} {value}", scores, classes)
    low, high = document["accuracy_interval"]
    yield f"accuracy's 95 % interval: {100 * low:.2f} to {100 * high:.2f} %"
    yield f"calibration error: {document['ece']:.4f}"
    if document["missing"]:
        yield f"without a face or unreadable, left out: {len(document['missing'])}"


def _line(name: str, scores: Mapping[str, Any], classes: Sequence[str]) -> str:
    shares = [scores["accuracy"], scores["balanced_accuracy"], *(scores["recall"].get(c) for c in classes)]
    cells = "".join(f" {'-':>9}" if s is None else f" {100 * s:>7.2f} %" for s in shares)
    return f"{name:<24} {scores['count']:>6}{cells}"
