"""Where the labels of a frame go: none on another, and none jumps from frame to frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import TypeAlias

Box: TypeAlias = tuple[int, int, int, int]
"""x1, y1, x2, y2 in pixels, x2 and y2 exclusive."""

_MOST_REMEMBERED = 256


class Place(IntEnum):
    """The places beside and on a face's box, the best first."""

    ABOVE = 0
    BELOW = 1
    ABOVE_RIGHT = 2
    BELOW_RIGHT = 3
    RIGHT = 4
    LEFT = 5
    TOP_INSIDE = 6
    BOTTOM_INSIDE = 7


class LabelPlaces:
    """Chooses a place for each label, one frame after another.

    A label stands above its box, below it at the top edge of the picture. Where another label is there
    already, that of an older track, it takes the next place that is free and hides faces least, keeps it
    as long as it stays free, and goes back once there is room to spare. Where no place is free, the one on
    which least is hidden is taken.
    """

    def __init__(self, width_px: int, height_px: int) -> None:
        """Choose in pictures of this size."""
        self._size = (width_px, height_px)
        self._chosen: dict[int, Place] = {}

    def choose(
        self,
        ids: Sequence[int],
        boxes: Sequence[Box],
        sizes: Sequence[tuple[int, int]],
        *,
        taken: Iterable[Box] = (),
    ) -> list[tuple[int, int]]:
        """The left upper corners of the labels of one frame.

        Args:
            ids: the track of each of N faces; later tracks have larger numbers.
            boxes: of their faces.
            sizes: width and height of their labels, at most those of the picture.
            taken: what no label should hide.

        Returns:
            N columns and rows; every label lies in the picture.
        """
        placed = list(taken)
        corners: dict[int, tuple[int, int]] = {}
        for i in sorted(range(len(ids)), key=lambda index: ids[index]):
            others = [box for j, box in enumerate(boxes) if j != i]
            place, spot = self._choose_one(ids[i], boxes[i], sizes[i], placed, others)
            self._remember(ids[i], place)
            placed.append(spot)
            corners[i] = spot[:2]
        return [corners[i] for i in range(len(ids))]

    def _choose_one(
        self, track: int, box: Box, size: tuple[int, int], placed: list[Box], others: list[Box]
    ) -> tuple[Place, Box]:
        spots = self._spots(box, size)
        usual = next(place for place in (Place.ABOVE, Place.BELOW, Place.TOP_INSIDE) if place in spots)
        before = self._chosen.get(track, usual)
        spare = size[1] if before != usual else 0
        if self._has_room(spots[usual], spare, placed):
            return usual, spots[usual]
        if before in spots and not _covered(spots[before], placed):
            return before, spots[before]
        best = min(spots, key=lambda place: self._cost(spots[place], place, placed, [*others, box]))
        return best, spots[best]

    def _has_room(self, spot: Box, spare: int, placed: list[Box]) -> bool:
        grown = (spot[0] - spare, spot[1] - spare, spot[2] + spare, spot[3] + spare)
        return not _covered(grown, placed) and (not spare or (grown[1] >= 0 and grown[3] <= self._size[1]))

    def _cost(self, spot: Box, place: Place, placed: list[Box], faces: list[Box]) -> tuple[int, int, Place]:
        # In quarters of the label: a pixel more or less of a face is no reason to go elsewhere.
        area = max(1, (spot[2] - spot[0]) * (spot[3] - spot[1]))
        return _covered(spot, placed), 4 * _covered(spot, faces) // area, place

    def _spots(self, box: Box, size: tuple[int, int]) -> dict[Place, Box]:
        """The places that lie in the picture, at least that inside the box, which is moved there."""
        (x1, y1, x2, y2), (width, height), (columns, rows) = box, size, self._size
        corners = {Place.TOP_INSIDE: (x1, y1), Place.BOTTOM_INSIDE: (x1, y2 - height)}
        if y1 - height >= 0:
            corners |= {Place.ABOVE: (x1, y1 - height), Place.ABOVE_RIGHT: (x2 - width, y1 - height)}
        if y2 + height <= rows:
            corners |= {Place.BELOW: (x1, y2), Place.BELOW_RIGHT: (x2 - width, y2)}
        if x2 + width <= columns:
            corners[Place.RIGHT] = (x2, y1)
        if x1 - width >= 0:
            corners[Place.LEFT] = (x1 - width, y1)
        spots = {}
        for place, (x, y) in corners.items():
            left, top = max(0, min(x, columns - width)), max(0, min(y, rows - height))
            spots[place] = (left, top, left + width, top + height)
        return spots

    def _remember(self, track: int, place: Place) -> None:
        self._chosen.pop(track, None)
        self._chosen[track] = place
        if len(self._chosen) > _MOST_REMEMBERED:
            del self._chosen[next(iter(self._chosen))]  # the one that was not seen for longest


def _covered(spot: Box, boxes: Iterable[Box]) -> int:
    """Pixels of a rectangle that lie on others, those on several counted for each."""
    x1, y1, x2, y2 = spot
    return sum(
        (min(x2, bx2) - max(x1, bx1)) * (min(y2, by2) - max(y1, by1))
        for bx1, by1, bx2, by2 in boxes
        if bx1 < x2 and x1 < bx2 and by1 < y2 and y1 < by2
    )
