"""``annotate -``: a video that comes through a pipe, kept in a private file while it is worked on.

A video is read twice, and many an mp4 has its index at its end: a pipe can do neither.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gclf_live.errors import OutputError, SourceError, UsageError

STANDARD_INPUT = "-"
"""How it is written on the command line."""

_BLOCK = 1 << 20
_EXAMPLE = "cat talk.mp4 | gclf-live annotate - -o labelled.mp4"


@dataclass(frozen=True, slots=True)
class PipedVideo:
    """What comes on standard input.

    Attributes:
        path: the private file that it is kept in; missing until ``receive``.
    """

    path: Path

    def receive(self) -> None:
        """Read standard input to its end.

        Raises:
            SourceError: it cannot be read, or nothing comes.
            OutputError: there is no room for it.
        """
        try:
            with self.path.open("xb") as file:
                for block in _blocks(sys.stdin.buffer):
                    file.write(block)
                size = file.tell()
        except SourceError:
            raise
        except OSError as error:
            raise OutputError(
                f"cannot keep standard input in {str(self.path.parent)!r} while it is worked on: "
                f"{error.strerror}. Free some space, or name a folder with more in TMPDIR"
            ) from error
        if not size:
            raise SourceError(f"nothing came on standard input. Pipe a video in: {_EXAMPLE}")

    def told(self, text: str) -> str:
        """``text`` with standard input by its name instead of by that of the private file."""
        return text.replace(repr(str(self.path)), "standard input").replace(str(self.path), STANDARD_INPUT)


@contextlib.contextmanager
def piped_video() -> Iterator[PipedVideo]:
    """A place for the video on standard input; nothing is left of it behind the block.

    Raises:
        UsageError: standard input is a terminal or closed.
        OutputError: there is no folder for temporary files.
    """
    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
        what = "is closed" if sys.stdin is None or sys.stdin.closed else "is a terminal"
        raise UsageError(f"- means a video on standard input, and that {what}. Pipe one in: {_EXAMPLE}")
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="gclf-live-"))
        except OSError as error:
            raise OutputError(
                f"cannot make a folder for temporary files: {error.strerror}. Name one in TMPDIR"
            ) from error
        yield PipedVideo(Path(folder) / "standard-input")


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    try:
        while block := stream.read(_BLOCK):
            yield block
    except OSError as error:
        raise SourceError(f"cannot read standard input: {error.strerror}. Pipe a video in") from error
