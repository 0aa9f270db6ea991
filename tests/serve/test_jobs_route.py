"""Videos over HTTP: from the upload to the files, and every way in which a job ends."""

from __future__ import annotations

import csv
import io
import json
import re
import socket
from pathlib import Path

import pytest
from media_makers import frame_times
from serve_makers import Serving, encoded, events, serving, two_faces, until, video_file

from gclf_live.screentime.result_file import read_result
from gclf_live.serve.limits import Limits

FILES = {
    "video": "video.mp4",
    "tracks": "tracks.csv",
    "faces": "faces.csv",
    "subtitles": "subtitles.vtt",
    "result": "result.json",
    "report": "report.html",
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A second with a face."""
    return video_file(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A video that takes a while."""
    return video_file(tmp_path_factory.mktemp("slow"), frames=400, still=False)


def test_video_is_measured_and_its_files_are_there(server: Serving, clip: bytes, tmp_path: Path) -> None:
    job = server.job(clip, "my talk.mp4")
    assert re.fullmatch(r"[\w-]{20,}", job["id"])
    assert job["state"] in {"queued", "running"}
    told = list(events(server.client, job))
    assert [document["state"] for document in told][-1] == "done"
    assert all("tracks" not in document for document in told)
    shares = [document["progress"] for document in told if document["progress"] is not None]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    done = server.ended(job)
    assert {k: v for k, v in done.items() if k != "tracks"} == told[-1]
    assert done["summary"]["source"] == "my talk.mp4"
    assert done["summary"]["frames"] == 24
    assert done["files"] == {kind: f"/v1/jobs/{job['id']}/{name}" for kind, name in FILES.items()}
    (tmp_path / "video.mp4").write_bytes(server.client.get(done["files"]["video"]).content)
    assert len(frame_times(tmp_path / "video.mp4")) == 24
    (tmp_path / "result.json").write_bytes(server.client.get(done["files"]["result"]).content)
    result = read_result(tmp_path / "result.json")
    assert (result.name, len(result.tracks)) == ("my talk.mp4", 1)
    assert server.client.get(done["files"]["subtitles"]).text.startswith("WEBVTT")
    rows = list(csv.DictReader(io.StringIO(server.client.get(done["files"]["faces"]).text)))
    assert len(rows) == 24


def test_document_agrees_with_the_table_of_tracks(server: Serving, clip: bytes) -> None:
    done = server.ended(server.job(clip))
    table = list(csv.DictReader(io.StringIO(server.client.get(done["files"]["tracks"]).text)))
    (track,) = done["tracks"]
    assert {name: str(value) for name, value in track.items()} == table[0]
    time = done["screen_time"]
    assert set(time) == {"classes", "unsure_s", "excluded_s"}
    assert set(time["classes"]) == {"female", "male"}
    seconds = (
        sum(each["seconds"] for each in time["classes"].values()) + time["unsure_s"] + time["excluded_s"]
    )
    assert seconds == pytest.approx(track["seconds"], abs=0.01)
    for each in time["classes"].values():
        assert set(each) == {"seconds", "share", "low", "high"}


def test_video_answers_range_requests(server: Serving, clip: bytes) -> None:
    done = server.ended(server.job(clip))
    whole = server.client.get(done["files"]["video"])
    assert whole.headers["content-type"] == "video/mp4"
    assert whole.headers["accept-ranges"] == "bytes"
    part = server.client.get(done["files"]["video"], headers={"range": "bytes=100-199"})
    assert part.status_code == 206
    assert part.content == whole.content[100:200]


def test_report_is_one_page_that_may_run_nothing(server: Serving, clip: bytes) -> None:
    done = server.ended(server.job(clip))
    answer = server.client.get(done["files"]["report"])
    assert answer.headers["content-type"].startswith("text/html")
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "script-src" not in answer.headers["content-security-policy"]
    assert "<script" not in answer.text


def test_privacy_keeps_sums_only(server: Serving, clip: bytes) -> None:
    done = server.ended(server.job(clip, privacy="true"))
    assert set(done["files"]) == {"video", "result", "report"}
    assert done["tracks"] == []
    assert done["screen_time"]["classes"]
    result = json.loads(server.client.get(done["files"]["result"]).content)
    assert result["privacy"] is True
    assert result["tracks"] == []
    assert server.client.get(f"v1/jobs/{done['id']}/faces.csv").status_code == 404


def test_threshold_of_a_job_is_used(server: Serving, clip: bytes) -> None:
    done = server.ended(server.job(clip, threshold="1"))
    assert [track["label"] for track in done["tracks"]] == ["unsure"]
    assert done["screen_time"]["unsure_s"] > 0


@pytest.mark.parametrize(("name", "value"), [("threshold", "1.2"), ("threshold", "x"), ("threshold", "nan")])
def test_wrong_threshold_is_refused(server: Serving, clip: bytes, name: str, value: str) -> None:
    answer = server.send(clip, to="v1/jobs", **{name: value})
    assert answer.status_code == 422
    assert "from 0 to 1" in answer.json()["error"]


def test_wrong_privacy_is_refused_rather_than_guessed(server: Serving, clip: bytes) -> None:
    answer = server.send(clip, to="v1/jobs", privacy="perhaps")
    assert answer.status_code == 422
    assert "true and false" in answer.json()["error"]


def test_parameters_may_be_in_the_address(server: Serving, clip: bytes) -> None:
    answer = server.client.post("v1/jobs?threshold=1&privacy=true", content=clip)
    done = server.ended(answer.json())
    assert done["screen_time"]["unsure_s"] > 0
    assert done["tracks"] == []


def test_wrong_value_in_the_address_is_refused_before_the_upload(server: Serving) -> None:
    for query in ("threshold=2", "privacy=perhaps"):
        with socket.create_connection(("127.0.0.1", server.client.base_url.port or 80), timeout=60) as asking:
            head = f"POST /v1/jobs?{query} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"
            asking.sendall(head.encode())  # and nothing of the body
            assert b" 422 " in asking.recv(4096).split(b"\r\n")[0]


def test_unknown_parameter_is_refused(server: Serving, clip: bytes) -> None:
    for answer in (
        server.client.post("v1/jobs?privat=true", content=clip),
        server.send(clip, to="v1/jobs", privat="true"),
    ):
        assert answer.status_code == 422
        assert answer.json()["error"] == "there is no parameter 'privat'; allowed: privacy and threshold"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM"])
def test_picture_is_sent_where_it_belongs(server: Serving, kind: str) -> None:
    answer = server.send(encoded(two_faces(), kind), "me.pic", to="v1/jobs")
    assert answer.status_code == 415
    assert answer.json()["error"].startswith(
        "'me.pic' is a picture. It belongs under Picture; programs send it to /v1/predict"
    )


def test_two_videos_in_a_request_are_refused(server: Serving, clip: bytes) -> None:
    files = [("file", ("a.mp4", clip)), ("file", ("b.mp4", clip))]
    assert server.client.post("v1/jobs", files=files).status_code == 400


def test_raw_body_is_a_video_too(server: Serving, clip: bytes) -> None:
    answer = server.client.post("v1/jobs", content=clip, headers={"content-type": "video/mp4"})
    assert answer.status_code == 202
    assert server.ended(answer.json())["state"] == "done"


def test_running_job_is_cancelled_and_leaves_nothing(server: Serving, slow: bytes) -> None:
    job = server.job(slow)
    folder = server.engine.folder / job["id"]
    until(lambda: (server.client.get(f"v1/jobs/{job['id']}").json()["progress"] or 0) > 0)
    answer = server.client.delete(f"v1/jobs/{job['id']}")
    assert answer.status_code == 200
    assert answer.json()["state"] == "cancelled"
    until(lambda: not folder.exists())
    assert server.client.get(f"v1/jobs/{job['id']}").json()["state"] == "cancelled"
    # Its process has gone: the next one runs.
    assert server.client.delete(f"v1/jobs/{job['id']}").status_code == 204


def test_waiting_job_says_how_many_are_before_it_and_can_be_cancelled(
    server: Serving, slow: bytes, clip: bytes
) -> None:
    first, second, third = server.job(slow), server.job(clip), server.job(clip)
    assert (second["queue_position"], third["queue_position"]) == (1, 2)
    assert server.client.delete(f"v1/jobs/{second['id']}").json()["state"] == "cancelled"
    assert server.client.get(f"v1/jobs/{third['id']}").json()["queue_position"] == 1
    server.client.delete(f"v1/jobs/{first['id']}")
    assert server.ended(third)["state"] == "done"
    assert server.ended(second)["state"] == "cancelled"


def test_finished_job_is_removed_with_its_files(server: Serving, clip: bytes) -> None:
    done = server.ended(server.job(clip))
    folder = server.engine.folder / done["id"]
    assert folder.is_dir()
    assert server.client.delete(f"v1/jobs/{done['id']}").status_code == 204
    assert not folder.exists()
    for path in (f"v1/jobs/{done['id']}", done["files"]["video"], f"v1/jobs/{done['id']}/events"):
        answer = server.client.get(path)
        assert answer.status_code == 404
        assert "no such job" in answer.json()["error"]


def test_results_are_gone_after_the_time_that_they_are_kept(weights: Path, clip: bytes) -> None:
    with serving(weights, limits=Limits(workers=1), keep_s=0.5) as server:
        job = server.job(clip)
        until(lambda: server.client.get(f"v1/jobs/{job['id']}").status_code == 404)
        assert list(server.engine.folder.iterdir()) == []


def test_folder_is_private_and_gone_in_the_end(weights: Path, clip: bytes) -> None:
    with serving(weights, limits=Limits(workers=1)) as server:
        folder = server.engine.folder
        server.ended(server.job(clip))
        assert folder.stat().st_mode & 0o077 == 0
        assert list(folder.iterdir())
    assert not folder.exists()


def test_upload_is_gone_once_it_was_worked_on(server: Serving, clip: bytes) -> None:
    done = server.ended(server.job(clip))
    until(lambda: not (server.engine.folder / done["id"] / "source").exists())
