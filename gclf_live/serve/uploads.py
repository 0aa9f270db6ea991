"""What is sent: read as it comes, and refused as soon as it is too much."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath, PureWindowsPath
from typing import Protocol

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import ClientDisconnect, Request

from gclf_live.serve.answers import RequestError

_LONGEST_NAME = 200
_LONGEST_FIELD = 1000
_LONGEST_HEADER = 4000
_MOST_PARTS = 100


class Sink(Protocol):
    """Where the bytes of a file go."""

    def write(self, data: bytes, /) -> object:
        """Take the next bytes; may raise RequestError to refuse them."""


Open = Callable[[str], Sink]
"""Called with the name that the sender gave a file; may raise RequestError to refuse it."""


@dataclass(slots=True)
class _Part:
    header: bytearray = field(default_factory=bytearray)
    value: bytearray = field(default_factory=bytearray)
    disposition: bytes = b""
    name: str = ""
    text: bytearray = field(default_factory=bytearray)
    sink: Sink | None = None


class _Form:
    """Takes the pieces that python-multipart finds: files go to sinks, other fields are kept as text."""

    def __init__(self, open_sink: Open) -> None:
        self.fields: dict[str, str] = {}
        self.ended = False
        self._open = open_sink
        self._part = _Part()
        self._parts = 0

    def on_part_begin(self) -> None:
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise RequestError(413, f"the form has over {_MOST_PARTS} parts. Send fewer")
        self._part = _Part()

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._part.header += data[start:end]
        self._check_header()

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._part.value += data[start:end]
        self._check_header()

    def _check_header(self) -> None:
        # Some versions of python-multipart hand over a header of any length.
        if len(self._part.header) + len(self._part.value) > _LONGEST_HEADER:
            raise RequestError(
                413, f"a header in the form has over {_LONGEST_HEADER} bytes. Give the file a shorter name"
            )

    def on_header_end(self) -> None:
        if bytes(self._part.header).lower() == b"content-disposition":
            self._part.disposition = bytes(self._part.value)
        self._part.header.clear()
        self._part.value.clear()

    def on_headers_finished(self) -> None:
        _, options = parse_options_header(self._part.disposition)
        self._part.name = options.get(b"name", b"").decode("utf-8", "replace")
        file_name = options.get(b"filename")
        if file_name is not None:
            if self._part.name != "file":
                raise RequestError(
                    400, f"a file is in the field {self._part.name[:50]!r}; send files in the field 'file'"
                )
            self._part.sink = self._open(shown_name(file_name.decode("utf-8", "replace")))

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._part.sink is not None:
            self._part.sink.write(data[start:end])
            return
        self._part.text += data[start:end]
        if len(self._part.text) > _LONGEST_FIELD:
            raise RequestError(
                413,
                f"the field {self._part.name[:50]!r} has over {_LONGEST_FIELD} bytes; files need a name",
            )

    def on_part_end(self) -> None:
        if self._part.sink is None:
            self.fields[self._part.name] = self._part.text.decode("utf-8", "replace")

    def on_end(self) -> None:
        self.ended = True


async def read_upload(
    request: Request,
    open_sink: Open,
    *,
    most_bytes: int,
    stalled_s: float,
    longest_s: float | None = None,
    glance_bytes: int = 0,
) -> Mapping[str, str]:
    """Read the body: a multipart form with files in the field ``file``, or one file as it is.

    Args:
        request: whose body nobody has read yet.
        open_sink: called for each file.
        most_bytes: of the whole body.
        stalled_s: the longest time without a byte.
        longest_s: the longest time in all; None for any.
        glance_bytes: what the sinks see of a body that says that it is too large, before it is refused.

    Returns:
        The other fields of the form.

    Raises:
        RequestError: too much, no form where it says it is one, or the sender went silent.
    """
    try:
        async with asyncio.timeout(longest_s):
            return await _read(request, open_sink, _chunks(request, most_bytes, stalled_s, glance_bytes))
    except TimeoutError as error:
        raise RequestError(408, f"the upload took over {longest_s:g} s. Send less at once") from error


async def _read(request: Request, open_sink: Open, chunks: AsyncIterator[bytes]) -> Mapping[str, str]:
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data":
        # Whatever the type says: a file is what its content is.
        sink: Sink | None = None
        async for chunk in chunks:
            sink = sink or open_sink("upload")
            sink.write(chunk)
        return {}
    if not options.get(b"boundary"):
        raise RequestError(
            400, "the form has no boundary; send multipart/form-data as a browser or curl does"
        )
    form = _Form(open_sink)
    names = [name for name in vars(_Form) if name.startswith("on_")]
    try:
        parser = MultipartParser(
            options[b"boundary"],
            {name: getattr(form, name) for name in names},  # type: ignore[arg-type]
        )
        async for chunk in chunks:
            parser.write(chunk)
    except FormParserError as error:
        raise RequestError(
            400, "the form cannot be read; send multipart/form-data with a boundary"
        ) from error
    if not form.ended:
        raise RequestError(400, "the form has no end; send it whole")
    return form.fields


def shown_name(name: str) -> str:
    """What a file is called in answers: the last part of its path, in one line. It never reaches the disk."""
    last = PureWindowsPath(PurePosixPath(name).name).name
    plain = "".join(c if c.isprintable() else " " for c in last).strip()
    return plain[:_LONGEST_NAME] if plain.strip(".") else "upload"


async def _chunks(
    request: Request, most_bytes: int, stalled_s: float, glance_bytes: int
) -> AsyncIterator[bytes]:
    declared = request.headers.get("content-length", "")
    is_too_large = declared.isdigit() and int(declared) > most_bytes
    stream, count = request.stream(), 0
    while True:
        if count > most_bytes or (is_too_large and count >= glance_bytes):
            raise too_large(most_bytes)
        try:
            chunk = await asyncio.wait_for(anext(stream, b""), stalled_s)
        except TimeoutError as error:
            raise RequestError(408, f"nothing came for {stalled_s:g} s. Send the file again") from error
        except ClientDisconnect as error:
            raise RequestError(400, "the connection ended within the file. Send it again") from error
        if not chunk:
            return
        count += len(chunk)
        yield chunk


def too_large(most_bytes: int) -> RequestError:
    """The answer to a body that is too large."""
    return RequestError(
        413, f"the upload is too large; allowed are {most_bytes / 1e6:g} MB. Send less at once"
    )
