"""Labels of neighbours: none on another, none off the picture, none jumping."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gclf_live.output.label_places import Box, LabelPlaces
from gclf_live.output.overlay import Overlay, label_colour
from gclf_live.records import FrameResult

WIDTH, HEIGHT = 640, 360
LABEL = (100, 20)


def _spots(corners: Sequence[tuple[int, int]]) -> list[Box]:
    return [(x, y, x + LABEL[0], y + LABEL[1]) for x, y in corners]


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _face(x: int, y: int, side: int = 60) -> Box:
    return (x, y, x + side, y + side)


def _choose(places: LabelPlaces, *boxes: Box, ids: Sequence[int] | None = None) -> list[tuple[int, int]]:
    numbers = list(range(1, len(boxes) + 1)) if ids is None else ids
    return places.choose(numbers, boxes, [LABEL] * len(boxes))


def test_label_alone_stands_above_its_box_and_at_the_top_edge_below() -> None:
    places = LabelPlaces(WIDTH, HEIGHT)
    assert _choose(places, _face(200, 100)) == [(200, 80)]
    assert _choose(places, _face(200, 5), ids=[7]) == [(200, 65)]


def test_of_two_labels_on_one_another_the_one_of_the_later_track_moves() -> None:
    first, second = _face(200, 100), _face(270, 105)
    assert _choose(LabelPlaces(WIDTH, HEIGHT), first, second) == [(200, 80), (270, 165)]
    assert _choose(LabelPlaces(WIDTH, HEIGHT), second, first, ids=[2, 1]) == [(270, 165), (200, 80)]


@pytest.mark.parametrize("count", [4, 9])
def test_rows_of_neighbours_all_find_a_place(count: int) -> None:
    boxes = [_face(10 + 65 * i, 150) for i in range(count)]
    spots = _spots(_choose(LabelPlaces(WIDTH, HEIGHT), *boxes))
    assert not any(_overlap(a, b) for a, b in itertools.combinations(spots, 2))


@settings(max_examples=200, deadline=None)
@given(
    boxes=st.lists(
        st.tuples(*(st.integers(-(10**6), 10**6) | st.integers(-50, 700) for _ in range(4))), max_size=12
    )
)
def test_no_label_leaves_the_picture(boxes: list[Box]) -> None:
    for x, y in _choose(LabelPlaces(WIDTH, HEIGHT), *boxes):
        assert 0 <= x <= WIDTH - LABEL[0]
        assert 0 <= y <= HEIGHT - LABEL[1]


def test_label_does_not_jump_while_boxes_tremble_where_labels_touch() -> None:
    places, generator = LabelPlaces(WIDTH, HEIGHT), np.random.default_rng(2)
    sides: list[bool] = []
    for _ in range(200):
        dx, dy = generator.integers(-3, 4, 2).tolist()
        _, (_, y) = _choose(places, _face(200, 100), _face(300 + dx, 100 + dy))
        sides.append(y > 100)
    assert sum(a != b for a, b in itertools.pairwise(sides)) == 1, "it gives way once"


def test_label_goes_back_above_once_there_is_room_to_spare() -> None:
    places = LabelPlaces(WIDTH, HEIGHT)
    below, above = (280, 160), 80
    assert _choose(places, _face(200, 100), _face(280, 100))[1] == below
    assert _choose(places, _face(200, 100), _face(305, 100))[1][1] == below[1], "free, but only just"
    assert _choose(places, _face(200, 100), _face(400, 100))[1][1] == above


def test_place_is_remembered_over_frames_without_the_face() -> None:
    places = LabelPlaces(WIDTH, HEIGHT)
    first, second = _face(200, 100), _face(305, 100)
    _choose(places, first, _face(280, 100))
    moved = _choose(places, first, second)[1]
    _choose(places, first)
    assert _choose(places, first, second)[1] == moved


def test_what_is_taken_is_not_hidden() -> None:
    taken = (0, HEIGHT - 20, 150, HEIGHT)
    box = (10, 0, 70, HEIGHT - 20)
    ((x, y),) = LabelPlaces(WIDTH, HEIGHT).choose([1], [box], [LABEL], taken=[taken])
    assert not _overlap((x, y, x + LABEL[0], y + LABEL[1]), taken)


def test_both_labels_of_neighbours_are_whole_in_the_picture(make_result: Callable[..., FrameResult]) -> None:
    """Drawn together they colour as many pixels as one by one."""
    boxes = [(200, 100, 250, 160), (260, 104, 310, 164)]

    def coloured(*shown: int) -> int:
        image = np.full((HEIGHT, WIDTH, 3), 200, np.uint8)
        labels = [("female", "male")[i] for i in shown]
        Overlay().draw(image, make_result([boxes[i] for i in shown], labels=labels))
        papers = [label_colour(label, ("female", "male")) for label in labels]
        return sum(int((image == paper).all(axis=2).sum()) for paper in papers)

    assert coloured(0, 1) == coloured(0) + coloured(1)
