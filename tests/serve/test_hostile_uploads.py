"""What a hostile or clumsy client sends costs its own request, and nobody else's."""

from __future__ import annotations

import io
import os
import signal
import socket
import threading
from pathlib import Path

import httpx
import numpy as np
import pytest
from face_makers import scene
from PIL import Image
from serve_makers import Serving, bomb, encoded, jpeg, long_video, serving, two_faces, until, video_file

from gclf_live.media.content import is_video
from gclf_live.serve.limits import KernelLimits, Limits
from gclf_live.serve.uploads import shown_name


def refused(answer: httpx.Response, status: int, words: str) -> None:
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error"}
    line = answer.json()["error"]
    assert words in line
    assert "\n" not in line
    assert "/tmp" not in line
    assert "/proc" not in line


def still_works(server: Serving) -> bool:
    return len(server.send(jpeg(two_faces())).json()["pictures"][0]["faces"]) == 2


def test_bomb_is_refused_by_its_header(server: Serving) -> None:
    refused(server.send(bomb(), "bomb.png"), 413, "megapixels")
    # Pillow itself warns only above 89 megapixels; ours is the lower limit.
    refused(server.send(bomb(8_000), "bomb.png"), 413, "megapixels")
    assert still_works(server)


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        (b"this is a text and no picture\n" * 50, 415, "'a.jpg'"),
        (jpeg(two_faces())[:4000], 422, "'a.jpg'"),
        (b"", 422, "empty"),
        (b"\xff\xd8\xff", 415, "known format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", 415, "known format"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "known format"),
    ],
    ids=["text", "half a JPEG", "nothing", "three bytes", "PostScript", "SVG"],
)
def test_what_is_no_picture_is_refused_in_one_line(
    server: Serving, data: bytes, status: int, words: str
) -> None:
    refused(server.send(data), status, words)
    if data:
        raw = server.client.post("v1/predict", content=data, headers={"content-type": "image/jpeg"})
        assert raw.status_code == status
    assert still_works(server)


def test_picture_that_needs_too_much_memory_hurts_itself_only(weights: Path) -> None:
    limits = Limits(workers=1, picture=KernelLimits(120 << 20, 30, 1 << 28))
    with serving(weights, limits=limits) as server:
        assert still_works(server)
        large = encoded(np.zeros((6000, 8000, 3), np.uint8), "PNG")
        answer = server.send(large, "large.png")
        assert answer.status_code in {413, 422}
        assert "'large.png'" in answer.json()["error"]
        assert still_works(server)


def test_process_that_dies_over_a_picture_is_replaced(weights: Path) -> None:
    with serving(weights, limits=Limits(workers=1)) as server:
        (worker,) = server.workers
        os.kill(worker.pid or 0, signal.SIGSTOP)  # so that it cannot be done before it is killed
        answers: list[httpx.Response] = []
        sending = threading.Thread(target=lambda: answers.append(server.send(jpeg(two_faces()), "last.jpg")))
        sending.start()
        until(lambda: "gclf_live_queue_length 1.0" in server.client.get("metrics").text)
        os.kill(worker.pid or 0, signal.SIGKILL)
        sending.join()
        refused(answers[0], 422, "'last.jpg'")
        assert still_works(server)


def test_process_that_dies_while_idle_costs_nobody_anything(weights: Path) -> None:
    with serving(weights, limits=Limits(workers=1)) as server:
        (worker,) = server.workers
        os.kill(worker.pid or 0, signal.SIGKILL)
        worker.join()
        assert still_works(server)


def test_picture_that_takes_too_long_is_given_up(weights: Path) -> None:
    with serving(weights, limits=Limits(workers=1, picture_s=1.0)) as server:
        (worker,) = server.workers
        os.kill(worker.pid or 0, signal.SIGSTOP)
        refused(server.send(jpeg(two_faces()), "slow.jpg"), 422, "more than 1 s")
        assert still_works(server)


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("../../../../etc/passwd", "passwd"),
        ("/etc/cron.d/job.jpg", "job.jpg"),
        ("C:\\Users\\me\\photo.jpg", "photo.jpg"),
        ("..", "upload"),
        ("a\r\nX-Other: b.jpg", "a  X-Other: b.jpg"),
        ("", "upload"),
        ("x" * 5000, "x" * 200),
        ("nul\x00.jpg", "nul .jpg"),
    ],
)
def test_only_the_last_part_of_a_name_is_shown(sent: str, shown: str) -> None:
    assert shown_name(sent) == shown


def test_name_of_an_upload_never_reaches_the_disk(server: Serving, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    name = f"../../../../../../..{outside}.mp4"
    job = server.job(video_file(tmp_path), name)
    on_disk = {path.name for path in (server.engine.folder / job["id"]).iterdir()}
    assert on_disk <= {"source", "video.mp4"} | {p for p in on_disk if p.startswith(".gclf-live-")}
    done = server.ended(job)
    assert done["summary"]["source"] == "outside.mp4"
    asked = server.client.head(f"v1/jobs/{job['id']}/tracks.csv")
    assert (asked.status_code, asked.content) == (200, b"")
    assert int(asked.headers["content-length"]) > 0
    on_disk = {path.name for path in (server.engine.folder / job["id"]).iterdir()}
    assert on_disk == {"video.mp4", "tracks.csv", "faces.csv", "subtitles.vtt", "result.json", "report.html"}
    assert not outside.with_suffix(".mp4").exists()


def test_no_path_of_a_request_reaches_the_disk(server: Serving, tmp_path: Path) -> None:
    job = server.ended(server.job(video_file(tmp_path)))
    addresses = [
        *(f"v1/jobs/{job['id']}/{name}" for name in ("source", ".", "%2e%2e", "tracks.csv/", ".gclf-live")),
        *(f"v1/jobs/{job['id']}/{name}" for name in ("..%2f..%2fetc%2fpasswd", "video.mp4%00.csv", "")),
        *("v1/jobs/..", "v1/jobs/%2e%2e/passwd", "v1/jobs/../../etc/passwd"),
        *("static/../app.py", "static/%2e%2e/app.py", "static//etc/passwd", "static/..%2fapp.py"),
    ]
    port = int(server.url.rstrip("/").rsplit(":", 1)[1])
    for address in addresses:  # by hand: a client would tidy the paths up before they are sent
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(
                f"GET /{address} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
            )
            assert connection.recv(12) in {b"HTTP/1.1 404", b"HTTP/1.1 405"}, address


def test_text_and_empty_videos_are_refused(server: Serving) -> None:
    refused(server.send(b"a text\n" * 100, "talk.mp4", to="v1/jobs"), 415, "'talk.mp4'")
    refused(server.send(b"", "talk.mp4", to="v1/jobs"), 422, "empty")
    refused(server.send(jpeg(two_faces()), "talk.mp4", to="v1/jobs"), 415, "'talk.mp4'")
    assert not list(server.engine.folder.glob("*/source"))


@pytest.mark.parametrize(
    "text",
    [
        b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"<?xml version='1.0'?><MPD></MPD>",
        b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n",
    ],
    ids=["HLS", "ffconcat", "DASH", "SDP"],
)
def test_playlists_that_would_open_other_files_are_no_videos(server: Serving, text: bytes) -> None:
    assert not is_video(text)
    refused(server.send(text, "list.mp4", to="v1/jobs"), 415, "'list.mp4'")


def test_half_an_mp4_is_refused_or_fails_in_one_line(server: Serving, tmp_path: Path) -> None:
    data = video_file(tmp_path)
    answer = server.send(data[: len(data) // 2], "half.mp4", to="v1/jobs")
    refused(answer, 422, "'half.mp4'")


def test_video_of_ten_hours_is_refused_however_small_it_is(server: Serving, tmp_path: Path) -> None:
    data = long_video(tmp_path)
    assert len(data) < 10_000
    refused(server.send(data, "long.mp4", to="v1/jobs"), 413, "36,000 s")
    assert still_works(server)


def test_video_with_too_large_a_picture_is_refused(weights: Path, tmp_path: Path) -> None:
    with serving(weights, limits=Limits(workers=1, video_pixels=320 * 200)) as server:
        refused(server.send(video_file(tmp_path), to="v1/jobs"), 413, "320x240")


def test_animated_picture_counts_as_its_first_frame(server: Serving) -> None:
    file = io.BytesIO()
    frames = [Image.fromarray(scene()[:, :, ::-1])] * 3
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    assert server.send(file.getvalue(), "a.gif").json()["pictures"][0]["faces"] == []
