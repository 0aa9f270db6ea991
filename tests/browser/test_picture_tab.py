"""The Picture tab: dropped, pasted and chosen pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
from browsing import Visit, Watch, drop, paste, violations
from drawn import SAMPLES, Box, drawn_boxes, picture_of
from playwright.sync_api import Locator, Page, expect

PORTRAITS = SAMPLES / "portraits"
SHARP = {"device_scale_factor": 2, "viewport": {"width": 1280, "height": 860}}


def answer_of(server: str, path: Path) -> dict[str, object]:
    """What the API says of a picture."""
    with path.open("rb") as file:
        answer = httpx.post(f"{server}v1/predict", files={"file": (path.name, file)}, timeout=60)
    answer.raise_for_status()
    return answer.json()["pictures"][0]


def card(page: Page, name: str) -> Locator:
    return page.get_by_role("article", name=name)


def test_dropped_pictures_get_boxes_labels_and_probabilities(visit: Visit, server: str) -> None:
    page = visit(tab="picture", **SHARP)
    drop(page, "#picture-drop", PORTRAITS / "collins.jpg", PORTRAITS / "obama.jpg")
    expect(page.locator("#picture-total")).to_have_text("2 pictures, 2 faces: 1 female, 1 male")
    for name, label in (("collins.jpg", "female"), ("obama.jpg", "male")):
        said = answer_of(server, PORTRAITS / name)
        (face,) = said["faces"]
        row = card(page, name).get_by_role("listitem")
        expect(row).to_contain_text(f"{label} {min(99, round(100 * face['confidence']))} %")
        expect(row).to_contain_text(f"{100 * face[f'p_{label}']:.1f} %")
        shown = picture_of(card(page, name).locator(".stage"))
        (box,) = drawn_boxes(shown, width_px=said["width_px"])
        x, y, width, height = (face[key] for key in ("x_px", "y_px", "width_px", "height_px"))
        assert box.distance_px(Box(label, x, y, x + width, y + height)) < 6
        assert box.label == label


def test_a_picture_dropped_on_another_tab_opens_this_one(visit: Visit) -> None:
    page = visit(tab="video")
    drop(page, "#video-drop", PORTRAITS / "hopper.jpg")
    expect(page.get_by_role("tab", name="Picture")).to_have_attribute("aria-selected", "true")
    expect(card(page, "hopper.jpg")).to_contain_text("1 face")


def test_a_pasted_picture_is_labelled(visit: Visit) -> None:
    page = visit(tab="picture")
    paste(page, PORTRAITS / "biden.jpg")
    expect(card(page, "biden.jpg")).to_contain_text("1 face: male")


def test_what_is_no_picture_is_told_and_the_others_are_labelled(
    visit: Visit, watch: Watch, tmp_path: Path
) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no picture", "utf-8")
    empty = tmp_path / "wall.png"
    cv2.imwrite(str(empty), np.full((120, 160, 3), 140, np.uint8))
    watch.expected.append("the server responded with a status of 4")
    page = visit(tab="picture")
    page.locator("#picture-input").set_input_files([text, empty, PORTRAITS / "obama_speaking.jpg"])
    expect(page.locator("#picture-total")).to_have_text("3 pictures, 1 without an answer, 1 face: male")
    expect(card(page, "notes.txt").locator(".problem")).to_contain_text("notes.txt")
    expect(card(page, "wall.png")).to_contain_text("No face found")
    page.get_by_role("button", name="Remove notes.txt").click()
    expect(page.get_by_role("article")).to_have_count(2)
    page.get_by_role("button", name="Clear all").click()
    expect(page.get_by_role("article")).to_have_count(0)
    expect(page.locator("#picture-bar")).to_be_hidden()


def test_a_picture_that_the_browser_cannot_show_is_shown_annotated(visit: Visit, tmp_path: Path) -> None:
    tiff = tmp_path / "portrait.tif"
    cv2.imwrite(str(tiff), cv2.imread(str(PORTRAITS / "collins.jpg")))
    page = visit(tab="picture")
    page.locator("#picture-input").set_input_files(tiff)
    expect(card(page, "portrait.tif")).to_contain_text("1 face: female")
    expect(card(page, "portrait.tif").get_by_role("img")).to_be_visible()


def test_the_annotated_picture_is_downloaded_at_full_size(visit: Visit, tmp_path: Path) -> None:
    page = visit(tab="picture")
    page.locator("#picture-input").set_input_files(PORTRAITS / "collins.jpg")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download collins.jpg annotated").click()
    saved = tmp_path / download.value.suggested_filename
    download.value.save_as(saved)
    assert saved.stem == "collins-annotated"
    annotated = np.asarray(cv2.imread(str(saved)), np.int16)
    plain = np.asarray(cv2.imread(str(PORTRAITS / "collins.jpg")), np.int16)
    assert annotated.shape == plain.shape
    assert (np.abs(annotated - plain).max(axis=2) > 100).any(), "nothing is drawn on it"


def test_pointing_at_a_face_in_the_list_shows_it_in_the_picture(visit: Visit) -> None:
    page = visit(tab="picture")
    page.locator("#picture-input").set_input_files(PORTRAITS / "collins.jpg")
    row = card(page, "collins.jpg").get_by_role("listitem")
    row.focus()
    expect(row).to_have_class("face chosen")
    row.blur()
    expect(row).to_have_class("face")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_to_object_to_in_results(
    visit: Visit, watch: Watch, tmp_path: Path, theme: str
) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no picture", "utf-8")
    watch.expected.append("the server responded with a status of 4")
    page = visit(tab="picture", color_scheme=theme)
    page.locator("#picture-input").set_input_files([PORTRAITS / "collins.jpg", text])
    expect(page.locator("#picture-total")).to_have_text("2 pictures, 1 without an answer, 1 face: female")
    assert violations(page) == []
