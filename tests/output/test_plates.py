from __future__ import annotations

import cv2
import numpy as np
import pytest

from gclf_live.output.plates import PlateStyle, font_folder, render_plate

STYLE = PlateStyle(20, (0, 0, 0), (255, 255, 255))


def test_plate_is_paper_with_ink_on_it() -> None:
    style = PlateStyle(20, (10, 20, 200), (200, 150, 0))
    plate = render_plate("female 97 %", style)
    colours = plate.reshape(-1, 3)
    assert (plate[0, 0] == (200, 150, 0)).all()
    assert (colours == (10, 20, 200)).all(axis=1).any()
    # Antialiased: letters have edges that are neither ink nor paper.
    assert len(np.unique(colours, axis=0)) > 10


@pytest.mark.parametrize("text", ["женский", "é Übung", "θηλυκό", "נקבה", "أنثى"])
def test_letters_beyond_ascii_are_not_empty_boxes(text: str) -> None:
    boxes = render_plate("\uffff" * len(text), STYLE)
    plate = render_plate(text, STYLE)
    assert plate.shape != boxes.shape or not np.array_equal(plate, boxes)
    assert len({render_plate(c, STYLE).tobytes() for c in set(text) if not c.isspace()}) == len(
        set(text) - {" "}
    )


@pytest.mark.skipif(not hasattr(cv2, "FontFace"), reason="OpenCV 4 carries no font for these scripts")
@pytest.mark.parametrize("pair", ["女男", "여남", "あん"])
def test_east_asian_letters_differ_from_one_another(pair: str) -> None:
    first, second = (render_plate(c, STYLE) for c in pair)
    assert first.shape[0] == second.shape[0]
    assert not np.array_equal(first, second)
    assert (first < 128).any()


def test_older_opencv_shows_empty_boxes_rather_than_failing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cv2, "FontFace", raising=False)
    style = STYLE._replace(size_px=21)  # A size that no other test has put into the cache.
    assert (render_plate("女", style) < 128).any()


def test_all_plates_of_a_size_have_one_height() -> None:
    assert len({render_plate(text, STYLE).shape[0] for text in ("a", "Ây", "female 97 %", "女", "")}) == 1


def test_number_that_changes_does_not_change_the_width() -> None:
    assert len({render_plate(f"female {n} %", STYLE).shape for n in range(50, 100)}) == 1


@pytest.mark.parametrize("text", ["two\nlines", "tab\t", "\x00", "\udcff"])
def test_what_cannot_be_printed_is_replaced(text: str) -> None:
    expected = "".join(c if c.isprintable() else "\ufffd" for c in text)
    assert np.array_equal(render_plate(text, STYLE), render_plate(expected, STYLE))


def test_shared_plate_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="read-only"):
        render_plate("x", STYLE)[0, 0] = 1


def test_memory_for_plates_is_bounded() -> None:
    for n in range(600):
        render_plate(str(n), PlateStyle(8, (0, 0, 0), (255, 255, 255)))
    assert render_plate.cache_info().currsize <= 512


def test_font_folder_holds_fonts() -> None:
    folder = font_folder()
    assert folder is not None
    assert list(folder.glob("*.ttf"))
