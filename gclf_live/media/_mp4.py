"""The mp4 on the disk: whole under its name, or not there."""

from __future__ import annotations

import contextlib
import io
import struct
from collections.abc import Iterator
from pathlib import Path

import av
from av.error import ExternalError, FFmpegError

from gclf_live.errors import GclfError, OutputError
from gclf_live.media._libav import is_short_of_memory, reason
from gclf_live.media._suffix import MP4_SUFFIXES, check_suffix
from gclf_live.whole_file import WholeFile

INDEX_IN_FRONT = {"movflags": "+faststart"}
"""Lets a browser start before it has the whole file."""


PLAYABLE_THROUGHOUT = {
    "movflags": "+hybrid_fragmented",
    "frag_duration": "1000000",  # microseconds
    "flush_packets": "1",
}
"""Complete to the last second at any moment; closing it makes an ordinary mp4 of it, its index last.

Pictures must come in the order in which they are shown: an index that is written first cannot say by how
much those that refer to later ones are late.
"""


def cut_to_whole_fragments(path: Path) -> None:
    """Shorten a ``PLAYABLE_THROUGHOUT`` file that was never closed by the fragment that is not all there.

    A file is a row of boxes, each beginning with its length in 4 bytes and its type in 4 more, or in 8 more
    after the type where the 4 say 1 (ISO/IEC 14496-12, 4.2); a fragment is a ``moof`` and an ``mdat``. A file
    that was closed ends with its index, ``moov``, and stays as it is.

    Raises:
        OSError: it cannot be read or changed.
    """
    with path.open("r+b") as file:
        size = file.seek(0, io.SEEK_END)
        at = whole = 0
        while at + 16 <= size:
            file.seek(at)
            length, kind, long_length = struct.unpack(">I4sQ", file.read(16))
            at += long_length if length == 1 else max(length, 8)
            if kind in {b"mdat", b"moov"} and at <= size:
                whole = at
        file.truncate(whole)


class _Disk(io.RawIOBase):
    """The hidden file as libav sees it: after a write that failed nothing in it is changed any more.

    Closing a recording turns its first bytes into those of an ordinary mp4. On a full disk that would work,
    and the index at the end, without which they are worth nothing, would not.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("r+b", buffering=0)
        self._failed = False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        left = memoryview(data)
        while left and not self._failed:
            try:
                left = left[self._file.write(left) :]
            except BaseException:
                self._failed = True
                raise
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def give_up(self) -> None:
        """Change nothing any more."""
        self._failed = True

    def close(self) -> None:
        self._file.close()
        super().close()


class Mp4File:
    """A new mp4, hidden until it is committed.

    Attributes:
        container: what streams are added to and packets are muxed into.
    """

    def __init__(
        self,
        path: Path,
        *,
        overwrite: bool,
        source: Path | None,
        options: dict[str, str],
        useful_in_part: bool = False,
    ) -> None:
        """Create the hidden file; nothing is in it yet.

        Args:
            path: where it goes; ``.mp4`` or ``.m4v``.
            overwrite: replace a file that is there.
            source: the file that it is made from, which it must not replace.
            options: of libav's mp4 muxer.
            useful_in_part: as for ``WholeFile``.

        Raises:
            OutputError: the file exists, is ``source`` itself, or cannot be written.
        """
        if source and path.exists() and source.exists() and path.samefile(source):
            raise OutputError(
                f"{str(path)!r} is the input itself. Give another name or folder for the output"
            )
        check_suffix(path, MP4_SUFFIXES)
        self._target = WholeFile(path, overwrite=overwrite, useful_in_part=useful_in_part)
        self._disk = _Disk(self._target.temp) if useful_in_part else None
        try:
            self.container = av.open(
                self._disk or self._target.temp, "w", format="mp4", container_options=options
            )
        except BaseException:
            self._target.discard()
            raise

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Turn a failed write into an OutputError; Ctrl-C leaves what was written.

        After an error nothing is left, but of a file that is ``useful_in_part`` what was written before it,
        for ``rescue``.
        """
        try:
            yield
        except GclfError:
            self._stop()
            raise
        except (FFmpegError, OSError) as error:
            self._stop()
            if is_short_of_memory(error) or isinstance(error, ExternalError):  # x264 says no more than that
                why = f"its encoder gave up ({reason(error)}), most likely for want of memory"
                path = str(self._target.path)
                raise OutputError(f"cannot write {path!r}: {why}. Close other programs") from error
            raise self._target.error(error) from error

    def commit(self, name: str | None = None) -> Path:
        """Finish the file and give it its name, or ``name`` in the same folder.

        Returns:
            Where it is now.

        Raises:
            OutputError: the disk refuses, or the name was taken meanwhile. What is left: see ``writing``.
        """
        with self.writing():
            self.container.close()
            if self._disk:
                self._disk.close()
        return self._target.commit(name)

    @property
    def hidden(self) -> Path:
        """Where the file is until it has its name."""
        return self._target.temp

    def rescue(self, name: str) -> Path | None:
        """Give what a failed write has left of a file that is ``useful_in_part`` a name in the same folder.

        Returns:
            Where it is now; None where there is nothing.
        """
        self._stop()
        return self._target.rescue(name)

    def _stop(self) -> None:
        """Write nothing more."""
        if self._disk is None:
            self.discard()
            return
        self._disk.give_up()
        with contextlib.suppress(FFmpegError, OSError):
            self.container.close()
        self._disk.close()

    def discard(self) -> None:
        """Leave no file; nothing happens to one that was committed."""
        self._target.discard()
        with contextlib.suppress(FFmpegError, OSError):
            self.container.close()
        if self._disk:
            self._disk.close()
        # Closing may have written the file anew.
        self._target.discard()
