"""What a result depends on, as SHA-256: it is made again when one of these changed, and only then."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from gclf_live.archive.options import ArchiveOptions
from gclf_live.errors import SourceError
from gclf_live.media.missing import no_such_file

METHOD = 3
"""Raised when a change to gclf-live makes results differ that have the same input, weights and settings."""


@dataclass(frozen=True, slots=True)
class FileState:
    """What tells, without reading it, that a file is still the same.

    Attributes:
        size: in bytes.
        mtime_ns: time of its last change.
    """

    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> FileState:
        """That of a file now.

        Raises:
            SourceError: it is not there.
        """
        try:
            found = path.stat()
        except FileNotFoundError as error:
            raise no_such_file(path) from error
        except OSError as error:
            raise SourceError(f"cannot read {str(path)!r}: {error.strerror}. Check the path") from error
        return cls(found.st_size, found.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class Keys:
    """What the outputs of one input depend on, each as SHA-256 in hexadecimal.

    Attributes:
        measured: of the result and the table: input, weights, settings of the analysis, length of a part.
        drawn: of the copy: all of these, and how it is drawn and encoded.
    """

    measured: str
    drawn: str

    @classmethod
    def of(
        cls, *, source_sha256: str, weights_sha256: str, options: ArchiveOptions, part_s: float | None
    ) -> Keys:
        """Keys of one input. ``part_s`` is None for a picture."""
        measured = _digest(
            {
                "method": METHOD,
                "source": source_sha256,
                "weights": weights_sha256,
                "analysis": asdict(options.analysis),
                "part_s": part_s,
                "privacy": options.privacy,
            }
        )
        encoder = {"crf": options.encoder.crf, "preset": options.encoder.preset}
        drawn = _digest({"measured": measured, "track_ids": options.track_ids, **encoder})
        return cls(measured, drawn)


def short_name(text: str) -> str:
    """A name for a folder that stands for a text: 64 bits of its SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _digest(document: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
