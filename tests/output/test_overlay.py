from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gclf_live.output.overlay import Overlay, label_colour
from gclf_live.records import U8, UNSURE, FrameResult

MakeResult: TypeAlias = Callable[..., FrameResult]

CLASSES = ("female", "male")


def _picture(width: int = 640, height: int = 360) -> U8:
    return np.full((height, width, 3), 200, np.uint8)


def _changed(image: U8) -> U8:
    return np.asarray((image != 200).any(axis=2))


def _has_colour(image: U8, colour: tuple[int, int, int]) -> bool:
    return bool((image == colour).all(axis=2).any())


def test_no_faces_leave_the_picture_alone(make_result: MakeResult) -> None:
    image = _picture()
    Overlay().draw(image, make_result([]))
    assert not _changed(image).any()


def test_box_has_the_colour_of_its_label_and_leaves_the_face_visible(make_result: MakeResult) -> None:
    image = _picture()
    Overlay().draw(image, make_result([(200, 100, 300, 220)], labels=["male"]))
    assert tuple(image[219, 250]) == label_colour("male", CLASSES)
    assert tuple(image[150, 200]) == label_colour("male", CLASSES)
    assert tuple(image[150, 299]) == label_colour("male", CLASSES)
    assert not _changed(image)[105:215, 205:295].any()


def test_label_sits_above_the_box_and_below_at_the_top_edge(make_result: MakeResult) -> None:
    for top, rows in ((100, slice(80, 98)), (0, slice(122, 140))):
        image = _picture()
        Overlay().draw(image, make_result([(200, top, 300, top + 120)]))
        plate = image[rows, 205:260]
        assert _has_colour(plate, label_colour("female", CLASSES)), f"box at row {top}"
    image = _picture()
    Overlay().draw(image, make_result([(200, 0, 300, 360)]))
    assert _has_colour(image[5:15, 210:260], label_colour("female", CLASSES)), "box as high as the picture"


def test_label_at_the_right_edge_is_moved_in_and_stays_whole(make_result: MakeResult) -> None:
    middle, edge = _picture(), _picture()
    Overlay().draw(middle, make_result([(300, 100, 330, 220)]))
    Overlay().draw(edge, make_result([(610, 100, 640, 220)]))
    rows = _changed(middle)[:98].any(axis=1)
    width = int(_changed(middle)[:98].any(axis=0).sum())
    assert width > 40
    assert np.array_equal(middle[:98][rows[:98], 300 : 300 + width], edge[:98][rows[:98], 640 - width :])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    width=st.integers(1, 300),
    height=st.integers(1, 200),
    box=st.lists(
        st.one_of(st.floats(-400, 400, width=32), st.sampled_from([np.inf, -np.inf, np.nan, 3e38])),
        min_size=4,
        max_size=4,
    ),
)
def test_nothing_is_drawn_outside_the_picture(
    make_result: MakeResult, width: int, height: int, box: list[float]
) -> None:
    whole = _picture(width + 20, height + 20)
    image = whole[10:-10, 10:-10]
    overlay = Overlay(track_ids=True)
    overlay.draw(image, make_result([box]), status="29.8 fps  41 ms")
    overlay.draw_help(image)
    whole[10:-10, 10:-10] = 200
    assert not _changed(whole).any()


def test_mirrored_view_is_drawn_like_a_copy(make_result: MakeResult) -> None:
    mirrored = _picture()[:, ::-1]
    copy = mirrored.copy()
    for image in (mirrored, copy):
        Overlay().draw(image, make_result([(50, 60, 200, 220)]), status="live")
    assert _changed(copy).any()
    assert np.array_equal(mirrored, copy)


def test_confidence_of_the_shown_label_is_written(make_result: MakeResult) -> None:
    """A label that hysteresis still holds is shown with its own probability, not with the winner's."""

    def drawn(probabilities: list[float], label: str) -> bytes:
        image = _picture()
        Overlay().draw(
            image, make_result([(200, 100, 300, 220)], labels=[label], probabilities=[probabilities])
        )
        return image.tobytes()

    assert drawn([0.45, 0.55], "female") == drawn([0.45, 0.2], "female")
    assert drawn([0.45, 0.55], "female") != drawn([0.55, 0.45], "female")
    assert drawn([0.55, 0.45], UNSURE) == drawn([0.51, 0.49], UNSURE)


def test_certainty_is_never_claimed(make_result: MakeResult) -> None:
    images = []
    for probability in (0.99, 1.0):
        image = _picture()
        Overlay().draw(
            image, make_result([(200, 100, 300, 220)], probabilities=[[probability, 1 - probability]])
        )
        images.append(image)
    assert np.array_equal(*images)


def test_track_number_widens_the_label(make_result: MakeResult) -> None:
    plain, numbered = _picture(), _picture()
    Overlay().draw(plain, make_result([(200, 100, 300, 220)]))
    Overlay(track_ids=True).draw(numbered, make_result([(200, 100, 300, 220)]))
    assert _changed(numbered)[90].sum() > _changed(plain)[90].sum()


@pytest.mark.parametrize(("width", "height"), [(426, 240), (1280, 720), (3840, 2160)])
def test_label_is_readable_at_every_size(make_result: MakeResult, width: int, height: int) -> None:
    image = _picture(width, height)
    x, y, side = width // 3, height // 2, height // 3
    Overlay().draw(image, make_result([(x, y, x + side, y + side)]))
    column = _changed(image)[:, x + side // 3]
    plate_px = y - int(np.argmax(column))
    assert plate_px >= 13
    assert height / 40 <= plate_px <= height / 12


def test_status_line_is_in_the_bottom_left_corner(make_result: MakeResult) -> None:
    image = _picture()
    Overlay().draw(image, make_result([]), status="29.8 fps  41 ms")
    rows, columns = np.nonzero(_changed(image))
    assert (rows.max(), columns.min()) == (359, 0)
    assert rows.min() > 330
    assert columns.max() < 320


def test_help_panel_is_centred_and_fits_a_small_picture() -> None:
    for width, height in ((1280, 720), (426, 240), (320, 240)):
        image = _picture(width, height)
        Overlay().draw_help(image)
        rows, columns = np.nonzero(_changed(image))
        assert abs(int(rows.min()) - (height - 1 - int(rows.max()))) <= 1
        assert abs(int(columns.min()) - (width - 1 - int(columns.max()))) <= 1
        assert columns.min() > 0


def test_colours_of_classes_are_distinct_and_fixed() -> None:
    classes = ("child", "female", "adult", "male", "elder")
    colours = {label_colour(name, classes) for name in (*classes, UNSURE)}
    assert len(colours) == 6
    assert label_colour("female", classes) == label_colour("female", CLASSES)
    many = tuple(f"class{i}" for i in range(12))
    assert label_colour("class0", many) == label_colour("class5", many)
    assert label_colour("stranger", many) == label_colour(UNSURE, many)


@pytest.mark.parametrize("label", ["female", "male", UNSURE])
def test_text_stands_out_from_its_plate(make_result: MakeResult, label: str) -> None:
    image = _picture()
    Overlay().draw(image, make_result([(200, 100, 300, 220)], labels=[label]))
    plate = image[82:97, 205:240].reshape(-1, 3)
    luminances = sorted(
        _luminance(colour) for colour in (plate[plate.sum(1).argmin()], plate[plate.sum(1).argmax()])
    )
    # WCAG 2.2 asks for 4.5 : 1 of ordinary text.
    assert (luminances[1] + 0.05) / (luminances[0] + 0.05) >= 4.5


def _luminance(bgr: U8) -> float:
    c = bgr[::-1].astype(float) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


@pytest.mark.parametrize(
    "image", [np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3), np.float32), np.zeros((9, 9, 4), np.uint8)]
)
def test_wrong_picture_is_refused(make_result: MakeResult, image: U8) -> None:
    with pytest.raises(ValueError, match="must be writable uint8 HxWx3"):
        Overlay().draw(image, make_result([]))


def test_read_only_picture_is_refused(make_result: MakeResult) -> None:
    image = _picture()
    image.setflags(write=False)
    with pytest.raises(ValueError, match="read-only"):
        Overlay().draw(image, make_result([]))
