"""What an archive run is asked for, and what it came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from gclf_live.errors import ExitCode, UsageError
from gclf_live.media.writer import EncoderSettings
from gclf_live.pipeline.settings import AnalysisSettings
from gclf_live.screentime.result_file import RESULT_SUFFIX

EngineName: TypeAlias = Literal["local", "ray"]
TableKind: TypeAlias = Literal["csv", "parquet", "jsonl", "none"]


@dataclass(frozen=True, slots=True)
class ArchiveOptions:
    """How an archive is worked through.

    Attributes:
        output: the folder that the targets of all jobs lie in; it also holds ``.gclf-live/``.
        weights: checkpoint; None for the one that comes with the package.
        device: as ``Classifier.load``; ``auto`` is the CPU under Ray.
        analysis: of every video; its threshold is that of pictures too.
        encoder: of the drawn copies.
        video: whether drawn copies are written.
        tables: what the table of tracks is written as.
        privacy: blurred faces in the copies, aggregates only in the results.
        track_ids: draw the numbers that tracks have in the tables.
        jobs: worker processes; with Ray it is the cluster that says.
        engine: ``local`` or ``ray``.
        address: of the Ray cluster; None for one that is started on this machine.
        overwrite: replace files that are in the way and that no run into this folder has written.
        part_s: seconds of a part; None for that of ``pipeline.parts``.
    """

    output: Path
    weights: Path | None = None
    device: str = "auto"
    analysis: AnalysisSettings = field(default_factory=AnalysisSettings)
    encoder: EncoderSettings = field(default_factory=EncoderSettings)
    video: bool = True
    tables: TableKind = "csv"
    privacy: bool = False
    track_ids: bool = True
    jobs: int = 1
    engine: EngineName = "local"
    address: str | None = None
    overwrite: bool = False
    part_s: float | None = None

    def __post_init__(self) -> None:
        if self.jobs < 1:
            raise UsageError(f"--jobs {self.jobs}; allowed are 1 and more")
        if self.engine not in get_args(EngineName):
            raise UsageError(f"--engine {self.engine!r}; allowed are {', '.join(get_args(EngineName))}")
        if self.tables not in get_args(TableKind):
            raise UsageError(f"--tables {self.tables!r}; allowed are {', '.join(get_args(TableKind))}")
        if self.address is not None and self.engine != "ray":
            raise UsageError("--address names a Ray cluster; add --engine ray, or leave it out")
        if self.part_s is not None and not self.part_s > 0:
            raise UsageError(f"parts of {self.part_s} s; allowed is a length above 0")


class State(StrEnum):
    """What became of one input."""

    DONE = "done"
    KEPT = "kept"  # up to date since an earlier run
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """One input of an archive.

    Attributes:
        source: the file that was read.
        state: what became of it.
        outputs: the files that hold its results now.
        error: the one line of why it failed, or empty.
        notes: one line for each thing the user should know.
        seconds: of videos, seconds on screen by label, ``unsure`` and ``excluded: REASON``.
        faces: of pictures, number of faces by label.
        replaced: outputs were there that were made otherwise, or of another input, and are gone.
    """

    source: Path
    state: State
    outputs: tuple[Path, ...] = ()
    error: str = ""
    notes: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    faces: Mapping[str, int] = field(default_factory=dict)
    replaced: bool = False

    def line(self) -> str:
        """One line about an input that is done."""
        found = [f"{label} {seconds:,.1f} s" for label, seconds in self.seconds.items()]
        found += [f"{count} {label}" for label, count in self.faces.items()]
        return f"{self.source}: {', '.join(found) or 'no face found'}"

    def as_json(self) -> dict[str, object]:
        """The figures under their names in JSON."""
        return {
            "source": str(self.source),
            "state": str(self.state),
            "outputs": [str(path) for path in self.outputs],
            "error": self.error,
            "notes": list(self.notes),
            "seconds": {label: round(seconds, 3) for label, seconds in self.seconds.items()},
            "faces": dict(self.faces),
            "replaced": self.replaced,
        }


@dataclass(frozen=True, slots=True)
class ArchiveReport:
    """What an archive run came to.

    Attributes:
        files: one entry an input, in the order of the jobs.
        parts: parts that were computed in this run, analysed and drawn ones counted alike.
    """

    files: tuple[FileOutcome, ...]
    parts: int = 0

    @property
    def failed(self) -> tuple[FileOutcome, ...]:
        """The inputs that failed."""
        return tuple(file for file in self.files if file.state is State.FAILED)

    @property
    def results(self) -> tuple[Path, ...]:
        """The result files of all videos that have one, for ``read_result``."""
        outputs = (path for file in self.files for path in file.outputs)
        return tuple(path for path in outputs if path.name.endswith(RESULT_SUFFIX))

    @property
    def exit_code(self) -> ExitCode:
        """0, 3 where some inputs failed, 1 where all did."""
        if not self.failed:
            return ExitCode.DONE
        return ExitCode.SOME_FAILED if len(self.failed) < len(self.files) else ExitCode.FAILED

    def as_json(self) -> dict[str, object]:
        """The document of ``--json``."""
        return {"files": [file.as_json() for file in self.files], "parts": self.parts}
