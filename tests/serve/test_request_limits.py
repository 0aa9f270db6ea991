"""How much may be sent at once, and what is said to those who send more."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from serve_makers import Serving, jpeg, serving, two_faces, until, video_file

from gclf_live.serve.limits import Limits


@pytest.fixture(scope="module")
def narrow(weights: Path) -> Iterator[Serving]:
    """A server that accepts little."""
    limits = Limits(
        workers=1,
        picture_bytes=50_000,
        pictures_per_request=3,
        request_bytes=120_000,
        waiting_pictures=4,
        video_bytes=60_000,
        unfinished_jobs=1,
        stalled_upload_s=0.5,
    )
    with serving(weights, limits=limits) as running:
        yield running


def test_picture_with_too_many_bytes_is_refused(narrow: Serving) -> None:
    answer = narrow.send(bytes(60_000))
    assert answer.status_code == 413
    assert "0.05 MB" in answer.json()["error"]


def test_request_with_too_many_bytes_is_refused_however_it_is_sent(narrow: Serving) -> None:
    assert narrow.client.post("v1/predict", content=bytes(130_000)).status_code == 413

    def pieces() -> Iterator[bytes]:
        for _ in range(30):
            yield bytes(5_000)

    # Without a length in the header.
    assert narrow.client.post("v1/predict", content=pieces()).status_code == 413
    assert narrow.client.post("v1/jobs", content=bytes(300_000)).status_code == 413


@pytest.mark.parametrize("size", [60_000, 300_000], ids=["for a picture", "for a request"])
def test_video_that_is_too_large_for_a_picture_is_told_where_it_belongs(
    narrow: Serving, tmp_path: Path, size: int
) -> None:
    data = video_file(tmp_path)
    data += bytes(size - len(data))
    port = int(narrow.url.rstrip("/").rsplit(":", 1)[1])
    for address in ("v1/predict", "v1/annotate"):
        for answer in (narrow.send(data, "upload", to=address), narrow.client.post(address, content=data)):
            assert answer.status_code == 415
            assert answer.json()["error"].startswith(
                "'upload' is a video. It belongs under Video; programs send it to /v1/jobs"
            )
    head = f"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: {10**10}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port)) as connection:  # which is not read to its end
        connection.sendall(head.encode() + data + bytes(66_000))
        assert connection.recv(100).startswith(b"HTTP/1.1 415")


def test_more_pictures_than_allowed_are_refused(narrow: Serving) -> None:
    files = [("file", ("a.jpg", jpeg(two_faces())))] * 4
    answer = narrow.client.post("v1/predict", files=files)
    assert answer.status_code == 413
    assert "more than 3 pictures" in answer.json()["error"]


def test_video_with_too_many_bytes_is_refused_and_leaves_nothing(narrow: Serving) -> None:
    answer = narrow.send(b"\x00\x00\x00\x18ftypmp42" + bytes(80_000), to="v1/jobs")
    assert answer.status_code == 413
    assert list(narrow.engine.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (b"", "image/jpeg", "no picture was sent"),
        (b"", "multipart/form-data", "boundary"),
        (b"--x\r\nnonsense", "multipart/form-data; boundary=x", "form"),
        (
            b'--x\r\nContent-Disposition: form-data; name="picture"; filename="a"\r\n\r\nabc\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
            "field 'file'",
        ),
        (
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc',
            "multipart/form-data; boundary=x",
            "no end",
        ),
        (
            b'--x\r\nContent-Disposition: form-data; name="threshold"\r\n\r\n0.5\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
            "no picture was sent",
        ),
    ],
)
def test_forms_that_are_wrong_are_told_so(narrow: Serving, body: bytes, kind: str, words: str) -> None:
    answer = narrow.client.post("v1/predict", content=body, headers={"content-type": kind})
    assert answer.status_code == 400
    assert words in answer.json()["error"]


def test_header_in_a_form_cannot_fill_the_memory(narrow: Serving) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="' + b"a" * 4050
    kind = {"content-type": "multipart/form-data; boundary=x"}
    body = head + b'"\r\n\r\n' + jpeg(two_faces()) + b"\r\n--x--\r\n"
    answer = narrow.client.post("v1/predict", content=body, headers=kind)
    assert answer.status_code == 413
    assert "shorter name" in answer.json()["error"]


def test_past_the_queue_it_is_503_with_a_time_to_try_again(narrow: Serving) -> None:
    data = jpeg(two_faces())

    def ask(number: int) -> httpx.Response:
        with httpx.Client(base_url=narrow.url, timeout=60) as client:
            return client.post("v1/predict", files={"file": (f"{number}.jpg", data)})

    with ThreadPoolExecutor(40) as threads:
        answers = list(threads.map(ask, range(120)))
    codes = Counter(answer.status_code for answer in answers)
    assert set(codes) == {200, 503}
    for answer in answers:
        if answer.status_code == 503:
            assert 1 <= int(answer.headers["retry-after"]) <= 30
            assert "Try again in" in answer.json()["error"]
    assert narrow.send(data).status_code == 200


def test_upload_that_stalls_is_given_up_and_frees_its_place(narrow: Serving) -> None:
    port = int(narrow.url.rstrip("/").rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc")
        assert connection.recv(100).startswith(b"HTTP/1.1 408")
    until(lambda: "gclf_live_queue_length 0.0" in narrow.client.get("metrics").text)


def test_client_that_goes_away_frees_its_place(narrow: Serving) -> None:
    port = int(narrow.url.rstrip("/").rsplit(":", 1)[1])
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc")
    connection.close()
    until(lambda: "gclf_live_queue_length 0.0" in narrow.client.get("metrics").text)
    assert narrow.send(jpeg(two_faces())).status_code == 200


def test_video_whose_sender_has_gone_is_not_worked_on(weights: Path, tmp_path: Path) -> None:
    with serving(weights, limits=Limits(workers=1)) as server:
        data, port = video_file(tmp_path), int(server.url.rstrip("/").rsplit(":", 1)[1])
        (worker,) = server.workers
        os.kill(worker.pid or 0, signal.SIGSTOP)  # the video is whole, and is not looked at yet
        head = f"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(head.encode() + data)
            sizes = lambda: [path.stat().st_size for path in server.engine.folder.glob("*/source")]  # noqa: E731
            until(lambda: sizes() == [len(data)])
        server.client.get("healthz")  # after the goodbye
        os.kill(worker.pid or 0, signal.SIGCONT)
        until(lambda: list(server.engine.folder.iterdir()) == [])
        assert set(server.engine.jobs.count().values()) == {0}


def test_disk_without_room_for_a_folder_is_told_as_that(weights: Path, tmp_path: Path) -> None:
    with serving(weights, limits=Limits(workers=1)) as server:
        server.engine.folder.rmdir()
        answer = server.send(video_file(tmp_path), to="v1/jobs")
        assert answer.status_code == 507
        assert "room on the disk" in answer.json()["error"]
        server.engine.folder.mkdir()


def test_refusal_reaches_a_client_that_is_still_sending(narrow: Serving) -> None:
    """Not a broken connection: the body of a refused request is read where it is short."""
    port = int(narrow.url.rstrip("/").rsplit(":", 1)[1])
    received = bytearray()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        size = 8_000_000
        head = f"POST /v1/nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n"
        connection.sendall(head.encode())
        sending = threading.Thread(target=connection.sendall, args=(bytes(size),))
        sending.start()
        sending.join()
        received += connection.recv(1000)
    assert received.startswith(b"HTTP/1.1 404")


def test_more_videos_than_allowed_are_503(narrow: Serving, tmp_path: Path) -> None:
    data = video_file(tmp_path)
    first = narrow.job(data)
    answers = [narrow.send(data, to="v1/jobs") for _ in range(2)]
    if narrow.client.get(f"v1/jobs/{first['id']}").json()["state"] in {"queued", "running"}:
        assert {answer.status_code for answer in answers} == {503}
        assert int(answers[0].headers["retry-after"]) >= 1
    narrow.ended(first)


def test_video_that_is_still_being_sent_has_its_place_already(weights: Path, tmp_path: Path) -> None:
    with serving(weights, limits=Limits(workers=1, unfinished_jobs=1)) as server:
        port = int(server.url.rstrip("/").rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(
                b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc"
            )
            until(lambda: len(list(server.engine.folder.iterdir())) == 1)
            assert server.send(video_file(tmp_path), to="v1/jobs").status_code == 503
        until(lambda: list(server.engine.folder.iterdir()) == [])
        assert server.ended(server.job(video_file(tmp_path)))["state"] == "done"
