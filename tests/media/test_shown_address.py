"""Addresses as they are shown: never with a password."""

from __future__ import annotations

import pytest

from gclf_live.errors import GclfError
from gclf_live.media.source import Source, SourceKind, parse_source, without_password


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://me:secret@host:554/1", "rtsp://me:***@host:554/1"),
        ("rtsp://me:se@c/r:et?@host:554/1", "rtsp://me:***@host:554/1"),
        ("rtsp://:secret@host/1", "rtsp://:***@host/1"),
        ("http://secret@host/1", "http://***@host/1"),
        ("http://host/v?user=me&pwd=secret&channel=1", "http://host/v?user=***&pwd=***&channel=1"),
        ("http://host/v?code=1234;subtype=0", "http://host/v?code=***;subtype=0"),
        ("rtsp:/me:secret@host", "rtsp:/me:***@host"),
        ("me:secret@host/1", "me:***@host/1"),
    ],
)
def test_secrets_are_left_out(address: str, shown: str) -> None:
    assert without_password(address) == shown


@pytest.mark.parametrize(
    "address",
    ["http://host:8080/a", "http://[::1]:80/a", "https://tube.example/@news/live", "a b.mp4", r"C:\a@b.mp4"],
)
def test_address_without_secrets_stays_as_it_is(address: str) -> None:
    assert without_password(address) == address


@pytest.mark.parametrize("text", ["rtsp:/me:secret@host/1", "me:secret@host", "rtps://me:secret@host/1"])
def test_address_with_a_slip_is_refused_without_its_password(text: str) -> None:
    with pytest.raises(GclfError) as caught:
        parse_source(text)
    assert "secret" not in str(caught.value)


def test_source_does_not_print_its_password() -> None:
    source = parse_source("rtsp://me:secret@host/1")
    assert "secret" not in repr(source)
    assert source.name == "rtsp://me:***@host/1"
    assert Source(SourceKind.CAMERA, 2).name == "camera 2"


def test_file_url_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(GclfError, match="no file URL"):
        parse_source("file://[bad/a.mp4")
