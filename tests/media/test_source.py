"""parse_source: what a text on the command line means."""

from __future__ import annotations

from pathlib import Path

import pytest

from gclf_live.errors import SourceError, UsageError
from gclf_live.media.source import FramePolicy, Source, SourceKind, parse_source


@pytest.mark.parametrize(("text", "index"), [("0", 0), (" 12 ", 12), ("007", 7), ("/dev/video3", 3)])
def test_number_or_device_is_a_camera(text: str, index: int) -> None:
    assert parse_source(text) == Source(SourceKind.CAMERA, index)


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://cam/1",
        "RTSP://u:p@cam:554/1",
        "http://h/x.mjpg",
        "https://h/",
        "rtmp://h/live",
        "udp://@:1234",
    ],
)
def test_known_scheme_is_a_url_kept_as_it_is(url: str) -> None:
    assert parse_source(url) == Source(SourceKind.URL, url)


def test_existing_path_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "Übung 0.mp4"
    path.touch()
    assert parse_source(str(path)) == Source(SourceKind.FILE, str(path))
    assert parse_source(f"file://{path}") == Source(SourceKind.FILE, str(path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert parse_source("~/Übung 0.mp4") == Source(SourceKind.FILE, str(path))


def test_file_named_like_a_camera_is_reached_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "0").touch()
    monkeypatch.chdir(tmp_path)
    assert parse_source("0").kind is SourceKind.CAMERA
    assert parse_source("./0").kind is SourceKind.FILE


@pytest.mark.parametrize("text", ["", "  ", "-1", "ftp://host/x", "gopher://h", "rtsp://", "http:///"])
def test_what_can_be_no_source_is_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_source(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["no-such.mp4", "x" * 5000, "/", "a\0b", "１"])
def test_file_that_is_not_there_is_a_source_error_in_one_line(text: str) -> None:
    with pytest.raises(SourceError) as caught:
        parse_source(text)
    assert "\n" not in str(caught.value)


def test_policy_drops_live_frames_and_keeps_those_of_a_file() -> None:
    policies = {kind: Source(kind, 0).policy for kind in SourceKind}
    assert policies == {
        SourceKind.CAMERA: FramePolicy.NEWEST,
        SourceKind.URL: FramePolicy.NEWEST,
        SourceKind.FILE: FramePolicy.EVERY,
    }
