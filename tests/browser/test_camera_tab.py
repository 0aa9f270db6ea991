"""The Camera tab with a camera that shows the sample clip: boxes and labels over the right faces."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from browsing import Visit, violations
from drawn import FRAMES, all_right, frame_number, picture_of
from playwright.sync_api import Page, expect

from gclf_live.output.overlay import label_colour
from gclf_live.records import U8

SHARP = {"device_scale_factor": 2, "viewport": {"width": 1280, "height": 860}}
TWO_SECONDS = 60
"""In frames of the clip."""
CUT = 150
"""The frame from which someone of the other label stands at each place."""


def start(page: Page) -> None:
    page.get_by_role("button", name="Start camera").click()
    expect(page.get_by_label("Picture of the camera")).to_be_visible()


def stop(page: Page) -> None:
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("The camera is off")).to_be_visible()


def pictures(page: Page, *, mirror: bool = False, most_s: float = 40) -> Iterator[tuple[U8, int]]:
    """What the camera's stage shows, with the number of the frame, for a while."""
    stage = page.locator("#camera-stage")
    deadline_s = time.monotonic() + most_s
    while time.monotonic() < deadline_s:
        picture = picture_of(stage)
        if mirror:
            picture = np.ascontiguousarray(picture[:, ::-1])
        number = frame_number(picture)
        if number is not None:
            yield picture, number


def frames_until_right(page: Page) -> int:
    """How long after the first picture every face has its box and its label; given up after a few seconds."""
    first = None
    for picture, number in pictures(page):
        first = number if first is None else first
        passed = (number - first) % FRAMES
        if all_right(picture, number) or passed > 3 * TWO_SECONDS:
            return passed
    return FRAMES


def must_keep_up(is_right: bool, what: object = "") -> None:
    """Fail unless it is right; where so much else runs that nothing could keep up, say so instead."""
    load, most = os.getloadavg()[0], 4 * (os.cpu_count() or 1)
    if not is_right and load > most:
        pytest.skip(f"not live on a machine that is this busy: load {load:.1f}, above {most}; {what}")
    assert is_right, what


@pytest.mark.alone
@pytest.mark.slow
def test_every_face_has_its_box_and_its_label_within_two_seconds(visit: Visit) -> None:
    page = visit(**SHARP)
    page.get_by_role("button", name="Start camera").click()
    page.get_by_label("Mirror").uncheck()
    took = [frames_until_right(page)]
    # Where the camera starts near the cut, or the machine is busy, another time shows what it can do.
    while took[-1] > TWO_SECONDS and len(took) < 6:
        stop(page)
        start(page)
        took.append(frames_until_right(page))
    must_keep_up(min(took) <= TWO_SECONDS, f"frames until right: {took}")


@pytest.mark.alone
@pytest.mark.slow
def test_labels_follow_a_cut_within_two_seconds(visit: Visit) -> None:
    page = visit(**SHARP)
    start(page)
    page.get_by_label("Mirror").uncheck()
    after_cut = ((p, n) for p, n in pictures(page) if CUT < n <= CUT + TWO_SECONDS)
    must_keep_up(any(all_right(picture, number) for picture, number in after_cut))


@pytest.mark.alone
@pytest.mark.slow
def test_boxes_are_over_the_faces_in_the_mirror_too(visit: Visit) -> None:
    page = visit(**SHARP)
    start(page)
    expect(page.get_by_label("Mirror")).to_be_checked()
    must_keep_up(any(all_right(picture, number) for picture, number in pictures(page, mirror=True)))


def test_rate_latency_and_people_are_told_until_the_camera_is_stopped(visit: Visit) -> None:
    page = visit()
    start(page)
    expect(page.locator("#camera-people li").nth(1)).to_be_visible()
    expect(page.locator("#camera-people")).to_contain_text("male")
    assert int(page.locator("#camera-faces").inner_text()) >= 1
    assert float(page.locator("#camera-rate").inner_text()) > 0
    assert int(page.locator("#camera-latency").inner_text()) > 0
    expect(page.locator("#announcer")).to_contain_text("In the picture:")
    assert violations(page) == []
    stop(page)
    expect(page.locator("#camera-rate")).to_have_text("–")
    expect(page.get_by_role("button", name="Start camera")).to_be_focused()


def test_snapshot_has_the_cameras_size_and_the_boxes(visit: Visit, tmp_path: Path) -> None:
    page = visit()
    start(page)
    expect(page.locator("#camera-people li").nth(1)).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Snapshot").click()
    saved = tmp_path / download.value.suggested_filename
    download.value.save_as(saved)
    assert saved.suffix == ".jpg"
    picture = np.asarray(cv2.imread(str(saved)), np.uint8)
    assert picture.shape == (720, 1280, 3)
    # JPEG blurs outlines, but not the middle of a plate; the clip itself has none of its blue.
    blue = np.abs(picture.astype(np.int16) - label_colour("male", ("female", "male"))).max(axis=2) <= 20
    assert blue.sum() > 500


def test_camera_goes_off_when_its_tab_is_left(visit: Visit) -> None:
    page = visit()
    start(page)
    page.get_by_role("tab", name="Picture").click()
    page.get_by_role("tab", name="Camera").click()
    expect(page.get_by_text("The camera is off")).to_be_visible()
    assert page.evaluate("document.querySelector('#camera-video').srcObject") is None


# The browser hands over the camera, and then takes its time to name the cameras that there are.
SLOW_START = """
  const devices = navigator.mediaDevices;
  const [open, list] = [devices.getUserMedia.bind(devices), devices.enumerateDevices.bind(devices)];
  devices.getUserMedia = async (wanted) => (window.stream = await open(wanted));
  devices.enumerateDevices = () => new Promise((resolve) => { window.goOn = () => resolve(list()); });
"""


@pytest.mark.parametrize("leave", ["Stop", "Picture"])
def test_camera_that_is_stopped_while_it_starts_goes_off(visit: Visit, leave: str) -> None:
    page = visit(script=SLOW_START)
    page.get_by_role("button", name="Start camera").click()
    page.wait_for_function("() => window.goOn")
    page.get_by_role("button" if leave == "Stop" else "tab", name=leave).click()
    page.evaluate("window.goOn()")
    page.wait_for_function("() => window.stream.getTracks().every((track) => track.readyState === 'ended')")
    page.get_by_role("tab", name="Camera").click()
    expect(page.get_by_text("The camera is off")).to_be_visible()


def test_a_camera_that_is_refused_is_told_and_can_be_started_again(visit: Visit) -> None:
    page = visit(permissions=[])
    page.get_by_role("button", name="Start camera").click()
    expect(page.get_by_role("alert")).to_contain_text("The browser may not use the camera. Allow it")
    page.context.grant_permissions(["camera"])
    start(page)
    expect(page.get_by_role("alert")).to_be_hidden()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("NotFoundError", "No camera was found. Connect one"),
        ("NotReadableError", "The camera is busy: another program or page uses it."),
    ],
)
def test_a_camera_that_is_absent_or_busy_is_told(visit: Visit, name: str, words: str) -> None:
    # What browsers answer then; a machine has a camera or none, and cannot have both.
    refusing = f'navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("", "{name}"))'
    page = visit(script=refusing)
    page.get_by_role("button", name="Start camera").click()
    expect(page.get_by_role("alert")).to_contain_text(words)
    expect(page.get_by_role("button", name="Start camera")).to_be_visible()
    assert violations(page) == []
