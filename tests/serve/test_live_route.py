"""Live connections: frames in, tracked and labelled faces out, the newest first."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from face_makers import Face, scene
from serve_makers import Serving, encoded, jpeg, serving, until
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from gclf_live.serve.limits import Limits

FACE_KEYS = {
    *("track_id", "x_px", "y_px", "width_px", "height_px", "detection_score", "quality"),
    *("label", "confidence", "p_female", "p_male"),
}


@pytest.fixture
def live(server: Serving) -> Iterator[ClientConnection]:
    with connect(server.live_url) as connection:
        yield connection


def answer(connection: ClientConnection) -> dict[str, Any]:
    document = json.loads(connection.recv(timeout=60))
    assert isinstance(document, dict)
    return document


def moving(step: int) -> bytes:
    return jpeg(scene(Face("collins", 120 + 4 * step, 120)))


def test_frame_is_answered_with_its_faces(live: ClientConnection) -> None:
    live.send(moving(0))
    document = answer(live)
    assert set(document) == {"frame", "width_px", "height_px", "faces", "latency_ms", "dropped"}
    assert (document["frame"], document["width_px"], document["height_px"]) == (0, 320, 240)
    assert document["latency_ms"] > 0
    (face,) = document["faces"]
    assert set(face) == FACE_KEYS
    assert abs(face["x_px"] + face["width_px"] / 2 - 120) < 15


def test_face_keeps_its_number_while_it_moves(live: ClientConnection) -> None:
    found = []
    for step in range(8):
        live.send(moving(step))
        document = answer(live)
        assert document["frame"] == step
        found += document["faces"]
    assert len(found) == 8
    assert len({face["track_id"] for face in found}) == 1
    places = [face["x_px"] for face in found]
    assert places == sorted(places)


def test_connections_do_not_share_tracks(server: Serving) -> None:
    with connect(server.live_url) as one, connect(server.live_url) as other:
        for step in range(3):
            one.send(moving(step))
            answer(one)
        other.send(jpeg(scene(Face("obama", 200, 120))))
        (face,) = answer(other)["faces"]
        assert face["track_id"] == 1
        one.send(moving(3))
        (face,) = answer(one)["faces"]
        assert abs(face["x_px"] + face["width_px"] / 2 - 132) < 15


def test_newest_frame_wins_and_the_others_are_counted(live: ClientConnection) -> None:
    for step in range(40):
        live.send(moving(step % 8))
    documents = [answer(live)]
    while documents[-1]["frame"] < 39:
        documents.append(answer(live))
    numbers = [document["frame"] for document in documents]
    assert numbers == sorted(set(numbers))
    assert documents[-1]["dropped"] == 40 - len(documents)
    assert documents[-1]["dropped"] > 0


def test_threshold_of_a_connection_is_set_by_text(live: ClientConnection) -> None:
    live.send(moving(0))
    assert answer(live)["faces"][0]["label"] != "unsure"
    live.send('{"threshold": 1}')
    live.send(moving(1))
    assert answer(live)["faces"][0]["label"] == "unsure"


def test_new_threshold_judges_the_same_tracks_anew(live: ClientConnection) -> None:
    live.send(jpeg(scene(Face("obama", 250, 120))))
    other = answer(live)["faces"][0]["track_id"]
    faces = []
    for step in range(12):  # the other one is held for a moment
        live.send(moving(step))
        faces.append(min(answer(live)["faces"], key=lambda face: face["x_px"]))
    for threshold in (1, 0.5):
        live.send(f'{{"threshold": {threshold}}}')
        live.send(moving(len(faces)))
        faces.append(min(answer(live)["faces"], key=lambda face: face["x_px"]))
    # Numbers that are not given anew: whoever begins anew begins with the first.
    assert {face["track_id"] for face in faces} == {faces[0]["track_id"]} != {other}
    before, strict, lax = faces[-3:]
    assert before["label"] != "unsure"
    assert strict["label"] == "unsure"
    assert lax["label"] == ("female" if lax["p_female"] > 0.5 else "male")


@pytest.mark.parametrize(
    "text", ["", "x", "[]", '{"threshold": 2}', '{"threshold": true}', '{"other": 1}', "1"]
)
def test_text_that_is_no_setting_is_told_so(live: ClientConnection, text: str) -> None:
    live.send(text)
    assert "threshold" in answer(live)["error"]
    live.send(moving(0))
    assert answer(live)["faces"]


@pytest.mark.parametrize("data", [b"", b"no picture", moving(0)[:3000]], ids=["nothing", "text", "half"])
def test_broken_frame_is_told_and_the_next_one_works(live: ClientConnection, data: bytes) -> None:
    live.send(data)
    document = answer(live)
    # Of half a JPEG a decoder may show the upper half.
    assert "error" in document or document["width_px"] == 320
    live.send(moving(0))
    document = answer(live)
    assert (document["frame"], len(document["faces"])) == (1, 1)


def test_frame_with_too_many_pixels_is_not_decoded(live: ClientConnection) -> None:
    live.send(encoded(np.zeros((4000, 4000, 3), np.uint8), "JPEG"))
    assert "megapixels" in answer(live)["error"]


def test_frame_with_too_many_bytes_ends_the_connection(weights: Path) -> None:
    with (
        serving(weights, limits=Limits(workers=1, live_frame_bytes=20_000)) as server,
        connect(server.live_url) as connection,
    ):
        connection.send(bytes(30_000))
        with pytest.raises(ConnectionClosed) as closed:
            connection.recv(timeout=60)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


def test_past_the_limit_a_connection_is_told_to_try_again_later(weights: Path) -> None:
    with serving(weights, limits=Limits(workers=1, live_connections=2)) as server:
        with connect(server.live_url) as first, connect(server.live_url) as second:
            for connection in (first, second):
                connection.send(moving(0))
                answer(connection)
            with connect(server.live_url) as third, pytest.raises(ConnectionClosed) as closed:
                third.recv(timeout=60)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1013
        until(lambda: "gclf_live_live_connections 0.0" in server.client.get("metrics").text)
        with connect(server.live_url) as again:
            again.send(moving(0))
            assert answer(again)["faces"]
