"""What a file is by its first bytes, whatever its name says."""

from __future__ import annotations

import re

HEAD_BYTES = 400
"""How much of a file ``is_video`` and ``is_picture`` look at."""
_BOXES = {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"}
_STARTS = (
    b"\x1a\x45\xdf\xa3",  # Matroska, WebM
    b"OggS",
    b"FLV\x01",
    b"GIF87a",
    b"GIF89a",
    b"\x00\x00\x01\xba",  # MPEG programme stream
    b"\x00\x00\x01\xb3",  # MPEG video
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # ASF, WMV
    b"\x06\x0e\x2b\x34\x02\x05\x01\x01",  # MXF
    b"YUV4MPEG2",
    b"\x1f\x07\x00",  # DV
)
_PICTURES = (
    *(b"\xff\xd8\xff", b"\x89PNG\r\n", b"II*\x00", b"MM\x00*"),
    *(b"\x00\x00\x00\x0cjP  ", b"\xff\x4f\xff\x51"),  # JPEG 2000 with and without its box
)
_STILLS = {b"avif", b"heic", b"heix", b"heim", b"heis", b"mif1"}
"""Brands of pictures in the boxes of an mp4 (ISO/IEC 23008-12); animations have others."""
_TS_PACKETS = ((0, 188), (4, 192))


def is_video(head: bytes) -> bool:
    """Whether a file that begins so is a container of video.

    Playlists and scripts, which would make libav open other files, are none of these.
    """
    if is_picture(head):
        return False
    if head.startswith(_STARTS) or head[4:8] in _BOXES:
        return True
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        return True
    return any(head[at : at + 1] == head[at + size : at + size + 1] == b"G" for at, size in _TS_PACKETS)


def is_picture(head: bytes) -> bool:
    """Whether a file that begins so is a picture of one of the common formats, and no video."""
    if head.startswith(_PICTURES) or (head.startswith(b"BM") and head[6:10] == b"\x00" * 4):
        return True
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return True
    return (head[4:8] == b"ftyp" and head[8:12] in _STILLS) or re.match(rb"P[1-6]\s", head) is not None


def is_no_picture(head: bytes) -> bool:
    """Whether a file that begins so is a video and nothing else: a GIF may be either."""
    return is_video(head) and not head.startswith(b"GIF8")
