"""Pictures over HTTP: the answers of ``predict``, one or many, as a form or as they are."""

from __future__ import annotations

import io
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from command_answers import Command
from face_makers import PORTRAITS
from PIL import Image
from serve_makers import Serving, encoded, jpeg, two_faces


def test_answer_is_that_of_the_command(
    server: Serving, command: Command, weights: Path, tmp_path: Path
) -> None:
    (tmp_path / "two.png").write_bytes(encoded(two_faces(), "PNG"))
    told = command(
        *("predict", "--json", "--device", "cpu", "--weights", weights, "--threshold", "0"),
        tmp_path / "two.png",
    ).document
    answer = server.send((tmp_path / "two.png").read_bytes(), "two.png")
    assert answer.status_code == 200
    assert len(told["pictures"][0]["faces"]) == 2
    told["pictures"][0]["path"] = "two.png"
    got = answer.json()
    for face, expected in zip(got["pictures"][0]["faces"], told["pictures"][0]["faces"], strict=True):
        assert list(face) == list(expected)
        # A batch of another size rounds otherwise where the processor computes in bfloat16.
        for name in ("confidence", "p_female", "p_male"):
            assert face.pop(name) == pytest.approx(expected.pop(name), abs=0.02)
        face.pop("label"), expected.pop("label")
    assert got == told


def test_raw_body_is_a_picture_whatever_its_type_says(server: Serving) -> None:
    form = server.send(jpeg(two_faces())).json()["pictures"][0]
    for kind in ("image/jpeg", "application/x-www-form-urlencoded", "text/plain", ""):
        headers = {"content-type": kind} if kind else {}
        answer = server.client.post("v1/predict", content=jpeg(two_faces()), headers=headers)
        (picture,) = answer.json()["pictures"]
        assert len(picture["faces"]) == len(form["faces"]) == 2


def test_many_pictures_come_back_in_order_and_a_broken_one_has_its_own_error(server: Serving) -> None:
    files = [("file", (f"{i}.jpg", jpeg(two_faces()[:, : 200 + 20 * i]))) for i in range(5)]
    files.insert(2, ("file", ("broken.jpg", b"no picture")))
    answer = server.client.post("v1/predict", files=files)
    assert answer.status_code == 200
    pictures = answer.json()["pictures"]
    assert [p["path"] for p in pictures] == ["0.jpg", "1.jpg", "broken.jpg", "2.jpg", "3.jpg", "4.jpg"]
    assert [p["width_px"] for p in pictures if "error" not in p] == [200, 220, 240, 260, 280]
    assert set(pictures[2]) == {"path", "error"}
    assert "'broken.jpg'" in pictures[2]["error"]


def test_threshold_of_a_request_holds_for_it_alone(server: Serving) -> None:
    sure = server.send(jpeg(two_faces()), to="v1/predict?threshold=1").json()
    assert {face["label"] for face in sure["pictures"][0]["faces"]} == {"unsure"}
    usual = server.send(jpeg(two_faces())).json()
    assert "unsure" not in {face["label"] for face in usual["pictures"][0]["faces"]}
    in_form = server.send(jpeg(two_faces()), threshold="1").json()
    assert in_form["pictures"][0]["faces"] == sure["pictures"][0]["faces"]


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ("threshold=2", "threshold is '2'; allowed is a number from 0 to 1"),
        ("threshold=high", "threshold is 'high'; allowed is a number from 0 to 1"),
        ("treshold=0.9", "there is no parameter 'treshold'; allowed: threshold"),
        ("privacy=true", "there is no parameter 'privacy'; allowed: threshold"),
    ],
)
def test_parameters_that_cannot_be_are_refused(server: Serving, query: str, line: str) -> None:
    for address in ("v1/predict", "v1/annotate"):
        in_address = server.send(jpeg(two_faces()), to=f"{address}?{query}")
        name, _, value = query.partition("=")
        in_form = server.send(jpeg(two_faces()), to=address, **{name: value})
        for answer in (in_address, in_form):
            assert (answer.status_code, answer.json()) == (422, {"error": line})


def test_video_is_sent_where_it_belongs(server: Serving) -> None:
    clip = (PORTRAITS.parent.parent / "samples" / "clip.mp4").read_bytes()
    answer = server.send(clip, "clip.mp4")
    assert answer.status_code == 415
    assert answer.json()["error"].startswith(
        "'clip.mp4' is a video. It belongs under Video; programs send it to /v1/jobs"
    )


def test_picture_in_the_boxes_of_a_video_is_a_picture(server: Serving) -> None:
    heic = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(1000)
    answer = server.send(heic, "a.heic")
    assert answer.status_code == 415
    assert answer.json()["error"].startswith(
        "cannot read 'a.heic' as a picture: it is none in a known format"
    )


def test_wrong_addresses_and_methods_are_answered_in_our_words(server: Serving) -> None:
    answer = server.client.get("v1/predict")
    assert answer.status_code == 405
    assert answer.json()["error"] == "GET does not go with this address; allowed: POST; see /docs"
    answer = server.client.get("v1/nothing")
    assert (answer.status_code, answer.json()) == (
        404,
        {"error": "there is no address '/v1/nothing'; see /docs"},
    )
    answer = server.client.get(f"{'x' * 500}%3Fa%0Ab")
    assert answer.json()["error"] == f"there is no address '/{'x' * 99}'; see /docs"


@pytest.mark.parametrize(
    ("method", "address", "allowed"),
    [
        ("PUT", "v1/jobs/some", "DELETE, GET"),
        ("PUT", "v1/jobs", "POST"),
        ("DELETE", "v1/jobs/some/events", "GET"),
        ("POST", "docs", "GET"),
        ("POST", "static/app.js", "GET, HEAD"),
    ],
)
def test_wrong_method_is_told_every_right_one(
    server: Serving, method: str, address: str, allowed: str
) -> None:
    answer = server.client.request(method, address)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    line = f"{method} does not go with this address; allowed: {allowed}; see /docs"
    assert answer.json() == {"error": line}


def test_live_address_without_a_websocket_says_that_it_is_one(server: Serving) -> None:
    answer = server.client.get("v1/live")
    assert (answer.status_code, answer.headers["upgrade"]) == (426, "websocket")
    assert answer.json()["error"].startswith("this address takes live connections only")


def test_api_document_says_what_is_answered(server: Serving) -> None:
    document = server.client.get("openapi.json").json()
    assert "HTTPValidationError" not in document["components"]["schemas"]
    for address, names in (("/v1/predict", ["threshold"]), ("/v1/jobs", ["threshold", "privacy"])):
        post = document["paths"][address]["post"]
        assert [each["name"] for each in post["parameters"]] == names
        error = post["responses"]["default"]["content"]["application/json"]["schema"]
        assert error == {"$ref": "#/components/schemas/ErrorAnswer"}


def test_annotated_picture_has_boxes_where_the_faces_are(server: Serving) -> None:
    image = two_faces()
    answer = server.send(jpeg(image), to="v1/annotate")
    assert answer.headers["content-type"] == "image/jpeg"
    drawn = np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB"))[:, :, ::-1].astype(int)
    assert drawn.shape == image.shape
    changed = np.abs(drawn - image).max(axis=2) > 60
    faces = server.send(jpeg(image)).json()["pictures"][0]["faces"]
    for face in faces:
        left, middle = round(face["x_px"]), round(face["y_px"] + face["height_px"] / 2)
        assert changed[middle, max(0, left - 1) : left + 3].any()
    assert changed.mean() < 0.2


def test_annotate_takes_one_picture(server: Serving) -> None:
    files = [("file", ("a.jpg", jpeg(two_faces())))] * 2
    assert server.client.post("v1/annotate", files=files).status_code == 400


def test_picture_without_a_face_has_none(server: Serving) -> None:
    (picture,) = server.send(jpeg(np.full((64, 64, 3), 90, np.uint8))).json()["pictures"]
    assert picture["faces"] == []


def test_many_clients_get_each_their_own_answer(server: Serving) -> None:
    widths = [120 + 10 * i for i in range(12)]

    def ask(width: int) -> int:
        answer = server.send(jpeg(two_faces()[:, :width]), f"{width}.jpg")
        (picture,) = answer.json()["pictures"]
        assert picture["path"] == f"{width}.jpg"
        return int(picture["width_px"])

    with ThreadPoolExecutor(len(widths)) as threads:
        assert list(threads.map(ask, widths)) == widths


def test_names_that_are_no_ascii_come_back(server: Serving) -> None:
    answer = server.send(jpeg(two_faces()), "Übung 你好 ’🎬.jpg")
    assert answer.json()["pictures"][0]["path"] == "Übung 你好 ’🎬.jpg"
    assert json.loads(answer.content)


def test_portraits_are_sent_as_they_are_stored(server: Serving) -> None:
    for path in sorted(PORTRAITS.glob("*.jpg")):
        (picture,) = server.send(path.read_bytes(), path.name).json()["pictures"]
        assert (picture["path"], len(picture["faces"])) == (path.name, 1)
