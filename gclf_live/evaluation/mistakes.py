"""The worst mistakes: the most confident wrong answers, as pictures with words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from gclf_live.errors import SourceError
from gclf_live.evaluation.answers import Answers
from gclf_live.media.pictures import read_picture
from gclf_live.output.plates import PlateStyle, render_plate
from gclf_live.records import F32, U8
from gclf_live.wording import tidy_text

MOST_MISTAKES = 60
_TILE_PX = 180
_COLUMNS = 6
_GAP_PX = 8
_STYLE = PlateStyle(size_px=12, ink=(40, 40, 40), paper=(255, 255, 255))
_BOX_BGR = (26, 87, 194)


@dataclass(frozen=True, slots=True)
class Mistake:
    """One wrong answer.

    Attributes:
        file: path below the folder.
        label: the class that the picture's folder says.
        answer: the class that the classifier says.
        confidence: of the answer.
        thumbnail: uint8, shape (180, 180, 3), BGR: the whole picture with the face's box.
    """

    file: str
    label: str
    answer: str
    confidence: float
    thumbnail: U8


def worst_mistakes(answers: Answers, *, most: int = MOST_MISTAKES) -> list[Mistake]:
    """The wrong answers with the highest confidence, surest first; ``most`` at the most.

    The pictures are read again: keeping a thumbnail of every one would take more memory than it saves time.
    """
    confidence = answers.probabilities.max(axis=1)
    given = answers.probabilities.argmax(axis=1)
    wrong = np.flatnonzero(given != answers.targets)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:most]
    return [
        Mistake(
            file=tidy_text(answers.files[i]),
            label=tidy_text(answers.classes[int(answers.targets[i])]),
            answer=tidy_text(answers.classes[int(given[i])]),
            confidence=float(confidence[i]),
            thumbnail=_thumbnail(answers, i),
        )
        for i in worst.tolist()
    ]


def contact_sheet(mistakes: Sequence[Mistake]) -> U8:
    """All mistakes in one picture, six in a row, each above its file, label, answer and confidence.

    Returns:
        uint8, shape (H, W, 3), BGR. Without mistakes it says so.
    """
    if not mistakes:
        return _tile(np.full((_TILE_PX, _TILE_PX, 3), 255, np.uint8), ("no mistakes", ""))
    tiles = [_tile(each.thumbnail, _caption(each)) for each in mistakes]
    blank = np.full_like(tiles[0], 255)
    columns = min(_COLUMNS, len(tiles))
    rows = [tiles[start : start + columns] for start in range(0, len(tiles), columns)]
    rows[-1] += [blank] * (columns - len(rows[-1]))
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])


def _caption(mistake: Mistake) -> tuple[str, str]:
    return mistake.file, f"{mistake.label} > {mistake.answer} {100 * mistake.confidence:.1f} %"


def _tile(thumbnail: U8, lines: Iterable[str]) -> U8:
    """A thumbnail with a margin and lines of text below it."""
    width = _TILE_PX + 2 * _GAP_PX
    tile = np.full((_TILE_PX + 2 * _GAP_PX, width, 3), 255, np.uint8)
    tile[_GAP_PX : _GAP_PX + _TILE_PX, _GAP_PX : _GAP_PX + _TILE_PX] = thumbnail
    parts = [tile]
    for line in lines:
        plate = render_plate(_shortened(line), _STYLE)[:, :width]
        parts.append(np.pad(plate, ((0, 0), (0, width - plate.shape[1]), (0, 0)), constant_values=255))
    return np.concatenate(parts)


def _shortened(line: str, most: int = 26) -> str:
    """The line's end where it is too long: that of a path tells more than its beginning."""
    return line if len(line) <= most else f"…{line[1 - most :]}"


def _thumbnail(answers: Answers, index: int) -> U8:
    """The whole picture in a square; grey if it has become unreadable since it was classified."""
    canvas = np.full((_TILE_PX, _TILE_PX, 3), 236, np.uint8)
    try:
        image = read_picture(answers.folder / answers.files[index])
    except SourceError:
        return canvas
    scale = _TILE_PX / max(image.shape[:2])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)
    _draw_box(small, answers.boxes[index] * np.float32(scale))
    top, left = (_TILE_PX - size[1]) // 2, (_TILE_PX - size[0]) // 2
    canvas[top : top + size[1], left : left + size[0]] = small
    return canvas


def _draw_box(image: U8, box: F32) -> None:
    if np.isfinite(box).all():
        x1, y1, x2, y2 = np.rint(box).astype(int).tolist()
        cv2.rectangle(image, (x1, y1), (x2 - 1, y2 - 1), _BOX_BGR, 1)
