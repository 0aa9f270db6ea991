"""Running a classifier over a folder: order, face height, and what has no face or cannot be read."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from evaluation_makers import face_picture, make_dataset
from face_makers import CLASSES, ColourClassifier
from PIL import Image

from gclf_live.errors import DatasetError
from gclf_live.evaluation.answers import Answers, classify_pictures
from gclf_live.evaluation.cutting import FaceSearch
from gclf_live.evaluation.labelled import list_pictures
from gclf_live.media.pictures import write_picture
from gclf_live.records import U8

PLAIN: U8 = np.full((120, 120, 3), 128, np.uint8)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_dataset(tmp_path / "data")


def _classify(data: Path, search: FaceSearch = FaceSearch.DETECT, workers: int = 2) -> Answers:
    return classify_pictures(list_pictures(data, CLASSES), ColourClassifier(), search=search, workers=workers)


def test_answers_are_those_of_the_faces(data: Path) -> None:
    write_picture(data / "male" / "a woman.png", face_picture(red=True))
    answers = _classify(data)
    assert answers.files == ("female/0.png", "female/1.png", "male/0.png", "male/1.png", "male/a woman.png")
    assert answers.targets.tolist() == [0, 0, 1, 1, 1]
    assert answers.probabilities.argmax(axis=1).tolist() == [0, 0, 1, 1, 0]
    assert answers.missing == answers.unreadable == ()


def test_faceless_and_unreadable_pictures_are_told_apart(data: Path) -> None:
    write_picture(data / "female" / "00 plain.png", PLAIN)
    (data / "male" / "0 broken.jpg").write_bytes(b"no picture")
    (data / "male" / "empty.jpg").write_bytes(b"")
    answers = _classify(data)
    assert len(answers.files) == len(answers.targets) == len(answers.probabilities) == len(answers.boxes) == 4
    assert answers.missing == ("female/00 plain.png",)
    assert [each.file for each in answers.unreadable] == ["male/0 broken.jpg", "male/empty.jpg"]
    assert "no picture in a known format" in answers.unreadable[0].reason
    assert "empty" in answers.unreadable[1].reason


def test_truncated_picture_is_unreadable_not_faceless(data: Path) -> None:
    path = data / "male" / "cut.jpg"
    write_picture(path, face_picture(red=False))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert [each.file for each in _classify(data).unreadable] == ["male/cut.jpg"]


@pytest.mark.parametrize("scale", [1, 11])
def test_face_height_is_in_pixels_of_the_original(tmp_path: Path, scale: int) -> None:
    data = make_dataset(tmp_path / "data", each=1)
    image = cv2.resize(face_picture(red=True, height_px=100), None, fx=scale, fy=scale)
    cv2.imwrite(str(data / "female" / "0.png"), image)
    answers = _classify(data)
    assert answers.face_height_px[0] == pytest.approx(100 * scale, rel=0.15)
    middle = (answers.boxes[0, :2] + answers.boxes[0, 2:]) / 2
    assert middle.tolist() == pytest.approx([120 * scale, 120 * scale], rel=0.1)


def test_turned_photo_is_measured_upright(tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "data", each=1)
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = Image.fromarray(face_picture(red=True)[:, :, ::-1].copy())
    upright.transpose(Image.Transpose.ROTATE_90).save(data / "female" / "1.png", exif=exif)
    answers = _classify(data)
    plain, turned = answers.boxes[:2]
    assert turned.tolist() == pytest.approx(plain.tolist(), abs=1)


def test_tight_crop_is_found_by_its_border(tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "data", each=1)
    x1, y1, x2, y2 = np.rint(_classify(data).boxes[0]).astype(int).tolist()
    write_picture(data / "female" / "tight.png", face_picture(red=True)[y1:y2, x1:x2].copy())
    answers = _classify(data)
    assert answers.files == ("female/0.png", "female/tight.png", "male/0.png")
    assert answers.face_height_px[1] == pytest.approx(float(answers.face_height_px[0]), rel=0.2)


def test_whole_pictures_need_no_face_and_have_no_height(data: Path) -> None:
    write_picture(data / "female" / "plain.png", PLAIN)
    write_picture(data / "female" / "tiny.png", PLAIN[:5, :7].copy())
    answers = _classify(data, FaceSearch.WHOLE)
    assert len(answers.files) == 6
    assert answers.missing == ()
    assert np.isnan(answers.face_height_px).all()


def test_order_does_not_depend_on_workers_and_all_batches_are_full(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for label in CLASSES:
        (data / label).mkdir(parents=True)
        for i in range(75):
            red = (i % 3 == 0) == (label == "female")
            tint = (40, 60, 220) if red else (220, 60, 40)
            write_picture(data / label / f"{i:03}.png", np.full((8 + i, 8 + i, 3), tint, np.uint8))
    pictures = list_pictures(data, CLASSES)
    told: list[tuple[int, int | None]] = []
    classifier = ColourClassifier()
    many = classify_pictures(
        pictures,
        classifier,
        search=FaceSearch.WHOLE,
        workers=4,
        advance=lambda done, total: told.append((done, total)),
    )
    one = classify_pictures(pictures, ColourClassifier(), search=FaceSearch.WHOLE, workers=1)
    assert classifier.batches == [64, 64, 22]
    assert told == [(done, 150) for done in range(1, 151)]
    assert many.files == one.files == pictures.files
    assert (many.probabilities == one.probabilities).all()
    right = many.probabilities.argmax(axis=1) == many.targets
    assert right.tolist() == 2 * [i % 3 == 0 for i in range(75)]


def test_no_face_anywhere_is_an_error(tmp_path: Path) -> None:
    for label in CLASSES:
        (tmp_path / label).mkdir()
        write_picture(tmp_path / label / "1.png", PLAIN)
    with pytest.raises(DatasetError, match=r"no face was found in any of the 2 pictures.*--faces whole"):
        _classify(tmp_path)


def test_nothing_readable_is_an_error_with_the_reason(tmp_path: Path) -> None:
    for label in CLASSES:
        (tmp_path / label).mkdir()
        (tmp_path / label / "1.png").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"none of the 2 pictures .* can be read: .*empty"):
        _classify(tmp_path)


def test_failure_of_the_classifier_reaches_the_caller(data: Path) -> None:
    class Broken(ColourClassifier):
        def log_probabilities(self, crops: U8) -> np.ndarray:
            raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        classify_pictures(list_pictures(data, CLASSES), Broken())
