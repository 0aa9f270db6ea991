"""What the user means by ``--camera`` and ``--source``: a camera, a file or a stream."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from urllib.parse import unquote, urlsplit

from gclf_live.errors import SourceError, UsageError

_SCHEMES = ("rtsp", "rtsps", "http", "https", "rtmp", "rtmps", "srt", "udp", "rtp", "tcp")
_VALUE = re.compile(r"([^&;=#]*)=([^&;#]*)")
_SECRET = re.compile(r"pass|pwd|psw|secret|token|key|auth|sign|session|code|pin", re.IGNORECASE)
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
        value: the camera's index (int), the file's path (str) or the URL (str), which may hold a password.
    """

    kind: SourceKind
    value: int | str = field(repr=False)

    @property
    def name(self) -> str:
        """What to call it in a message: ``camera 0``, the file's path, or the URL without its password."""
        if self.kind is SourceKind.CAMERA:
            return f"camera {self.value}"
        return str(self.value) if self.kind is SourceKind.FILE else without_password(str(self.value))

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


def without_password(text: str) -> str:
    """An address as it may be shown: no password, and nothing in its query that may be one.

    Args:
        text: an address, or what was meant to be one. A password may hold any character, ``@`` and ``/`` too:
            rather too much is hidden than too little.
    """
    shown, mark, query = _without_credentials(text).partition("?")
    return shown + mark + _VALUE.sub(_without_value, query)


def _camera(text: str) -> Source:
    index = int(text)
    if index < 0:
        raise UsageError(f"camera {text} does not exist; cameras are numbered from 0. Try 0")
    return Source(SourceKind.CAMERA, index)


def _url(text: str, scheme: str) -> Source:
    if scheme == "file":
        try:
            path = unquote(urlsplit(text).path)
        except ValueError as error:
            raise UsageError(
                f"{text!r} is no file URL: {error}. It looks like file:///folder/video.mp4"
            ) from error
        return _file(path)
    if scheme not in _SCHEMES:
        raise UsageError(f"cannot read {scheme}:// URLs; allowed are {', '.join(_SCHEMES)} and a path")
    if not text.partition("://")[2].strip("/"):
        raise UsageError(f"the URL {text!r} names no host; it looks like {scheme}://host/path")
    return Source(SourceKind.URL, text)


def _file(text: str) -> Source:
    if text == "-":
        raise UsageError(
            "--source - is not possible: a file is read from its start again. Save it to a file, or use "
            "gclf-live annotate -"
        )
    path = Path(text).expanduser()
    shown = without_password(text)  # an address with a slip in it ends up here
    try:
        device = re.fullmatch(r"/dev/video([0-9]+)", str(path.resolve()))
        there, folder = path.exists(), path.is_dir()
    except (OSError, ValueError) as error:  # too long a name, a loop of links, a null byte
        raise SourceError(f"cannot open {shown[:80]!r}: this is no possible file name. {_WAYS}") from error
    if device:
        return Source(SourceKind.CAMERA, int(device[1]))
    if folder:
        raise SourceError(f"cannot play {shown!r}: it is a folder. {_WAYS}")
    if not there:
        raise SourceError(f"cannot open {shown!r}: no such file. {_WAYS}")
    return Source(SourceKind.FILE, str(path))


def _without_credentials(text: str) -> str:
    match = re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/+", text)
    scheme = match[0] if match else ""
    rest = text[len(scheme) :]
    user, _, after = rest.partition(":")
    if "@" in after and not re.search(r"[/\\@]", user) and not re.match(r"[A-Za-z]:[\\/]", rest):
        return f"{scheme}{user}:***@{after.rpartition('@')[2]}"
    authority, slash, path = rest.partition("/")
    if scheme.endswith("//") and "@" in authority:  # a name alone may be a token
        return f"{scheme}***@{authority.rpartition('@')[2]}{slash}{path}"
    return text


def _without_value(match: re.Match[str]) -> str:
    """One part of a query: a short number such as a channel stays, if its name sounds harmless."""
    name, value = match.groups()
    harmless = re.fullmatch(r"[0-9]{0,4}", value) and not _SECRET.search(name)
    return f"{name}={value if harmless else '***'}"
