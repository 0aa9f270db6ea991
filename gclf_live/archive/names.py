"""What the files of an archive are called, finished and in work."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from gclf_live.archive.identity import short_name
from gclf_live.archive.options import ArchiveOptions, TableKind
from gclf_live.pipeline.jobs import Job
from gclf_live.screentime.result_file import RESULT_SUFFIX

FOLDER = ".gclf-live"
"""In the output folder: the journal, its lock, and what is in work."""


def part_path(work: Path, index: int) -> Path:
    """Where the analysis of one part is kept until its video is complete."""
    return work / f"part-{index:05}.npz"


def result_name(target: str) -> str:
    """Name of the result of a video whose copy is called ``target``."""
    return f"{target.removesuffix('.mp4')}{RESULT_SUFFIX}"


def table_name(target: str, kind: str) -> str:
    """Name of the table of tracks of a video whose copy is called ``target``."""
    return f"{target.removesuffix('.mp4')}.tracks.{kind}"


@dataclass(frozen=True, slots=True)
class Places:
    """Where the files of one input go.

    Attributes:
        name: the target, relative to the output folder.
        is_picture: whether the input is a picture.
        root: folder of what is in work.
    """

    name: str
    is_picture: bool
    root: Path

    @classmethod
    def of(cls, job: Job, options: ArchiveOptions) -> Places:
        """Those of one job."""
        name = job.target.relative_to(options.output).as_posix()
        return cls(name, job.is_picture, options.output / FOLDER / "work" / short_name(name))

    def outputs(self, options: ArchiveOptions) -> list[str]:
        """The outputs that are asked for, relative to the output folder; the one that others rest on last."""
        if self.is_picture:
            return [self.name]
        table = "none" if options.privacy else options.tables
        return [
            *([self.name] if options.video else []),
            *([table_name(self.name, table)] if table != "none" else []),
            result_name(self.name),
        ]

    def all_outputs(self) -> list[str]:
        """Every output that this input can have."""
        if self.is_picture:
            return [self.name]
        kinds = [kind for kind in get_args(TableKind) if kind != "none"]
        return [self.name, *(table_name(self.name, kind) for kind in kinds), result_name(self.name)]
