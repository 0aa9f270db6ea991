"""The mp4 on the disk: whole under its name, or not there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import av
from av.error import FFmpegError

from gclf_live.errors import GclfError, OutputError
from gclf_live.media._suffix import check_suffix
from gclf_live.whole_file import WholeFile

_SUFFIXES = frozenset({".mp4", ".m4v"})
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
        check_suffix(path, _SUFFIXES)
        self._target = WholeFile(path, overwrite=overwrite, useful_in_part=useful_in_part)
        try:
            self.container = av.open(self._target.temp, "w", format="mp4", container_options=options)
        except BaseException:
            self._target.discard()
            raise

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Turn a failed write into an OutputError and leave nothing; Ctrl-C leaves what was written."""
        try:
            yield
        except GclfError:
            self.discard()
            raise
        except (FFmpegError, OSError) as error:
            self.discard()
            raise self._target.error(error) from error

    def commit(self, name: str | None = None) -> Path:
        """Finish the file and give it its name, or ``name`` in the same folder.

        Returns:
            Where it is now.

        Raises:
            OutputError: the disk refuses, or the name was taken meanwhile. Nothing is left.
        """
        with self.writing():
            self.container.close()
        return self._target.commit(name)

    def discard(self) -> None:
        """Leave no file; nothing happens to one that was committed."""
        self._target.discard()
        with contextlib.suppress(FFmpegError, OSError):
            self.container.close()
        # Closing may have written the file anew.
        self._target.discard()
