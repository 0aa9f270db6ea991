"""What the stages hand to one another: frozen, slotted records that check their own shape.

Arrays inside a record are shared, not copied; treat them as read-only. "No faces" is a record of
length 0, never None.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

U8: TypeAlias = npt.NDArray[np.uint8]
F32: TypeAlias = npt.NDArray[np.float32]
I64: TypeAlias = npt.NDArray[np.int64]
Bool: TypeAlias = npt.NDArray[np.bool_]
AnyPath: TypeAlias = str | os.PathLike[str]
"""A path as callers from outside give it."""

UNSURE = "unsure"
"""The label of a face whose confidence is below the threshold."""


def _check(name: str, array: npt.NDArray[np.generic], dtype: type, shape: tuple[int | None, ...]) -> None:
    """Raise ValueError unless ``array`` has ``dtype`` and ``shape``, where None matches any length."""
    fits = len(array.shape) == len(shape)
    for want, got in zip(shape, array.shape, strict=False):
        fits = fits and want in (None, got)
    if array.dtype != np.dtype(dtype) or not fits:
        wanted = "x".join("N" if want is None else str(want) for want in shape)
        raise ValueError(f"{name} is {array.dtype} {array.shape}; it must be {np.dtype(dtype)} {wanted}")


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a video, upright.

    Attributes:
        image: uint8, shape (H, W, 3), colour order BGR.
        pts_s: presentation time in seconds: ``pts * time_base`` of a container, or the monotonic
            clock at capture, counted from the first frame, of a live source.
        index: position in the source, from 0. Dropped live frames count.
    """

    image: U8
    pts_s: float
    index: int

    def __post_init__(self) -> None:
        _check("image", self.image, np.uint8, (None, None, 3))

    @property
    def height_px(self) -> int:
        """Number of rows."""
        return int(self.image.shape[0])

    @property
    def width_px(self) -> int:
        """Number of columns."""
        return int(self.image.shape[1])


class Matrix(StrEnum):
    """How red, green and blue were mixed into brightness and two colours."""

    BT601 = "bt601"
    """Recommendation ITU-R BT.601: standard definition."""
    BT709 = "bt709"
    """Recommendation ITU-R BT.709: high definition."""

    @property
    def luma_weights(self) -> tuple[float, float]:
        """Weights of red and blue in the brightness: ITU-R BT.601-7 section 2.5.1, BT.709-6 item 3.2."""
        return (0.299, 0.114) if self is Matrix.BT601 else (0.2126, 0.0722)


@dataclass(frozen=True, slots=True)
class I420:
    """A picture as video stores it: brightness for each pixel, colours for each 2x2, limited range.

    Attributes:
        pixels: uint8, shape (3 * H / 2, W) for even H and W, C-contiguous: H rows of brightness (16 is
            black, 235 white), then the H/2 x W/2 values of blue difference, then those of red difference
            (128 is grey).
        matrix: how they were made from red, green and blue.
    """

    pixels: U8
    matrix: Matrix

    def __post_init__(self) -> None:
        _check("pixels", self.pixels, np.uint8, (None, None))
        rows, width = self.pixels.shape
        if rows % 3 or width % 2 or not self.pixels.flags.c_contiguous:
            raise ValueError(f"pixels are {self.pixels.shape}; they must be contiguous, 3 * H / 2 x even W")

    @property
    def height_px(self) -> int:
        """Number of rows."""
        return int(self.pixels.shape[0]) * 2 // 3

    @property
    def width_px(self) -> int:
        """Number of columns."""
        return int(self.pixels.shape[1])

    def planes(self) -> tuple[U8, U8, U8]:
        """Views of brightness, shape (H, W), blue and red difference, shape (H / 2, W / 2)."""
        height, width = self.height_px, self.width_px
        quarter = (height // 2) * (width // 2)
        flat = self.pixels.reshape(-1)[height * width :]
        half = (height // 2, width // 2)
        return self.pixels[:height], flat[:quarter].reshape(half), flat[quarter:].reshape(half)


@dataclass(frozen=True, slots=True)
class Faces:
    """The faces found in one frame.

    Attributes:
        boxes: float32, shape (N, 4): x1, y1, x2, y2 in pixels of the full frame, x2 and y2 exclusive.
        scores: float32, shape (N,): detector confidence in [0, 1].
        landmarks: float32, shape (N, 5, 2): right eye, left eye, nose tip, right and left mouth
            corner (the person's own right and left; YuNet's order), x and y in pixels.
    """

    boxes: F32
    scores: F32
    landmarks: F32

    def __post_init__(self) -> None:
        n = len(self.boxes)
        _check("boxes", self.boxes, np.float32, (None, 4))
        _check("scores", self.scores, np.float32, (n,))
        _check("landmarks", self.landmarks, np.float32, (n, 5, 2))

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def empty(cls) -> Faces:
        """No faces."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32))

    def select(self, index: I64 | Bool) -> Faces:
        """The faces at ``index``: integer positions, shape (M,), or a boolean mask, shape (N,)."""
        return Faces(self.boxes[index], self.scores[index], self.landmarks[index])


@dataclass(frozen=True, slots=True)
class Tracks:
    """The faces of one frame with the identity of the track that each belongs to.

    Attributes:
        ids: int64, shape (N,): positive, unique within the frame, never used again after a track ended.
        faces: the N faces, in the order of ``ids``.
    """

    ids: I64
    faces: Faces

    def __post_init__(self) -> None:
        _check("ids", self.ids, np.int64, (len(self.faces),))

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def empty(cls) -> Tracks:
        """No tracked faces."""
        return cls(np.zeros(0, np.int64), Faces.empty())


@dataclass(frozen=True, slots=True)
class Predictions:
    """What the classifier says of N crops, or the smoothing of N tracks.

    Attributes:
        classes: names of the C classes, in the order of the network's outputs.
        probabilities: float32, shape (N, C), rows sum to 1.
    """

    classes: tuple[str, ...]
    probabilities: F32

    def __post_init__(self) -> None:
        _check("probabilities", self.probabilities, np.float32, (None, len(self.classes)))

    def __len__(self) -> int:
        return len(self.probabilities)

    @property
    def confidences(self) -> F32:
        """float32, shape (N,): the highest class probability of each row."""
        if not len(self):
            return np.zeros(0, np.float32)
        return np.asarray(self.probabilities.max(axis=1), np.float32)

    def labels(self, threshold: float) -> tuple[str, ...]:
        """The class name of each row, or ``unsure`` where its confidence is below ``threshold``."""
        return tuple(
            self.classes[int(row.argmax())] if row.max() >= threshold else UNSURE
            for row in self.probabilities
        )


@dataclass(frozen=True, slots=True)
class FrameResult:
    """Everything that is known of one frame once it has been through the pipeline.

    Attributes:
        index: position of the frame in its source.
        pts_s: presentation time in seconds.
        tracks: the N tracked faces.
        predictions: class probabilities of the N tracks, smoothed.
        labels: N shown labels: a class name or ``unsure``.
        quality: float32, shape (N,): how much a crop of this face can tell, in [0, 1].
    """

    index: int
    pts_s: float
    tracks: Tracks
    predictions: Predictions
    labels: tuple[str, ...]
    quality: F32

    def __post_init__(self) -> None:
        n = len(self.tracks)
        _check("quality", self.quality, np.float32, (n,))
        if len(self.predictions) != n or len(self.labels) != n:
            raise ValueError(
                f"{n} tracks with {len(self.predictions)} predictions and {len(self.labels)} labels"
            )
