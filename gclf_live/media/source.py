"""What the user means by ``--camera`` and ``--source``: a camera, a file or a stream."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from urllib.parse import unquote, urlsplit

from gclf_live.errors import SourceError, UsageError

_SCHEMES = ("rtsp", "rtsps", "http", "https", "rtmp", "rtmps", "srt", "udp", "rtp", "tcp")
_WAYS = "Give a camera number (0), a video file or a URL (rtsp://..., http://...)"


class FramePolicy(Enum):
    """What happens to a frame that comes while an older one still waits."""

    NEWEST = "newest"
    """The older one is dropped and counted: a live picture must not lag."""
    EVERY = "every"
    """None is dropped; the source waits."""


class SourceKind(Enum):
    """Where frames come from."""

    CAMERA = "camera"
    FILE = "file"
    URL = "url"


@dataclass(frozen=True, slots=True)
class Source:
    """A place to read frames from; nothing is opened yet.

    Attributes:
        kind: camera, file or URL.
        value: the camera's index (int), the file's path (str) or the URL (str).
    """

    kind: SourceKind
    value: int | str

    @property
    def policy(self) -> FramePolicy:
        """A file keeps every frame; a camera or stream keeps up with the clock."""
        return FramePolicy.EVERY if self.kind is SourceKind.FILE else FramePolicy.NEWEST


def parse_source(text: str) -> Source:
    """Tell a camera, a URL and a file apart.

    Args:
        text: ``"0"`` or ``"/dev/video0"`` for a camera, ``rtsp://``, ``http://`` and the like for a
            stream, ``file://`` or a path for a file that exists. A file named ``0`` is ``./0``.

    Returns:
        The source.

    Raises:
        UsageError: the text is no source at all.
        SourceError: it names a file that is not there, or a folder.
    """
    text = text.strip()
    if not text:
        raise UsageError(f"the source is empty. {_WAYS}")
    if re.fullmatch(r"[+-]?[0-9]+", text):
        return _camera(text)
    if match := re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", text):
        return _url(text, match[1].lower())
    return _file(text)


def _camera(text: str) -> Source:
    index = int(text)
    if index < 0:
        raise UsageError(f"camera {text} does not exist; cameras are numbered from 0. Try 0")
    return Source(SourceKind.CAMERA, index)


def _url(text: str, scheme: str) -> Source:
    if scheme == "file":
        return _file(unquote(urlsplit(text).path))
    if scheme not in _SCHEMES:
        raise UsageError(f"cannot read {scheme}:// URLs; allowed are {', '.join(_SCHEMES)} and a path")
    if not text.partition("://")[2].strip("/"):
        raise UsageError(f"the URL {text!r} names no host; it looks like {scheme}://host/path")
    return Source(SourceKind.URL, text)


def _file(text: str) -> Source:
    path = Path(text).expanduser()
    try:
        device = re.fullmatch(r"/dev/video([0-9]+)", str(path.resolve()))
        there, folder = path.exists(), path.is_dir()
    except (OSError, ValueError) as error:  # too long a name, a loop of links, a null byte
        raise SourceError(f"cannot open {text[:80]!r}: this is no possible file name. {_WAYS}") from error
    if device:
        return Source(SourceKind.CAMERA, int(device[1]))
    if folder:
        raise SourceError(f"cannot play {text!r}: it is a folder. {_WAYS}")
    if not there:
        raise SourceError(f"cannot open {text!r}: no such file. {_WAYS}")
    return Source(SourceKind.FILE, str(path))
