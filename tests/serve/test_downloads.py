"""Files that are removed while they are asked for."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from pathlib import Path

import httpx
import pytest
from serve_makers import SOON_S, Serving, video_file

from gclf_live.serve.downloads import JobFile


def answer_of(response: JobFile, method: str = "GET", **headers: str) -> httpx.Response:
    """What a client gets of a response."""

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(response, raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, "/", headers=headers)

    return asyncio.run(ask())


def test_file_that_has_gone_since_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "gone.mp4"
    answer = answer_of(JobFile(path, media_type="video/mp4"))
    assert answer.status_code == 404
    assert "no such file" in answer.json()["error"]
    assert str(tmp_path) not in answer.text


def test_file_that_goes_between_its_size_and_its_bytes_is_not_there_either(tmp_path: Path) -> None:
    path = tmp_path / "going.mp4"
    path.write_bytes(b"bytes")
    response = JobFile(path, media_type="video/mp4", stat_result=path.stat())
    path.unlink()
    assert answer_of(response).status_code == 404


@pytest.mark.parametrize("asked", ["", "bytes=1-2", "bytes=0-0,3-4"])
def test_file_that_stays_is_sent_as_asked(tmp_path: Path, asked: str) -> None:
    path = tmp_path / "kept.mp4"
    path.write_bytes(b"bytes")
    headers = {"range": asked} if asked else {}
    answer = answer_of(JobFile(path, media_type="video/mp4"), **headers)
    assert answer.status_code == (206 if asked else 200)
    assert {"": b"bytes", "bytes=1-2": b"yt"}.get(asked, answer.content) == answer.content
    assert answer_of(JobFile(path), "HEAD").headers["content-length"] == "5"


@pytest.mark.parametrize(
    ("asked", "status", "line"),
    [
        ("bytes=9-", 416, "there is no range 'bytes=9-'; the file has 5 bytes"),
        ("bytes=x", 400, "there is no range 'bytes=x'; ask as in Range: bytes=0-999"),
        ("lines=1-2", 400, "there is no range 'lines=1-2'; ask as in Range: bytes=0-999"),
    ],
)
def test_range_that_cannot_be_is_refused_in_our_words(
    tmp_path: Path, asked: str, status: int, line: str
) -> None:
    path = tmp_path / "kept.mp4"
    path.write_bytes(b"bytes")
    answer = answer_of(JobFile(path, media_type="video/mp4"), range=asked)
    assert (answer.status_code, answer.json()) == (status, {"error": line})
    assert answer.headers.get("content-range") == ("bytes */5" if status == 416 else None)


def test_job_may_be_removed_while_its_video_is_fetched(server: Serving, tmp_path: Path) -> None:
    codes: Counter[int] = Counter()
    for _ in range(3):
        job = server.ended(server.job(video_file(tmp_path)))

        def fetch(address: str) -> None:
            with httpx.Client(base_url=server.url, timeout=SOON_S) as client:
                while not codes[404]:
                    codes[client.get(address).status_code] += 1

        codes.pop(404, None)
        fetching = [threading.Thread(target=fetch, args=(job["files"]["video"],)) for _ in range(4)]
        for thread in fetching:
            thread.start()
        assert server.client.delete(f"v1/jobs/{job['id']}").status_code == 204
        for thread in fetching:
            thread.join()
    assert set(codes) <= {200, 404}
