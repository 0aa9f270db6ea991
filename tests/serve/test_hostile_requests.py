"""A seeded sample of ``benchmarks.fuzz_api``, and what it found once."""

from __future__ import annotations

import json
import random
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from serve_makers import Serving, encoded, jpeg, serving, two_faces
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from benchmarks.fuzz_api import Fuzz, fuzzing
from benchmarks.fuzz_requests import Good, make_attack
from gclf_live.serve.limits import Limits


@pytest.fixture(scope="module")
def fuzz() -> Iterator[Fuzz]:
    with fuzzing() as running:
        yield running


@pytest.mark.parametrize(("kind", "count"), [("pictures", 21), ("videos", 3), ("requests", 60), ("live", 12)])
def test_hostile_requests_are_answered_or_refused_with_one_line(fuzz: Fuzz, kind: str, count: int) -> None:
    sent = fuzz.send(kind, range(count), say=print)
    assert sent.faults == []
    assert sent.runs == count


def test_server_is_afterwards_as_it_was_before(fuzz: Fuzz) -> None:
    assert fuzz.faults_left() == []


def test_same_number_gives_the_same_request() -> None:
    good = Good([bytes(range(256)) * 20], [bytes(5000)], "a-job")
    first, again = (make_attack(good, random.Random("requests 7")) for _ in range(2))
    assert first == again
    assert len({make_attack(good, random.Random(f"requests {i}")).pieces for i in range(50)}) > 40


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "null", "http://evil.example", "//"])
def test_origin_that_is_no_address_is_that_of_another_page(server: Serving, origin: str) -> None:
    answer = server.client.post("v1/predict", content=jpeg(two_faces()), headers={"origin": origin})
    assert answer.status_code == 403
    assert "another origin" in answer.json()["error"]
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(server.live_url, additional_headers={"Origin": origin}),
    ):
        pass
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("size", [(1, 65_500), (65_500, 1), (1, 1)])
def test_picture_of_an_odd_shape_costs_no_process(server: Serving, size: tuple[int, int]) -> None:
    answer = server.send(encoded(np.zeros((*size, 3), np.uint8), "PNG"))
    assert answer.status_code in {200, 413}
    if answer.status_code == 413:
        assert answer.json()["error"].startswith("cannot read 'a.jpg': there is not enough memory for it")
    assert all(worker.is_alive() for worker in server.workers)


@pytest.mark.parametrize(
    "sent",
    [b"nonsense\r\n\r\n", b"GET / HTTP/9\r\n\r\n", b"GET /healthz HTTP/1.1\r\n\r\n"],
    ids=["no HTTP", "another version", "no host"],
)
def test_what_is_no_http_is_answered_in_our_words(server: Serving, sent: bytes) -> None:
    port = int(server.url.rstrip("/").rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(sent)
        head, _, body = b"".join(iter(lambda: connection.recv(1000), b"")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"\r\ncontent-type: application/json\r\n" in head.lower()
    line = "this is no valid HTTP/1.1, or its head is too large; send requests as curl and browsers do"
    assert json.loads(body) == {"error": line}


def test_connection_without_a_whole_head_is_closed(weights: Path) -> None:
    with serving(weights, limits=Limits(workers=1, request_head_s=0.5)) as server:
        address = ("127.0.0.1", int(server.url.rstrip("/").rsplit(":", 1)[1]))
        for begun in (b"", b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nX-Slow: "):
            with socket.create_connection(address, timeout=60) as connection:
                connection.sendall(begun)
                assert connection.recv(100) == b""
        with socket.create_connection(address, timeout=60) as connection:
            head = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
            connection.sendall(head + b"\r\n" + head)  # a whole one, and half a second one
            received = b"".join(iter(lambda: connection.recv(1000), b""))
            assert received.startswith(b"HTTP/1.1 200")
            assert received.count(b"HTTP/1.1") == 1
        assert server.send(jpeg(two_faces())).status_code == 200


def test_upload_may_take_longer_than_its_head(weights: Path) -> None:
    with serving(weights, limits=Limits(workers=1, request_head_s=0.3)) as server:
        data = jpeg(two_faces())

        def slowly() -> Iterator[bytes]:
            for i in range(0, len(data), len(data) // 4):
                yield data[i : i + len(data) // 4]
                time.sleep(0.2)

        assert server.client.post("v1/predict", content=slowly()).status_code == 200
