"""Pictures for a person who labels faces: one face large with the keys, or many with numbers."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from gclf_live.output.plates import Colour, PlateStyle, render_plate
from gclf_live.records import U8

_CARD_PX = (960, 760)
_FACE_PX = 520
_PAPER: Colour = (40, 40, 40)
_INK: Colour = (235, 235, 235)
_QUIET: Colour = (160, 160, 160)
_DONE: Colour = (115, 158, 0)
_TILE_PX, _GAP_PX, _COLUMNS = 116, 8, 10


def audit_card(
    face: U8 | None, *, heading: str, note: str, keys: Sequence[tuple[str, str]], done: float
) -> U8:
    """One face, enlarged, on a plain ground, so that nothing but it is judged.

    Args:
        face: uint8, shape (H, W, 3), BGR; None leaves its place empty.
        heading: above the face.
        note: below it.
        keys: each key and what it does.
        done: how much of the work is done, in [0, 1].

    Returns:
        uint8, shape (760, 960, 3), BGR.
    """
    width, height = _CARD_PX
    card = np.full((height, width, 3), _PAPER, np.uint8)
    _paste_middle(card, render_plate(heading, PlateStyle(26, _INK, _PAPER)), 18)
    card[68:74, 40 : width - 40] = (80, 80, 80)
    card[68:74, 40 : 40 + round((width - 80) * min(max(done, 0.0), 1.0))] = _DONE
    if face is not None:
        large = _fitted(face, _FACE_PX)
        top = 92 + (_FACE_PX - large.shape[0]) // 2
        left = (width - large.shape[1]) // 2
        card[top : top + large.shape[0], left : left + large.shape[1]] = large
    _paste_middle(card, render_plate(note or " ", PlateStyle(20, _QUIET, _PAPER)), 92 + _FACE_PX + 12)
    top = 92 + _FACE_PX + 52
    for row in _rows([_key_plate(key, words) for key, words in keys], width - 40):
        _paste_middle(card, row, top)
        top += row.shape[0] + 4
    return card


def numbered_sheet(faces: Sequence[U8], *, first: int) -> U8:
    """Faces in rows of ten, each with its number above it.

    Args:
        faces: uint8, shape (H, W, 3) each, BGR; at least one.
        first: number of the first.

    Returns:
        uint8, shape (H, W, 3), BGR.
    """
    columns = min(_COLUMNS, len(faces))
    number_px = render_plate("0", PlateStyle(18, _INK, _PAPER)).shape[0]
    cell_h, cell_w = _TILE_PX + number_px + _GAP_PX, _TILE_PX + _GAP_PX
    rows = -(-len(faces) // columns)
    sheet = np.full((rows * cell_h + _GAP_PX, columns * cell_w + _GAP_PX, 3), _PAPER, np.uint8)
    for position, face in enumerate(faces):
        top = _GAP_PX + position // columns * cell_h
        left = _GAP_PX + position % columns * cell_w
        plate = render_plate(str(first + position), PlateStyle(18, _INK, _PAPER))[:, :_TILE_PX]
        sheet[top : top + plate.shape[0], left : left + plate.shape[1]] = plate
        small = _fitted(face, _TILE_PX)
        sheet[top + number_px : top + number_px + small.shape[0], left : left + small.shape[1]] = small
    return sheet


def _fitted(image: U8, side_px: int) -> U8:
    """The picture in its shape, its longer side ``side_px``."""
    height, width = image.shape[:2]
    scale = side_px / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)


def _key_plate(key: str, words: str) -> U8:
    cap = render_plate(key, PlateStyle(22, _PAPER, _INK))
    text = render_plate(words, PlateStyle(22, _INK, _PAPER))
    return np.concatenate([cap, text, np.full((cap.shape[0], 18, 3), _PAPER, np.uint8)], axis=1)


def _rows(plates: Sequence[U8], width_px: int) -> list[U8]:
    """The plates side by side, in as many rows as they need."""
    rows: list[list[U8]] = [[]]
    for plate in plates:
        if rows[-1] and sum(each.shape[1] for each in rows[-1]) + plate.shape[1] > width_px:
            rows.append([])
        rows[-1].append(plate[:, :width_px])
    return [np.concatenate(row, axis=1) for row in rows if row]


def _paste_middle(card: U8, plate: U8, top: int) -> None:
    """Put a plate in the middle of a row; what does not fit is cut off."""
    plate = plate[: max(0, card.shape[0] - top), : card.shape[1]]
    left = (card.shape[1] - plate.shape[1]) // 2
    card[top : top + plate.shape[0], left : left + plate.shape[1]] = plate
