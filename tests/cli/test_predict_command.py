"""``predict``: pictures, folders, and the loop that asks for one path after another."""

from __future__ import annotations

import io
import os
import re
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from command_answers import Answer, Command
from face_makers import PORTRAITS, Face, scene
from PIL import Image

from gclf_live.media.pictures import write_picture
from gclf_live.output.rows import whole_percent

KEYS = {
    *("x_px", "y_px", "width_px", "height_px", "detection_score", "quality"),
    *("label", "confidence", "p_female", "p_male"),
}

Predict = Callable[..., Answer]


@pytest.fixture
def predict(command: Command, weights: Path) -> Predict:
    """Run ``predict`` with weights that mean nothing, and the threshold at 0 so that nobody is unsure."""

    def call(*arguments: object) -> Answer:
        return command("predict", "--device", "cpu", "--weights", weights, "--threshold", "0", *arguments)

    return call


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    write_picture(path, scene(Face("collins", 160, 120, 100)))
    return path


def test_document_has_the_documented_shape(predict: Predict, photo: Path) -> None:
    answer = predict("--json", photo)
    assert answer.code == 0
    assert set(answer.document) == {"pictures"}
    (picture,) = answer.document["pictures"]
    assert set(picture) == {"path", "width_px", "height_px", "faces"}
    assert (picture["path"], picture["width_px"], picture["height_px"]) == (str(photo), 320, 240)
    (face,) = picture["faces"]
    assert set(face) == KEYS
    assert face["confidence"] == max(face["p_female"], face["p_male"])


def test_eight_exif_orientations_give_the_same_answer(predict: Predict, tmp_path: Path) -> None:
    upright = Image.open(PORTRAITS / "collins.jpg").convert("RGB").resize((300, 360))
    # What turns a picture upright that is stored with this orientation, the other way round.
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    for orientation in range(1, 9):
        stored = upright.transpose(turns[orientation]) if orientation in turns else upright
        exif = Image.Exif()
        exif[0x0112] = orientation
        stored.save(tmp_path / f"{orientation}.png", exif=exif)
    pictures = predict("--json", tmp_path).document["pictures"]
    assert len(pictures) == 8
    assert [(p["width_px"], p["height_px"]) for p in pictures] == [(300, 360)] * 8
    assert len(pictures[0]["faces"]) == 1
    assert all(picture["faces"] == pictures[0]["faces"] for picture in pictures)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_any_name_works_and_comes_back_as_it_was(
    predict: Predict, photo: Path, tmp_path: Path, form: Literal["NFC", "NFD"]
) -> None:
    folder = tmp_path / unicodedata.normalize(form, "Übung 你好")
    folder.mkdir()
    odd = folder / unicodedata.normalize(form, "é’🎬.png")
    shutil.copy(photo, odd)
    answer = predict("--json", photo, odd)
    plain, other = answer.document["pictures"]
    assert other["path"] == str(odd)
    assert other["faces"] == plain["faces"]


def test_folder_stands_for_its_pictures(predict: Predict, photo: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a picture")
    write_picture(tmp_path / "a.png", scene())
    answer = predict(tmp_path)
    assert answer.code == 0
    first, second = answer.out.splitlines()
    assert first == f"{tmp_path / 'a.png'}: no face found"
    assert re.fullmatch(rf"{re.escape(str(photo))}: (Female|Male) \(\d+ %\)", second)


def test_several_faces_are_told_from_left_to_right(predict: Predict, tmp_path: Path) -> None:
    path = tmp_path / "two.png"
    write_picture(path, scene(Face("collins", 80, 120), Face("obama", 240, 120)))
    answer = predict(path)
    assert re.search(
        r": 2 faces, from the left: (Fem|M)ale \(\d+ %\), (Fem|M)ale \(\d+ %\)$", answer.out.strip()
    )


def test_unsure_is_said_as_such(command: Command, weights: Path, photo: Path) -> None:
    answer = command("predict", "--device", "cpu", "--weights", weights, "--threshold", "1", photo)
    assert ": unsure (" in answer.out


def test_what_fails_is_told_and_the_rest_is_done(predict: Predict, photo: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    answer = predict("--json", tmp_path / "none.jpg", tmp_path / "empty", tmp_path / "broken.jpg", photo)
    assert answer.code == 3
    assert [p["path"] for p in answer.document["pictures"]] == [str(photo)]
    told = [line for line in answer.err.splitlines() if "cpu" not in line]
    assert len(told) == 4
    assert all(line.startswith("gclf-live: ") for line in told)
    assert told[-1] == "gclf-live: 3 of 4 inputs failed; each has its line above"


def test_video_is_sent_to_annotate(predict: Predict, tmp_path: Path) -> None:
    (tmp_path / "talk.mp4").write_bytes(b"a video, for all that predict can tell")
    answer = predict(tmp_path / "talk.mp4")
    assert answer.code == 1
    assert "for a video there is gclf-live annotate" in answer.err


@pytest.mark.parametrize(("share", "percent"), [(0.994, 99), (0.9999, 99), (1.0, 99), (0.506, 51)])
def test_no_answer_claims_to_be_certain(share: float, percent: int) -> None:
    assert whole_percent(share) == percent


@pytest.mark.parametrize("name", ["none.jpg", "empty"])
def test_nothing_done_is_exit_code_1(predict: Predict, tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    answer = predict(tmp_path / name)
    assert answer.code == 1
    assert name in answer.err


def test_loop_understands_what_people_type_and_drop(
    predict: Predict,
    photo: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spaced = tmp_path / "my photo's.png"
    shutil.copy(photo, spaced)
    monkeypatch.setenv("HOME", str(tmp_path))
    typed = [
        str(photo),
        f"'{photo}'",
        f'"{spaced}"',
        f"  {photo}  ",
        "~/photo.png",
        f"file://{photo}",
        spaced.as_uri(),
        f"'{spaced.as_uri()}'",
        str(spaced).replace(" ", "\\ ").replace("'", "\\'"),
        str(spaced),
    ]
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}{os.linesep}" for line in typed) + "\nrest"))
    answer = predict()
    assert answer.code == 0
    told = [line.rsplit(": ", 1) for line in answer.out.splitlines()]
    assert len(told) == len(typed)
    assert {path for path, _ in told} == {str(photo), str(spaced)}
    assert all(re.fullmatch(r"(Female|Male) \(\d+ %\)", label) for _, label in told)
    assert answer.err.count("Picture") == len(typed) + 1


def test_loop_goes_on_after_a_bad_path_and_ends_with_the_input(
    predict: Predict,
    photo: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bad = ["none.jpg", "x" * 5000, "~nobody-of-that-name/a.jpg", "'unbalanced", str(photo.parent / "gone")]
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join([*bad, str(photo)])))
    answer = predict("--json")
    assert answer.code == 0
    assert [p["path"] for p in answer.document["pictures"]] == [str(photo)]
    assert answer.err.count("no such file") + answer.err.count("cannot read") >= len(bad)
    assert "Traceback" not in answer.err
    assert answer.err.endswith(": \n")  # what comes next stands on a line of its own


def test_typed_name_that_is_no_utf8_is_found(
    predict: Predict, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = photo.parent / "h\udce4ppchen.png"
    shutil.copy(photo, foreign)
    typed = io.TextIOWrapper(io.BytesIO(os.fsencode(foreign) + b"\n"), "utf-8")
    monkeypatch.setattr("sys.stdin", typed)
    answer = predict("--json")
    assert answer.code == 0
    assert len(answer.document["pictures"]) == 1
