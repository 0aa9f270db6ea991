"""What is said of files that are not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from gclf_live.errors import SourceError
from gclf_live.media.missing import no_such_file
from gclf_live.media.pictures import read_picture
from gclf_live.media.reader import VideoReader


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("https://example.org/a.mp4", "'https://example.org/a.mp4'"),
        ("rtsp://me:secret@example.org/a", "'rtsp://me:***@example.org/a'"),
        ("/home/me/http:/example.org", "'http://example.org'"),
    ],
)
def test_address_is_shown_whole_and_the_command_that_takes_it_named(path: str, shown: str) -> None:
    said = str(no_such_file(Path(path)))
    assert said.startswith(f"cannot open {shown}: only files")
    assert "gclf-live --source ADDRESS" in said
    assert "secret" not in said


@pytest.mark.parametrize("name", ["a.mp4", "https.mp4", "http:", "C:/a.mp4"])
def test_path_is_told_to_be_checked(name: str) -> None:
    assert str(no_such_file(Path(name))) == f"cannot open {name!r}: no such file or folder. Check the path"


@pytest.mark.parametrize("read", [read_picture, VideoReader])
def test_every_reader_says_it(read: object) -> None:
    with pytest.raises(SourceError, match=r"'https://example\.org/a\.jpg': only files"):
        read(Path("https://example.org/a.jpg"))  # type: ignore[operator]
