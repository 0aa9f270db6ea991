"""The journal of an output folder: what was begun, saved and finished there, one JSON object a line.

It is only ever appended to, and each line is on the disk before the work goes on. Its first line names the
format. A line that a power cut or a full disk left incomplete at the end was never acted upon: it is dropped.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gclf_live import __version__
from gclf_live.errors import OutputError

JOURNAL_FORMAT = 1
"""Version of the journal's lines and of the work folders beside it; others are refused."""
_KIND = "gclf-live journal"


class JournalError(OutputError):
    """The journal cannot be read or written: the run ends."""


class Journal:
    """An open journal.

    Attributes:
        path: its file.
    """

    def __init__(self, path: Path) -> None:
        """Read a journal, or begin one.

        Raises:
            JournalError: it is of another format, damaged, or cannot be read or written.
        """
        self.path = path
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            self._open()
        except JournalError:
            os.close(self._file)
            raise
        except OSError as error:
            os.close(self._file)
            raise self._unwritable(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def add(self, event: str, **fields: object) -> None:
        """Append one event with the time of day; it is on the disk when this returns.

        Raises:
            JournalError: the journal was removed, or the system does not let it be written; it is as it was
                before. Where not even that can be had, the torn line is dropped before the next is written.
        """
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._append({"event": event, "at": now, **fields})

    def _append(self, document: dict[str, object]) -> None:
        line = json.dumps(document, ensure_ascii=True, allow_nan=False).encode() + b"\n"
        before = None
        try:
            self._check_there()
            self._drop_torn_end()
            before = os.fstat(self._file).st_size
            written = os.write(self._file, line)
            if written < len(line):
                os.write(self._file, line[written:])  # tells why it was short
            os.fsync(self._file)
        except OSError as error:
            if before is not None:
                with contextlib.suppress(OSError):  # what cannot be taken back is dropped later
                    os.ftruncate(self._file, before)
            raise self._unwritable(error) from error

    def events(self) -> Iterator[dict[str, Any]]:
        """Every event, oldest first. One at a time: 10,000 hours of video are a million of them.

        Raises:
            JournalError: a line is damaged.
        """
        yield from read_events(self.path)

    def _open(self) -> None:
        """Drop an incomplete last line; check the first line, or write it."""
        self._drop_torn_end()
        with self.path.open("rb") as file:
            first = file.readline()
        if first:
            _check_format(self.path, _parsed(first) or {})
        else:
            self._append({"format": JOURNAL_FORMAT, "kind": _KIND, "version": __version__})
            _sync_folder(self.path.parent)

    def _check_there(self) -> None:
        """A run whose journal was removed must not go on: the next one would not know what is its own."""
        try:
            there = self.path.stat()
        except FileNotFoundError:
            there = None
        if there is None or not os.path.samestat(there, os.fstat(self._file)):
            raise JournalError(
                f"the journal {str(self.path)!r} was removed or replaced while the run was at work, and what "
                "was saved beside it may be gone too. Start again, into a folder that nothing else tidies up"
            )

    def _drop_torn_end(self) -> None:
        end = os.fstat(self._file).st_size
        begin = end
        while begin and os.pread(self._file, 1, begin - 1) != b"\n":
            begin -= 1
        if begin < end:
            os.ftruncate(self._file, begin)

    def _unwritable(self, error: OSError) -> JournalError:
        reason = error.strerror or str(error)
        return JournalError(
            f"cannot write the journal {str(self.path)!r}: {reason}. Make room there or choose another "
            "folder; what is saved is kept, and the same command goes on from there"
        )


def read_events(path: Path) -> Iterator[dict[str, Any]]:
    """Every event of a journal, oldest first; it is not changed, and a line without its end is passed over.

    Raises:
        JournalError: it is of another format, or a line is damaged.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            document = _parsed(line)
            if number == 1:
                _check_format(path, document or {})
            elif document is None:
                raise JournalError(
                    f"line {number} of the journal {str(path)!r} is damaged; remove that line to "
                    "go on without what it says, or choose another folder"
                )
            else:
                yield document


def _check_format(path: Path, first: dict[str, Any]) -> None:
    if first.get("kind") != _KIND:
        raise JournalError(
            f"{str(path)!r} is not a journal of gclf-live; move it away or choose another folder"
        )
    if first.get("format") != JOURNAL_FORMAT:
        raise JournalError(
            f"the journal {str(path)!r} has format {first.get('format')}, and this gclf-live reads "
            f"format {JOURNAL_FORMAT}; go on with gclf-live {first.get('version')}, which wrote it, or "
            "choose another folder"
        )


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(line)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _sync_folder(folder: Path) -> None:
    """Bring a new name in a folder to the disk."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
