"""What a classifier answers on labelled pictures."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np

from gclf_live.errors import DatasetError, SourceError
from gclf_live.evaluation.cutting import FaceCutter, FaceSearch
from gclf_live.evaluation.labelled import LabelledPictures
from gclf_live.geometry import CropSpec
from gclf_live.records import F32, I64, U8, Predictions

_BATCH = 64
_PICTURES_AHEAD = 2 * _BATCH
"""Pictures that are read and searched while the network works on others."""


class CropClassifier(Protocol):
    """What is measured; ``gclf_live.model.classifier.Classifier`` is one."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the C classes."""

    @property
    def crop_spec(self) -> CropSpec:
        """How its crops are cut."""

    def predict(self, crops: U8) -> Predictions:
        """Probabilities of uint8 crops, shape (N, S, S, 3), BGR."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A picture file that could not be read.

    Attributes:
        file: path below the folder.
        reason: one line.
    """

    file: str
    reason: str


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers on the N labelled pictures in which a face was found.

    Attributes:
        classes: names of the C classes.
        folder: where the pictures lie.
        files: N paths below ``folder``, with forward slashes.
        targets: int64, shape (N,): class indices by the labels.
        probabilities: float32, shape (N, C).
        boxes: float32, shape (N, 4): the face in pixels of the upright picture; NaN where the whole
            picture was classified.
        missing: pictures in which no face was found.
        unreadable: files that are no usable pictures.
    """

    classes: tuple[str, ...]
    folder: Path
    files: tuple[str, ...]
    targets: I64
    probabilities: F32
    boxes: F32
    missing: tuple[str, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()

    @property
    def face_height_px(self) -> F32:
        """float32, shape (N,): height of the face's box in the picture as it is on disk, or NaN."""
        return np.asarray(self.boxes[:, 3] - self.boxes[:, 1], np.float32)


_Found: TypeAlias = tuple[U8, F32] | SourceError | None
"""A crop and its box, why the picture could not be read, or no face."""


def classify_pictures(
    pictures: LabelledPictures,
    classifier: CropClassifier,
    *,
    search: FaceSearch = FaceSearch.DETECT,
    workers: int | None = None,
    advance: Callable[[int, int | None], None] = lambda done, total: None,
) -> Answers:
    """Classify every picture.

    Args:
        pictures: what to classify.
        classifier: what is measured.
        search: the face, or the whole picture.
        workers: threads that read pictures and find faces; by default one a core. The answers do not
            depend on it.
        advance: called with pictures done and in all.

    Raises:
        DatasetError: no picture could be used.
    """
    collected = _Collected(pictures, classifier)
    cutter = FaceCutter(classifier.crop_spec, search)
    paths = [pictures.folder / file for file in pictures.files]
    with contextlib.closing(
        _cut_all(paths, cutter, workers or len(os.sched_getaffinity(0)))
    ) as found_in_turn:
        for i, found in enumerate(found_in_turn):
            collected.add(i, found)
            advance(i + 1, len(paths))
    return collected.finish()


class _Collected:
    """What was found so far; crops go through the network as soon as there is a batch of them."""

    def __init__(self, pictures: LabelledPictures, classifier: CropClassifier) -> None:
        self._pictures = pictures
        self._classifier = classifier
        self._kept: list[int] = []
        self._boxes: list[F32] = []
        self._crops: list[U8] = []
        self._probabilities: list[F32] = []
        self._missing: list[str] = []
        self._unreadable: list[Unreadable] = []

    def add(self, index: int, found: _Found) -> None:
        """Take what was found in the picture at ``index``."""
        file = self._pictures.files[index]
        if isinstance(found, SourceError):
            self._unreadable.append(Unreadable(file, str(found)))
        elif found is None:
            self._missing.append(file)
        else:
            self._kept.append(index)
            self._crops.append(found[0])
            self._boxes.append(found[1])
            if len(self._crops) == _BATCH:
                self._classify()

    def finish(self) -> Answers:
        """Classify what is left and hand everything over."""
        if not self._kept:
            raise self._nothing_usable()
        if self._crops:
            self._classify()
        return Answers(
            classes=self._classifier.classes,
            folder=self._pictures.folder,
            files=tuple(self._pictures.files[i] for i in self._kept),
            targets=self._pictures.targets[self._kept],
            probabilities=np.concatenate(self._probabilities),
            boxes=np.stack(self._boxes),
            missing=tuple(self._missing),
            unreadable=tuple(self._unreadable),
        )

    def _classify(self) -> None:
        self._probabilities.append(self._classifier.predict(np.stack(self._crops)).probabilities)
        self._crops.clear()

    def _nothing_usable(self) -> DatasetError:
        folder, total = str(self._pictures.folder), len(self._pictures.files)
        if not self._missing:
            reason = self._unreadable[0].reason
            return DatasetError(f"none of the {total} pictures of {folder!r} can be read: {reason}")
        return DatasetError(
            f"no face was found in any of the {total} pictures of {folder!r} ({len(self._unreadable)} could "
            "not be read); if they are cut closer than a face, try --faces whole"
        )


def _cut_all(paths: Sequence[Path], cutter: FaceCutter, workers: int) -> Generator[_Found, None, None]:
    """What each picture holds, in the order of ``paths``, a few pictures ahead of whoever asks."""
    waiting: deque[Future[_Found]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="cut-faces")
    try:
        for path in paths:
            waiting.append(pool.submit(_cut, cutter, path))
            if len(waiting) > _PICTURES_AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _cut(cutter: FaceCutter, path: Path) -> _Found:
    try:
        return cutter.cut(path)
    except SourceError as error:
        return error
