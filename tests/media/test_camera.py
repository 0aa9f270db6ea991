"""Cameras, with a fake at the seam where OpenCV's capture object is made."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from media_makers import plain

from gclf_live.errors import SourceError
from gclf_live.media.camera import list_cameras, open_camera


class FakeCapture:
    """A capture object that gives ``pictures`` and then fails."""

    def __init__(self, pictures: list[np.ndarray | None], *, opened: bool = True) -> None:
        self.pictures = list(pictures)
        self.opened = opened
        self.asked: dict[int, float] = {}
        self.released = False

    def isOpened(self) -> bool:  # noqa: N802
        return self.opened

    def read(self) -> tuple[bool, np.ndarray | None]:
        image = self.pictures.pop(0) if self.pictures else None
        return image is not None, image

    def set(self, prop: int, value: float) -> bool:
        self.asked[prop] = value
        return True

    def release(self) -> None:
        self.released = True


def _only(*indices: int) -> Callable[[int], FakeCapture]:
    return lambda index: FakeCapture([plain(64, 48, 9)], opened=index in indices)


def test_pictures_come_in_order_from_the_first_one() -> None:
    fake = FakeCapture([plain(64, 48, v) for v in (10, 20, 30)])
    camera = open_camera(0, factory=lambda index: fake)
    assert (camera.width_px, camera.height_px, camera.name) == (64, 48, "camera 0")
    assert [int(camera.read()[0, 0, 0]) for _ in range(3)] == [10, 20, 30]  # type: ignore[index]


def test_size_and_rate_are_asked_for() -> None:
    fake = FakeCapture([plain(64, 48, 0)])
    open_camera(0, width_px=640, height_px=360, fps=15, factory=lambda index: fake)
    wanted = (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FPS)
    assert [fake.asked[prop] for prop in wanted] == [640, 360, 15]


def test_missing_camera_names_those_that_are_there() -> None:
    with pytest.raises(SourceError) as caught:
        open_camera(7, factory=_only(0, 2))
    assert str(caught.value) == "cannot open camera 7: no such camera; cameras found: 0, 2. Try --camera 0"


def test_no_camera_at_all_points_to_files() -> None:
    with pytest.raises(SourceError, match=r"no cameras found\. .*--source FILE"):
        open_camera(0, factory=_only())


def test_cameras_are_listed_and_let_go() -> None:
    made: list[FakeCapture] = []

    def factory(index: int) -> FakeCapture:
        made.append(FakeCapture([], opened=index in {1, 4}))
        return made[-1]

    assert list_cameras(factory) == [1, 4]
    assert all(capture.released for capture in made)


def test_camera_that_gives_no_picture_is_released_and_told() -> None:
    fake = FakeCapture([])
    with pytest.raises(SourceError, match="camera 0 gives no picture"):
        open_camera(0, factory=lambda index: fake)
    assert fake.released


def test_camera_that_starts_slowly_is_waited_for() -> None:
    fake = FakeCapture([None, None, None, plain(64, 48, 77)])
    assert int(open_camera(0, factory=lambda index: fake).read()[0, 0, 0]) == 77  # type: ignore[index]


def test_single_lost_picture_is_passed_over() -> None:
    fake = FakeCapture([plain(64, 48, 1), None, plain(64, 48, 2)])
    camera = open_camera(0, factory=lambda index: fake)
    assert [int(camera.read()[0, 0, 0]) for _ in range(2)] == [1, 2]  # type: ignore[index]


def test_camera_that_vanishes_is_a_source_error() -> None:
    camera = open_camera(3, factory=lambda index: FakeCapture([plain(64, 48, 1)]))
    camera.read()
    with pytest.raises(SourceError, match="camera 3 stopped"):
        camera.read()


@pytest.mark.parametrize("shape", [(48, 64), (48, 64, 1), (48, 64, 4)])
def test_grey_and_four_channel_pictures_become_bgr(shape: tuple[int, ...]) -> None:
    fake = FakeCapture([np.full(shape, 50, np.uint8)])
    image = open_camera(0, factory=lambda index: fake).read()
    assert image is not None
    assert image.shape == (48, 64, 3)
    assert set(np.unique(image)) == {50}


def test_real_machine_without_that_camera_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SourceError, match="cannot open camera 63"):
        open_camera(63)
    assert capfd.readouterr() == ("", "")
